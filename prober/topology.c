/*
 * topology.c - clusters, members, evidence with its ages, agents, HAProxy.
 *
 * Numbers above 2^53 (LSNs, revisions, system identifiers) are strings. Names
 * and words from outside are escaped by cJSON. An age that is unknown is null.
 */
#include "topology.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "cluster.h"
#include "etcd.h"
#include "feed.h"
#include "lsn.h"
#include "member.h"
#include "proof.h"

#define U64_TEXT 24

static void add_ms(cJSON *o, const char *key, struct mono t, struct mono now)
{
	if (is_mono_set(t))
		(void)cJSON_AddNumberToObject(
		    o, key, (double)mono_sub(now, t).us / 1000.0);
	else
		(void)cJSON_AddNullToObject(o, key);
}

static void add_u64(cJSON *o, const char *key, uint64_t v)
{
	char text[U64_TEXT];

	(void)snprintf(text, sizeof(text), "%" PRIu64, v);
	(void)cJSON_AddStringToObject(o, key, text);
}

static void add_lsn(cJSON *o, const char *key, uint64_t lsn)
{
	char text[LSN_TEXT];

	if (lsn == 0)
		(void)cJSON_AddNullToObject(o, key);
	else
		(void)cJSON_AddStringToObject(o, key, lsn_text(lsn, text));
}

static void add_name(cJSON *o, const char *key, const char *name)
{
	if (name == NULL || name[0] == '\0')
		(void)cJSON_AddNullToObject(o, key);
	else
		(void)cJSON_AddStringToObject(o, key, name);
}

static const char *role_name(enum ev_role role)
{
	switch (role) {
	case EV_ROLE_NONE:
		return NULL;
	case EV_ROLE_PRIMARY:
		return "primary";
	case EV_ROLE_REPLICA:
		return "replica";
	case EV_ROLE_STANDBY_LEADER:
		return "standby_leader";
	case EV_ROLE_DEMOTED:
		return "demoted";
	case EV_ROLE_UNINITIALIZED:
		return "uninitialized";
	case EV_ROLE_N:
		break;
	}
	abort();
}

static const char *state_name(enum ev_state state)
{
	switch (state) {
	case EV_STATE_NONE:
		return NULL;
	case EV_STATE_RUNNING:
		return "running";
	case EV_STATE_STREAMING:
		return "streaming";
	case EV_STATE_ARCHIVE_RECOVERY:
		return "in archive recovery";
	case EV_STATE_STARTING:
		return "starting";
	case EV_STATE_STOPPING:
		return "stopping";
	case EV_STATE_STOPPED:
		return "stopped";
	case EV_STATE_CRASHED:
		return "crashed";
	case EV_STATE_OTHER:
		return "other";
	case EV_STATE_N:
		break;
	}
	abort();
}

static cJSON *add_slot(
    cJSON *o, const char *key, const struct ev_slot *s, struct mono now)
{
	cJSON *e = cJSON_AddObjectToObject(o, key);

	add_ms(e, "age_ms", s->at, now);
	add_ms(e, "ok_age_ms", s->ok_at, now);
	(void)cJSON_AddStringToObject(e, "rc", ev_rc_name(s->rc));
	return e;
}

static void add_evidence(
    cJSON *o, const struct cluster *c, int i, struct mono now)
{
	const struct ev_member *m = &c->ev.m[i];
	cJSON *all = cJSON_AddObjectToObject(o, "evidence");
	cJSON *e = cJSON_AddObjectToObject(all, "dcs");

	(void)cJSON_AddBoolToObject(e, "present", !is_mono_set(m->left_at));
	add_name(e, "role", role_name(m->dcs.role));
	add_name(e, "state", state_name(m->dcs.state));
	(void)cJSON_AddNumberToObject(e, "timeline", m->dcs.tli);
	add_name(e, "host", m->dcs.host);
	add_name(e, "api_host", m->dcs.api_host);
	(void)cJSON_AddNumberToObject(e, "api_port", m->dcs.api_port);
	(void)cJSON_AddBoolToObject(e, "api_tls", m->dcs.api_tls);
	e = add_slot(all, "rest", &m->rest_slot, now);
	add_name(e, "role", role_name(m->rest.role));
	add_name(e, "state", state_name(m->rest.state));
	(void)cJSON_AddNumberToObject(e, "timeline", m->rest.tli);
	add_lsn(e, "lsn", m->rest.lsn);
	(void)cJSON_AddBoolToObject(
	    e, "pending_restart", m->rest.pending_restart);
	if (m->rest.streaming_known)
		(void)cJSON_AddBoolToObject(e, "streaming", m->rest.streaming);
	e = add_slot(all, "sql", &m->sql_slot, now);
	if (is_mono_set(m->sql_slot.ok_at)) {
		(void)cJSON_AddBoolToObject(
		    e, "in_recovery", m->sql.in_recovery);
		(void)cJSON_AddBoolToObject(e, "read_only", m->sql.read_only);
		if (m->sql.streaming_known)
			(void)cJSON_AddBoolToObject(
			    e, "streaming", m->sql.streaming);
	}
	(void)cJSON_AddNumberToObject(e, "timeline", m->sql.tli);
	add_lsn(e, "lsn", m->sql.lsn);
}

