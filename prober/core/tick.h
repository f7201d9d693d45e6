/*
 * tick.h - whom to ask next, and when.
 *
 * Steady: each member once a second over SQL and REST, in its own phase of the
 * second, to which it also comes back after a pause in which all fell due; one
 * more question on the way there, so that none is later than a second.
 * Calm: REST every other second, half a second beside SQL, where both answer
 * and for the same role; each answer costs Patroni a connection, and by TLS a
 * handshake.
 * Fast: SQL every 20 ms while a transition is under way or a connection waits.
 * Members that are away are asked each second (never slower: they may be the
 * next leader), and those that SQL cannot tell of (authentication, full, TLS)
 * no faster, for REST speaks for them. REST: at most two a second, whatever
 * asks.
 *
 * Every probe's own deadline is TICK_DEADLINE_MS, from its question: then the
 * one that follows a lost one is answered before `silence` (2 s) is over, and
 * one lost probe never changes a verdict.
 */
#ifndef TICK_H
#define TICK_H

#include "evidence.h"
#include "policy.h"

#define TICK_DEADLINE_MS 800

struct tick_slot {
	struct dur phase;                /* tick_phase()'s */
	struct mono last_sql, last_rest; /* when it was asked last */
	struct mono hurried; /* when SQL was repeated at once last */
};

struct tick_in {
	bool fast;                /* transition, or a want not yet met */
	bool sql_busy, rest_busy; /* one is in flight */
	bool retry;               /* a probe was lost: ask again at once */
	bool rest_retry;          /* likewise, of REST */
	bool alone;               /* REST is all there is: twice a second */
	bool calm;                /* SQL speaks for it: REST half as often */
};

struct tick_out {
	bool sql, rest;  /* ask now */
	bool hurried;    /* and this SQL is one repeated at once */
	struct dur next; /* look again after this, > 0 */
};

/*
 * Fills what evidence says of this member's need: fast, retry, rest_retry,
 * alone and calm. A question is repeated after one lost probe, not after many:
 * at once, however short ago the last one was, twice a second at most, else
 * every 20 ms. Never calm where max_age_rest is less than 3 s.
 */
void tick_needs(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now, struct tick_in *in);

/*
 * To ask GET /primary instead of /patroni: no DCS, or one not heard for half
 * its max_age, so that an answer is there when step 4 of the verdict needs it;
 * and in pause without a leader key.
 */
bool is_tick_primary(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now);

/* The phase of member i of cluster c spreads first questions over 1 s. */
struct dur tick_phase(unsigned cluster, unsigned member);

struct tick_out tick_decide(
    const struct tick_slot *s, const struct tick_in *in, struct mono now);

#endif
