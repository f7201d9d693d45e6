/*
 * topology_summary.c - what a list of clusters says of one: who gets writes and
 * why, and how many members are well. Some 500 bytes, where all of a cluster
 * of three is 4 KiB: with 300 of them the difference is a MiB each second.
 */
#include "topology.h"

#include <assert.h>
#include <cjson/cJSON.h>

#include "cluster.h"
#include "feed.h"

static void add_text(cJSON *o, const char *key, const char *text)
{
	if (text == NULL)
		(void)cJSON_AddNullToObject(o, key);
	else
		(void)cJSON_AddStringToObject(o, key, text);
}

/* Unknown is null. */
static void add_known(cJSON *o, const char *key, double v, bool known)
{
	if (known)
		(void)cJSON_AddNumberToObject(o, key, v);
	else
		(void)cJSON_AddNullToObject(o, key);
}

static void add_members(cJSON *o, const struct snapshot *s)
{
	unsigned live = 0, reads = 0;
	bool has_bytes = false, has_ms = false;
	uint64_t bytes = 0;
	uint32_t ms = 0;

	for (unsigned i = 0; i < s->n; i++) {
		const struct snap_member *m = &s->m[i];

		live += (m->flags & SNAP_F_LIVE) != 0;
		reads += (m->flags & SNAP_F_READ) != 0;
		if (m->lag_bytes != SNAP_LAG_UNKNOWN) {
			has_bytes = true;
			bytes = m->lag_bytes > bytes ? m->lag_bytes : bytes;
		}
		if (m->lag_ms != SNAP_LAG_MS_UNKNOWN) {
			has_ms = true;
			ms = m->lag_ms > ms ? m->lag_ms : ms;
		}
	}
	(void)cJSON_AddNumberToObject(o, "members_n", s->n);
	(void)cJSON_AddNumberToObject(o, "live_n", live);
	(void)cJSON_AddNumberToObject(o, "read_n", reads);
	add_known(o, "most_lag_bytes", (double)bytes, has_bytes);
	add_known(o, "most_lag_ms", ms, has_ms);
}

void topology_summary(struct cJSON *o, struct cluster *c, struct mono now)
{
	assert(o != NULL && c != NULL);

	uint32_t age =
	    is_cluster_usable(c, now) ? cluster_age_ms(c, now) : FEED_AGE_STALE;
	const struct snapshot *s = cluster_snapshot(c);
	const struct ev_dcs *d = &c->ev.dcs;

	add_text(o, "name", c->conf->name);
	add_text(o, "write", s->write < 0 ? NULL : s->m[s->write].name);
	add_text(o, "why", snap_why_name((enum snap_why)s->write_why));
	add_text(o, "why_text", snap_why_text((enum snap_why)s->write_why));
	(void)cJSON_AddNumberToObject(o, "since_ms", s->since_ms);
	add_known(o, "evidence_age_ms", age, age != FEED_AGE_STALE);
	(void)cJSON_AddBoolToObject(o, "usable", age != FEED_AGE_STALE);
	(void)cJSON_AddBoolToObject(o, "planned", s->planned);
	(void)cJSON_AddBoolToObject(o, "transition", s->transition);
	(void)cJSON_AddNumberToObject(o, "changes", (double)c->changes);
	cJSON *dcs = cJSON_AddObjectToObject(o, "dcs");
	(void)cJSON_AddBoolToObject(dcs, "configured", d->configured);
	add_text(
	    dcs, "leader", d->leader_name[0] != '\0' ? d->leader_name : NULL);
	(void)cJSON_AddBoolToObject(dcs, "pause", d->pause);
	(void)cJSON_AddBoolToObject(dcs, "standby_cluster", d->standby_cluster);
	add_known(dcs, "age_ms",
	    is_mono_set(d->fresh_at)
		? (double)mono_sub(now, d->fresh_at).us / 1000.0
		: 0,
	    is_mono_set(d->fresh_at));
	cJSON *max = cJSON_AddObjectToObject(o, "max_age_ms");
	(void)cJSON_AddNumberToObject(
	    max, "dcs", (double)c->policy.max_age_dcs.us / 1000.0);
	add_members(o, s);
	topology_control(o, c, now);
}
