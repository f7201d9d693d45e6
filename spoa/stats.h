/*
 * stats.h - what the agent counts and the feed's STATS take up.
 */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>

#include "decide.h"
#include "feed_msg.h"
#include "mono.h"

/*
 * Counts `n` answers that took `d` from the read that brought the NOTIFYs to
 * the send of their ACKs. Bucket i holds those below 2^i us, the last the rest.
 */
void stats_latency(struct feed_stats *s, uint64_t n, struct dur d);

/* Counts a decision by where the connection goes; a wait is none yet. */
void stats_ruling(struct feed_stats *s, const struct ruling *r);

/* Counts what was decided beside what the classic way does, while that is
   observed; its cluster's in the decider. */
void stats_observed(struct feed_stats *s, struct decider *d,
    const struct ruling *r, const struct intent *it);

/* What the first bytes were: once a connection, not when it asks again. */
void stats_startup(
    struct feed_stats *s, enum decide_startup startup, const struct intent *it);

#endif
