/*
 * agent_stats.c - what the feed's STATS tell of the agent; see agent.h.
 */
#include <assert.h>
#include <string.h>

#include "agent.h"
#include "app.h"

/* No wait has ended for so long: the longest is of what comes next. */
#define RECENT_MS 30000

/* Of the clusters that are decided now: the feed remembers earlier ones. */
static uint32_t oldest_ms(const struct app *app, struct mono now)
{
	uint32_t oldest = 0;

	for (unsigned i = 0; i < app->conf->cluster_n; i++) {
		uint32_t age = feed_client_age_ms(
		    app->feed, app->conf->cluster[i].name, now);

		if (age > oldest)
			oldest = age;
	}
	return oldest;
}

static void fill_all(struct app *app, struct feed_stats *out)
{
	*out = app->agent.stats;
	out->connections = app->conns.accepted;
	out->loop_longest_us = (uint64_t)app->watch.longest.us;
	out->loop_turns = app->watch.turns;
	out->loop_slow = app->watch.slow;
	out->hold_now = app->agent.hold.n;
	out->lsn_now = app->agent.lsn.n;
	out->snapshot_age_ms = oldest_ms(app, mono_now());
}

static bool was_observed(const struct decide_cluster *c)
{
	for (int k = 0; k < OBSERVE_KINDS; k++)
		if (c->observed.same[k] > 0 || c->observed.differs[k] > 0)
			return true;
	return false;
}

/* Begins where the last message ended, once around at most. */
static void fill_split(struct app *app, struct feed_counts *out)
{
	uint16_t slot = app->agent.split_next;

	out->is_split = true;
	out->n = 0;
	for (unsigned i = 0; i < LIM_CLUSTERS && out->n < FEED_SPLIT_MAX; i++) {
		const struct decide_cluster *c = &app->decide.cluster[slot];

		slot = (uint16_t)((slot + 1) % LIM_CLUSTERS);
		if (!was_observed(c))
			continue;
		memcpy(out->of[out->n].cluster, c->name, LIM_NAME);
		out->of[out->n++].observed = c->observed;
	}
	app->agent.split_next = slot;
}

void agent_stats_cb(void *arg, struct feed_counts *out)
{
	struct app *app = app_of(arg);

	fill_all(app, &out->all);
	fill_split(app, out);
}

void agent_count_wait(struct agent *a, int64_t ms, struct mono now)
{
	uint32_t cut = ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;

	assert(a != NULL && ms >= 0);
	if (cut > a->stats.hold_max_ms)
		a->stats.hold_max_ms = cut;
	if (!is_mono_fresh(a->wait_ended, dur_ms(RECENT_MS), now))
		a->stats.hold_recent_ms = 0;
	a->wait_ended = now;
	if (cut > a->stats.hold_recent_ms)
		a->stats.hold_recent_ms = cut;
}
