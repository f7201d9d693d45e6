/*
 * route.h - where one connection goes, and why. The heart.
 *
 * Pure: no I/O, clock, log, lock or allocation. One function for the agent,
 * the desk and `patroutectl explain`.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include <stdint.h>

#include "snapshot.h"
#include "startup.h"

enum route_kind {
	ROUTE_REFUSE = 0,
	ROUTE_TO,
	ROUTE_WAIT
};

/* The session variable `action`; 0 sets none, so HAProxy's second way acts. */
enum route_action {
	ROUTE_ACT_NONE = 0,
	ROUTE_ACT_WRITE,
	ROUTE_ACT_READ,
	ROUTE_ACT_FALLBACK,
	ROUTE_ACT_HOLD,
	ROUTE_ACT_DESK,
	ROUTE_ACT_N
};

struct decision {
	enum route_kind kind;
	uint8_t action; /* enum route_action */
	int8_t member;  /* index into the snapshot, -1 none */
	uint8_t why;    /* enum snap_why */
};

/*
 * Smooth weighted round-robin over member slots, one for each cluster and
 * agent. The caller zeroes it and sets `turn` to a random start. It survives
 * snapshots: slots are matched by the hash of the member's name.
 */
struct rr {
	uint32_t turn;
	uint32_t name[LIM_MEMBERS]; /* hash of the slot's member, 0 free */
	int32_t credit[LIM_MEMBERS];
};

/*
 * Needs: snap passed snap_check() and is fresh; rr is this cluster's.
 * Gives: ROUTE_TO with a member that has a server; ROUTE_WAIT (action HOLD)
 * where a wait may end in a route: no write target in a cluster that may get
 * one, or no replica yet; ROUTE_REFUSE (action DESK) where waiting is vain
 * (standby cluster) or the intent is for the desk (cancel, HTTP).
 * Only a decision of kind ROUTE_TO moves *rr.
 * Cost: O(members).
 */
struct decision route_decide(
    const struct snapshot *snap, const struct intent *it, struct rr *rr);

/* "write", "read", "fallback", "hold", "desk"; "" for ROUTE_ACT_NONE. */
const char *route_action_name(enum route_action a);

#endif
