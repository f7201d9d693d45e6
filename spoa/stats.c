/*
 * stats.c - the latency histogram; see stats.h.
 */
#include "stats.h"

void stats_latency(struct feed_stats *s, uint64_t n, struct dur d)
{
	unsigned i = 0;

	assert(s != NULL && d.us >= 0);
	while (i < FEED_LATENCY_BUCKETS - 1 && d.us >= (int64_t)1 << i)
		i++;
	s->latency[i] += n;
	s->latency_sum_us += n * (uint64_t)d.us;
}
