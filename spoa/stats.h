/*
 * stats.h - the latency histogram that goes up with the feed's STATS.
 */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>

#include "feed_msg.h"
#include "mono.h"

/*
 * Counts `n` answers that took `d` from the read that brought the NOTIFYs to
 * the send of their ACKs. Bucket i holds those below 2^i us, the last the rest.
 */
void stats_latency(struct feed_stats *s, uint64_t n, struct dur d);

#endif
