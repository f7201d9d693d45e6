/*
 * stats.c - what the agent counts; see stats.h.
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

void stats_ruling(struct feed_stats *s, const struct ruling *r)
{
	assert(s != NULL && r != NULL);
	if (r->snap == NULL) {
		s->undecided++;
		return;
	}
	switch ((enum route_action)r->d.action) {
	case ROUTE_ACT_WRITE:
		s->routed_write++;
		return;
	case ROUTE_ACT_READ:
		s->routed_read++;
		return;
	case ROUTE_ACT_FALLBACK:
		s->routed_fallback++;
		return;
	case ROUTE_ACT_DESK:
		s->refused++;
		return;
	case ROUTE_ACT_HOLD:
	case ROUTE_ACT_NONE:
	case ROUTE_ACT_N:
		return;
	}
}

void stats_observed(struct feed_stats *s, struct decider *d,
    const struct ruling *r, const struct intent *it)
{
	enum observe_kind k = observe_kind_of(it);
	struct feed_observed *of;

	assert(s != NULL && d != NULL && r != NULL);
	if (!is_ruling_observed(r))
		return;
	of = &d->cluster[decide_slot(d, it)].observed;
	if (is_observe_same(r->snap, k, &r->d)) {
		s->observed_same[k]++;
		of->same[k]++;
	} else {
		s->observed_differs[k]++;
		of->differs[k]++;
	}
}

void stats_startup(
    struct feed_stats *s, enum decide_startup startup, const struct intent *it)
{
	s->startup_bad += startup == DECIDE_STARTUP_BAD;
	s->startup_unread += (it->flags & INTENT_F_TLS) != 0;
	s->startup_chosen += (it->flags & INTENT_F_OPTIONS) != 0;
	s->startup_replication += (it->flags & INTENT_F_REPLICATION) != 0;
	s->startup_cancel += (it->flags & INTENT_F_CANCEL) != 0;
}
