/*
 * health_api.c - what there is of this host, as core/health.h asks for it.
 */
#include "health_api.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "app.h"
#include "cluster.h"
#include "feed.h"
#include "haproxy.h"
#include "health.h"

/* HAProxy is asked each second and the agent says something twice a second:
   one answer that is late, on a busy host, says nothing. */
#define HEARD_MS 3000

/* What there is no word of yet is no worse than elsewhere. */
static bool is_heard(const struct app *app, struct mono at, struct mono now)
{
	if (!is_mono_set(at) || is_mono_before(at, app->started))
		at = app->started;
	return mono_sub(now, at).us <= dur_ms(HEARD_MS).us;
}

static bool has_haproxy(const struct app *app, struct mono now)
{
	struct haproxy_state s;

	haproxy_state(app->haproxy, &s);
	return s.reachable || is_heard(app, s.heard_at, now);
}

static bool has_agent(const struct app *app, struct mono now)
{
	struct feed_agent agent;

	if (is_heard(app, app->started, now))
		return true;
	for (unsigned i = 0; i < LIM_FEED_CLIENTS; i++) {
		uint16_t c = 0;

		feed_agent_at(app->feed, i, &agent);
		if (!agent.here || !is_heard(app, agent.heard_at, now))
			continue;
		while (
		    c < app->cluster_n && feed_agent_seen(app->feed, i, c) > 0)
			c++;
		if (c == app->cluster_n)
			return true;
	}
	return false;
}

static bool has_dcs(const struct app *app, struct mono now)
{
	for (uint16_t i = 0; i < app->cluster_n; i++) {
		const struct cluster *c = app->cluster[i];

		if (c->ev.dcs.configured &&
		    !is_ev_dcs_fresh(&c->ev, &c->policy, now) &&
		    !is_heard(app, app->started, now))
			return false;
	}
	return true;
}

static bool is_learning(const struct app *app)
{
	for (uint16_t i = 0; i < app->cluster_n; i++)
		if (app->cluster[i]->learning)
			return true;
	return false;
}

/* Gives: text on the heap, NULL if memory is out. */
static char *members(const struct app *app, struct mono now, bool live)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	for (uint16_t i = 0; i < app->cluster_n; i++)
		health_members(&app->cluster[i]->ev, &app->cluster[i]->policy,
		    now, live, f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/* Those that are reached, or (`live` false) are not. */
static void add_members(
    cJSON *o, const struct app *app, struct mono now, bool live)
{
	const char *key = live ? "members" : "missing";
	char *text = is_learning(app) ? NULL : members(app, now, live);

	if (text != NULL)
		(void)cJSON_AddStringToObject(o, key, text);
	else
		(void)cJSON_AddNullToObject(o, key);
	free(text);
}

char *health_json(struct app *app, struct mono now)
{
	struct health_in in;
	struct health h;
	cJSON *o;
	char *text;

	assert(app != NULL && app->magic == APP_MAGIC);
	for (uint16_t i = 0; i < app->cluster_n; i++)
		cluster_refresh(app->cluster[i], now);
	in = (struct health_in){.haproxy = has_haproxy(app, now),
	    .agent = has_agent(app, now),
	    .dcs = has_dcs(app, now)};
	h = health_judge(&in);
	o = cJSON_CreateObject();
	(void)cJSON_AddNumberToObject(o, "score", h.score);
	(void)cJSON_AddStringToObject(o, "why", h.why);
	add_members(o, app, now, true);
	add_members(o, app, now, false);
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return text;
}