static void add_lag(cJSON *o, const struct snap_member *m)
{
	if (m->lag_bytes == SNAP_LAG_UNKNOWN)
		(void)cJSON_AddNullToObject(o, "lag_bytes");
	else
		(void)cJSON_AddNumberToObject(
		    o, "lag_bytes", (double)m->lag_bytes);
	if (m->lag_ms == SNAP_LAG_MS_UNKNOWN)
		(void)cJSON_AddNullToObject(o, "lag_ms");
	else
		(void)cJSON_AddNumberToObject(o, "lag_ms", m->lag_ms);
}

/* Where its Patroni is, for HAProxy's own checks; host null: at `address`. */
static void add_rest_at(cJSON *o, const struct ev_dcs_member *m)
{
	cJSON *e = cJSON_AddObjectToObject(o, "rest_at");
	bool same = strcmp(m->api_host, m->host) == 0;

	add_name(e, "host", same ? NULL : m->api_host);
	(void)cJSON_AddNumberToObject(e, "port", m->api_port);
	(void)cJSON_AddBoolToObject(e, "tls", m->api_tls);
}

/* Where HAProxy reaches it: conn_url's place, or proxy_url's. */
static void add_front(cJSON *o, const struct cluster *c, int i)
{
	const struct ev_dcs_member *d = &c->ev.m[i].dcs;
	cJSON *e = cJSON_AddObjectToObject(o, "front");

	add_name(e, "address", c->front[i]);
	(void)cJSON_AddNumberToObject(
	    e, "port", is_member_proxied(c, i) ? d->proxy_port : d->port);
}

static void add_member(cJSON *list, const struct cluster *c,
    const struct snap_member *m, struct mono now)
{
	cJSON *o = cJSON_CreateObject();
	int i = ev_find(&c->ev, m->name);

	(void)cJSON_AddItemToArray(list, o);
	add_name(o, "name", m->name);
	add_name(o, "server", m->server);
	add_name(o, "address", m->addr);
	(void)cJSON_AddNumberToObject(o, "port", m->port);
	(void)cJSON_AddStringToObject(
	    o, "role", snap_role_name((enum snap_role)m->role));
	(void)cJSON_AddBoolToObject(o, "read", (m->flags & SNAP_F_READ) != 0);
	(void)cJSON_AddBoolToObject(o, "live", (m->flags & SNAP_F_LIVE) != 0);
	(void)cJSON_AddBoolToObject(
	    o, "read_only", (m->flags & SNAP_F_READONLY) != 0);
	(void)cJSON_AddStringToObject(
	    o, "why", snap_why_name((enum snap_why)m->why));
	(void)cJSON_AddStringToObject(
	    o, "why_text", snap_why_text((enum snap_why)m->why));
	(void)cJSON_AddNumberToObject(o, "weight", m->weight);
	(void)cJSON_AddNumberToObject(o, "timeline", m->tli);
	add_lag(o, m);
	add_lsn(o, "replay_lsn", m->replay_lsn);
	if (i != -1) {
		add_front(o, c, i);
		add_rest_at(o, &c->ev.m[i].dcs);
		add_evidence(o, c, i, now);
	}
}

