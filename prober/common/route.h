/*
 * route.h - where one connection goes, and why. The heart.
 *
 * Pure: no I/O, clock, log, lock or allocation. One function for the agent
 * and the desk.
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
 * agent. The caller zeroes it and sets `turn` to a random start, so that agents
 * which start together do not all begin with the same member. It survives
 * snapshots: slots are matched by the hash of the member's name.
 *
 * Each read gives every candidate its share of one unit (by weight) and takes
 * that unit from the one that is chosen, which is the one with the most. So two
 * members of one weight that are candidates for the same reads never differ by
 * more than one, whoever else comes, goes or is filtered out meanwhile; and a
 * member that was away has nothing to make up for.
 */
struct rr {
	uint32_t turn;              /* who is new starts where this says */
	uint32_t name[LIM_MEMBERS]; /* hash of the slot's member, 0 free */
	int64_t credit[LIM_MEMBERS];
};

/*
 * Needs: snap passed snap_check() and is fresh; rr is this cluster's.
 * Gives: ROUTE_TO with a member that has a server; ROUTE_WAIT (action HOLD)
 * where a wait may end in a route: no write target in a cluster that may get
 * one, or no replica yet that will do; ROUTE_REFUSE (action DESK) where waiting
 * is vain (standby cluster) or the intent is for the desk (cancel, HTTP).
 *
 * PRIMARY goes to the write target, unless a planned switchover is under way.
 * REPLICA goes to a READ member within the intent's own bounds, SYNC to such a
 * one of the role SYNC; where there is none, to the write target (action
 * FALLBACK) if the intent has INTENT_F_FALLBACK: conf_listen_intent() sets it
 * from the listener, whose default is the cluster's. ANY may always fall back;
 * so may a read whose min_lsn no replica is known to have replayed, for the
 * primary qualifies by itself, but while there are replicas that would do
 * otherwise it waits for one of them until it has INTENT_F_WAITED.
 * A fallback too waits while a switchover is planned.
 * Only a decision of kind ROUTE_TO moves *rr. Cost: O(members).
 */
struct decision route_decide(
    const struct snapshot *snap, const struct intent *it, struct rr *rr);

/* May this read be served by the write target where no replica will do? */
bool is_route_fallback(const struct intent *it);

/* "write", "read", "fallback", "hold", "desk"; "" for ROUTE_ACT_NONE. */
const char *route_action_name(enum route_action a);

#endif
