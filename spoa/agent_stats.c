/*
 * agent_stats.c - what the feed's STATS tell of the agent; see agent.h.
 */
#include <assert.h>

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

void agent_stats_cb(void *arg, struct feed_stats *out)
{
	struct app *app = app_of(arg);

	*out = app->agent.stats;
	out->connections = app->conns.accepted;
	out->loop_longest_us = (uint64_t)app->watch.longest.us;
	out->loop_turns = app->watch.turns;
	out->loop_slow = app->watch.slow;
	out->hold_now = app->agent.hold.n;
	out->lsn_now = app->agent.lsn.n;
	out->snapshot_age_ms = oldest_ms(app, mono_now());
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