static void add_dcs(cJSON *o, const struct cluster *c, struct mono now)
{
	const struct etcd *etcd = c->app->etcd_of[c->index];
	const struct ev_dcs *d = &c->ev.dcs;
	cJSON *e = cJSON_AddObjectToObject(o, "dcs");

	(void)cJSON_AddBoolToObject(e, "configured", d->configured);
	add_name(e, "api", etcd != NULL ? etcd_api_name(etcd, c) : NULL);
	(void)cJSON_AddStringToObject(e, "members_from",
	    d->synced               ? "dcs"
		: c->roster != NULL ? "patroni"
				    : "none");
	(void)cJSON_AddBoolToObject(e, "synced", d->synced);
	add_ms(e, "age_ms", d->fresh_at, now);
	add_name(e, "leader", d->leader_name);
	add_u64(e, "leader_revision", (uint64_t)d->leader_rev);
	add_ms(e, "leader_age_ms", d->leader_at, now);
	(void)cJSON_AddBoolToObject(e, "pause", d->pause);
	(void)cJSON_AddBoolToObject(e, "standby_cluster", d->standby_cluster);
	(void)cJSON_AddBoolToObject(e, "failsafe_mode", d->failsafe_mode);
	(void)cJSON_AddBoolToObject(e, "sync_mode", d->sync_mode);
	(void)cJSON_AddBoolToObject(e, "failover_due", d->failover_due);
	add_u64(e, "system_identifier", d->sysid);
}

static void add_verdict(cJSON *o, struct cluster *c, struct mono now)
{
	uint32_t age =
	    is_cluster_usable(c, now) ? cluster_age_ms(c, now) : FEED_AGE_STALE;
	const struct snapshot *s = cluster_snapshot(c);

	add_name(o, "write", s->write < 0 ? NULL : s->m[s->write].name);
	(void)cJSON_AddStringToObject(
	    o, "why", snap_why_name((enum snap_why)s->write_why));
	(void)cJSON_AddStringToObject(
	    o, "why_text", snap_why_text((enum snap_why)s->write_why));
	(void)cJSON_AddNumberToObject(o, "step", c->verdict.step);
	(void)cJSON_AddStringToObject(o, "proof",
	    proof_name(proof_of(&c->ev, &c->verdict, &c->policy, now)));
	(void)cJSON_AddNumberToObject(o, "since_ms", s->since_ms);
	if (age == FEED_AGE_STALE)
		(void)cJSON_AddNullToObject(o, "evidence_age_ms");
	else
		(void)cJSON_AddNumberToObject(o, "evidence_age_ms", age);
	(void)cJSON_AddBoolToObject(o, "usable", age != FEED_AGE_STALE);
	(void)cJSON_AddStringToObject(o, "fallback",
	    s->fallback == SNAP_FALLBACK_PRIMARY ? "primary" : "none");
	(void)cJSON_AddBoolToObject(o, "planned", s->planned);
	(void)cJSON_AddBoolToObject(o, "transition", s->transition);
	add_u64(o, "seq", s->seq);
	(void)cJSON_AddNumberToObject(o, "changes", (double)c->changes);
}

/* How old each source's word may be: what its age is to be held against. */
static void add_max_age(cJSON *o, const struct cluster *c)
{
	cJSON *e = cJSON_AddObjectToObject(o, "max_age_ms");

	(void)cJSON_AddNumberToObject(
	    e, "dcs", (double)c->policy.max_age_dcs.us / 1000.0);
	(void)cJSON_AddNumberToObject(
	    e, "rest", (double)c->policy.max_age_rest.us / 1000.0);
	(void)cJSON_AddNumberToObject(
	    e, "sql", (double)c->policy.max_age_sql.us / 1000.0);
}

static void add_cluster(cJSON *o, struct cluster *c, struct mono now)
{
	add_name(o, "name", c->conf->name);
	add_name(o, "scope", c->conf->scope);
	add_verdict(o, c, now);
	add_dcs(o, c, now);
	add_max_age(o, c);
	topology_control(o, c, now);

	cJSON *members = cJSON_AddArrayToObject(o, "members");
	const struct snapshot *s = cluster_snapshot(c);
	for (unsigned m = 0; m < s->n; m++)
		add_member(members, c, &s->m[m], now);
}

static bool is_asked(const struct topology_ask *ask, const struct cluster *c)
{
	return ask->cluster == NULL || strcmp(ask->cluster, c->conf->name) == 0;
}

static void add_clusters(
    cJSON *o, struct app *app, const struct topology_ask *ask, struct mono now)
{
	cJSON *list = cJSON_AddArrayToObject(o, "clusters");

	for (uint16_t i = 0; i < app->cluster_n; i++) {
		struct cluster *c = app->cluster[i];

		if (!is_asked(ask, c))
			continue;
		cJSON *e = cJSON_CreateObject();
		(void)cJSON_AddItemToArray(list, e);
		if (ask->summary)
			topology_summary(e, c, now);
		else
			add_cluster(e, c, now);
	}
}

