/*
 * tick.h - whom to ask next, and when.
 *
 * Steady: each member once a second over REST and SQL, phases spread. Fast:
 * SQL every 20 ms while a transition is under way or a connection waits.
 * Members that are away: back-off to 1 s (never slower: they may be the next
 * leader). REST: at most two a second, whatever asks.
 */
#ifndef TICK_H
#define TICK_H

#include "evidence.h"

struct tick_slot {
	struct mono last_sql, last_rest; /* when it was asked last */
};

struct tick_in {
	bool fast;                /* transition, or a want not yet met */
	bool sql_busy, rest_busy; /* one is in flight */
	bool retry;               /* a probe was lost: ask again at once */
};

struct tick_out {
	bool sql, rest;  /* ask now */
	struct dur next; /* look again after this, > 0 */
};

/* The phase of member i of cluster c spreads first questions over 1 s. */
struct dur tick_phase(unsigned cluster, unsigned member);

struct tick_out tick_decide(
    const struct tick_slot *s, const struct tick_in *in, struct mono now);

#endif
