/*
 * haproxy.h - this host's HAProxy: its servers' states, and old sessions.
 *
 * Speaks to the admin socket (Runtime API) and, for processes that a reload
 * left behind, to the master socket. HAProxy may be away at any time.
 * Source: design, "HAProxy"; management.txt of 2.6, sections 9.3 and 9.4.
 */
#ifndef HAPROXY_H
#define HAPROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "lim.h"
#include "mono.h"

struct app;
struct hap_row;
struct haproxy;

/* Gives: NULL if memory is out. It dials in the first turn of the loop. */
struct haproxy *haproxy_new(struct app *app)
    __attribute__((warn_unused_result));
void haproxy_free(struct haproxy *h);

/*
 * The write target of this cluster moved, or members were proved not to be
 * it: once the agents have seen the snapshot, or 50 ms are over, HAProxy's
 * servers follow and the sessions of the members in `closing` (bit i: evidence
 * index i) are closed, in old processes too. h may be NULL.
 */
void haproxy_move(struct haproxy *h, uint16_t cluster, uint32_t closing);

/* There are members that HAProxy was not asked about: it is, at once. A member
   is routed nothing before HAProxy is known to have a server of its name. */
void haproxy_look(struct haproxy *h);

/* That member's place is another's from now on. */
void haproxy_forget(struct haproxy *h, uint16_t cluster, uint8_t member);

/* An agent has seen a snapshot, or is gone: a wait may be over. */
void haproxy_seen(struct haproxy *h);

/* A check came from HAProxy process `pid`; another one than before has to be
   repaired at once. */
void haproxy_checked(struct haproxy *h, uint64_t pid);

/* For /topology; of several HAProxies the worst. */
struct haproxy_state {
	bool reachable;
	struct mono heard_at; /* the last whole answer */
	uint64_t pid;         /* of the last check, 0: none came */
	uint64_t moves, repairs, closed_old;
	struct dur last_move; /* how long the last move took */
	uint8_t old_n;        /* old processes when last looked at */
};
void haproxy_state(const struct haproxy *h, struct haproxy_state *out);

/* What the process (from 0) last said of that cluster's servers. Gives: NULL
   and *n 0 if it said nothing; valid until the next turn of the loop. */
const struct hap_row *haproxy_rows(
    const struct haproxy *h, uint8_t process, uint16_t cluster, uint16_t *n);

#endif