static void add_stats(cJSON *o, const struct feed_stats *s)
{
	cJSON *e = cJSON_AddObjectToObject(o, "stats");
	const struct {
		const char *key;
		uint64_t n;
	} all[] = {
	    {"decisions", s->decisions},
	    {"routed_write", s->routed_write},
	    {"routed_read", s->routed_read},
	    {"routed_fallback", s->routed_fallback},
	    {"held", s->held},
	    {"refused", s->refused},
	    {"undecided", s->undecided},
	    {"answers_lost", s->answers_lost},
	    {"loop_longest_us", s->loop_longest_us},
	    {"loop_turns", s->loop_turns},
	    {"loop_slow", s->loop_slow},
	    {"lsn_waited", s->lsn_waited},
	    {"lsn_late", s->lsn_late},
	    {"startup_bad", s->startup_bad},
	    {"startup_unread", s->startup_unread},
	    {"startup_chosen", s->startup_chosen},
	    {"startup_replication", s->startup_replication},
	    {"startup_cancel", s->startup_cancel},
	    {"frames_bad", s->frames_bad},
	    {"connections", s->connections},
	    {"hello_rejected", s->hello_rejected},
	    {"hold_now", s->hold_now},
	    {"hold_max_ms", s->hold_max_ms},
	    {"lsn_now", s->lsn_now},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		(void)cJSON_AddNumberToObject(e, all[i].key, (double)all[i].n);
}

/* By cluster, and how many clusters have a later one. */
static void add_seen(cJSON *o, const struct app *app, unsigned agent,
    const struct topology_ask *ask)
{
	cJSON *seen = cJSON_AddObjectToObject(o, "seen");
	unsigned behind = 0;

	for (uint16_t i = 0; i < app->cluster_n; i++) {
		const struct cluster *c = app->cluster[i];
		uint64_t seq = feed_agent_seen(app->feed, agent, i);

		behind += seq < cluster_snapshot(c)->seq;
		if (!ask->summary && is_asked(ask, c))
			add_u64(seen, c->conf->name, seq);
	}
	(void)cJSON_AddNumberToObject(o, "behind", behind);
}

static void add_agents(cJSON *o, const struct app *app,
    const struct topology_ask *ask, struct mono now)
{
	cJSON *list = cJSON_AddArrayToObject(o, "agents");
	struct feed_agent agent;
	char id[U64_TEXT];

	for (unsigned i = 0; i < LIM_FEED_CLIENTS; i++) {
		feed_agent_at(app->feed, i, &agent);
		if (!agent.here)
			continue;
		cJSON *e = cJSON_CreateObject();
		(void)cJSON_AddItemToArray(list, e);
		add_name(e, "program", agent.program);
		(void)snprintf(id, sizeof(id), "%" PRIx64, agent.boot_id);
		(void)cJSON_AddStringToObject(e, "boot_id", id);
		add_ms(e, "connected_ms", agent.since, now);
		add_seen(e, app, i, ask);
		if (agent.has_stats)
			add_stats(e, &agent.stats);
	}
}

char *topology_json(
    struct app *app, const struct topology_ask *ask, struct mono now)
{
	cJSON *o = cJSON_CreateObject();
	char id[U64_TEXT];

	assert(app != NULL && app->magic == APP_MAGIC && ask != NULL);
	add_name(o, "program", "patroute-prober");
	add_name(o, "version", PATROUTE_VERSION);
	(void)snprintf(id, sizeof(id), "%" PRIx64, app->boot_id);
	add_name(o, "boot_id", id);
	add_ms(o, "uptime_ms", app->started, now);
	cJSON *loop = cJSON_AddObjectToObject(o, "loop");
	(void)cJSON_AddNumberToObject(
	    loop, "longest_cpu_ms", (double)app->watch.longest.us / 1000.0);
	(void)cJSON_AddNumberToObject(loop, "slow", (double)app->watch.slow);
	(void)cJSON_AddNumberToObject(loop, "turns", (double)app->watch.turns);
	(void)cJSON_AddNumberToObject(o, "clusters_n", app->cluster_n);
	(void)cJSON_AddBoolToObject(o, "summary", ask->summary);
	add_clusters(o, app, ask, now);
	add_agents(o, app, ask, now);
	topology_haproxy(o, app, ask, now);
	char *text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return text;
}
