/*
 * rules.c - see rules.h. The order is that of the judgement.
 */
#include "rules.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "look.h"
#include "status.h"
#include "text.h"

struct view {
	const cJSON *cluster, *dcs, *member, *rest, *sql;
	const char *name, *why;
	const struct conf_cluster *conf;
	struct rules *out;
	bool of_reads;
};

__attribute__((format(printf, 3, 4))) static void say(
    const struct view *v, enum rule_mark mark, const char *fmt, ...)
{
	struct rule *r = &v->out->rule[v->out->n];
	va_list ap;

	assert(v->out->n < RULES_MAX);
	v->out->n++;
	r->of_reads = v->of_reads;
	r->mark = mark;
	va_start(ap, fmt);
	(void)vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
}

static bool is_why(const struct view *v, const char *name)
{
	return strcmp(v->why, name) == 0;
}

static enum rule_mark mark(bool holds)
{
	return holds ? RULE_HOLDS : RULE_BREAKS;
}

static bool is_named(const cJSON *o, const char *key, const char *name)
{
	return strcmp(look_text(o, key, ""), name) == 0;
}

static void orders_of_writes(const struct view *v)
{
	const cJSON *control = json_get(v->cluster, "control");
	const cJSON *force = json_get(control, "force");

	if (cJSON_IsObject(json_get(control, "hold")))
		say(v, RULE_BREAKS, "An operator holds all writes.");
	else
		say(v, RULE_HOLDS, "No operator holds writes.");
	if (!cJSON_IsObject(force))
		say(v, RULE_SAID, "No operator forces them to a member.");
	else
		say(v, mark(is_named(force, "member", v->name)),
		    "An operator forces them to %s.",
		    look_text(force, "member", "?"));
}

static void key_of_writes(const struct view *v)
{
	const char *leader = look_text(v->dcs, "leader", NULL);
	char age[TEXT_DUR];

	if (!look_true(v->dcs, "configured"))
		say(v, RULE_SAID,
		    "No etcd is configured: the one member whose Patroni says "
		    "that it is primary counts.");
	else if (!look_true(v->dcs, "synced"))
		say(v, RULE_SAID,
		    "etcd's word is not whole: the one member whose Patroni "
		    "says that it is primary counts.");
	else if (leader == NULL)
		say(v, RULE_BREAKS, "Nobody holds the leader key in etcd.");
	else
		say(v, mark(strcmp(leader, v->name) == 0),
		    "The leader key in etcd names %s, since %s.", leader,
		    text_dur(look_num(v->dcs, "leader_age_ms"), age));
}

/* What one source answers, and how old that is. */
static void source(const struct view *v, const char *name, const cJSON *s,
    enum rule_mark m, const char *says)
{
	const char *rc = look_text(s, "rc", "none");
	char age[TEXT_DUR];

	if (strcmp(rc, "none") == 0)
		say(v, RULE_SAID, "%s was not asked yet, or is not set up.",
		    name);
	else if (strcmp(rc, "ok") != 0)
		say(v, RULE_BREAKS,
		    "%s does not answer (%s), last heard %s ago.", name, rc,
		    text_dur(look_num(s, "ok_age_ms"), age));
	else
		say(v, m, "%s says %s, %s ago.", name, says,
		    text_dur(look_num(s, "ok_age_ms"), age));
}

static void sources(const struct view *v, bool wants_primary)
{
	const char *role = look_text(v->rest, "role", "nothing of its role");
	bool primary = strcmp(role, "primary") == 0;
	bool recovery = look_true(v->sql, "in_recovery");

	source(v, "Its PostgreSQL", v->sql, mark(recovery != wants_primary),
	    recovery ? "that it is in recovery" : "that it is out of recovery");
	source(v, "Its Patroni", v->rest, mark(primary == wants_primary), role);
}

static void timeline(const struct view *v)
{
	double own = look_num(v->member, "timeline"), most = 0;
	const char *who = "";

	for (const cJSON *m = json_first(json_get(v->cluster, "members"));
	     m != NULL; m = m->next)
		if (look_num(m, "timeline") > most) {
			most = look_num(m, "timeline");
			who = look_text(m, "name", "?");
		}
	if (own <= 0)
		say(v, RULE_SAID, "Its timeline is not known.");
	else if (own < most)
		say(v, is_why(v, "fenced") ? RULE_BREAKS : RULE_SAID,
		    "It is on timeline %.0f, %s on the higher %.0f.", own, who,
		    most);
	else
		say(v, RULE_HOLDS,
		    "It is on timeline %.0f, and nobody is on a higher one.",
		    own);
}

static void server(const struct view *v)
{
	const char *name = look_text(v->member, "server", NULL);

	if (name == NULL)
		say(v, RULE_BREAKS, "HAProxy here has no server for it.");
	else
		say(v, RULE_HOLDS, "HAProxy here has it as server %s.", name);
}

static void write_result(const struct view *v)
{
	const char *write = look_text(v->cluster, "write", NULL);

	if (write != NULL && strcmp(write, v->name) == 0) {
		say(v, RULE_HOLDS, "So it gets writes: %s.",
		    status_why(look_text(v->cluster, "why", "none")));
		if (look_true(v->member, "read_only"))
			say(v, RULE_SAID,
			    "Its transactions are read-only by default; that "
			    "takes no route from it.");
	} else {
		say(v, RULE_BREAKS, "So it gets no writes; %s gets them: %s.",
		    write != NULL ? write : "nobody",
		    status_why(look_text(v->cluster, "why", "none")));
	}
}

static void writes(struct view *v)
{
	v->of_reads = false;
	v->why = look_text(v->cluster, "why", "none");
	if (look_true(v->dcs, "standby_cluster"))
		say(v, RULE_BREAKS,
		    "It is a standby cluster: nobody gets writes, by design.");
	orders_of_writes(v);
	key_of_writes(v);
	sources(v, true);
	timeline(v);
	server(v);
	write_result(v);
}

static void lag_bytes(const struct view *v)
{
	double lag = look_num(v->member, "lag_bytes");
	uint64_t bound = v->conf != NULL ? v->conf->max_lag.bytes : UINT64_MAX;
	char is[TEXT_SIZE], may[TEXT_SIZE];

	if (lag < 0)
		say(v, is_why(v, "lag-bytes") ? RULE_BREAKS : RULE_SAID,
		    "How many bytes it lags is not known.");
	else if (bound == UINT64_MAX)
		say(v, is_why(v, "lag-bytes") ? RULE_BREAKS : RULE_HOLDS,
		    "It lags %s.", text_bytes(lag, is));
	else
		say(v, mark(lag <= (double)bound),
		    "It lags %s; up to %s is allowed (max_lag).",
		    text_bytes(lag, is), text_bytes((double)bound, may));
}

static void lag_time(const struct view *v)
{
	double lag = look_num(v->member, "lag_ms");
	uint32_t bound = v->conf != NULL ? v->conf->max_lag.ms : UINT32_MAX;
	char is[TEXT_DUR], may[TEXT_DUR];

	if (lag < 0 && bound == UINT32_MAX)
		return;
	if (lag < 0)
		say(v, RULE_BREAKS, "How long it lags is not known.");
	else if (bound == UINT32_MAX)
		say(v, is_why(v, "lag-time") ? RULE_BREAKS : RULE_HOLDS,
		    "It lags %s.", text_dur(lag, is));
	else
		say(v, mark(lag <= bound),
		    "It lags %s; up to %s is allowed (max_lag).",
		    text_dur(lag, is), text_dur(bound, may));
}

/* The rules that a member's own reason alone tells of. */
static void by_reason(const struct view *v)
{
	static const struct {
		const char *why, *holds, *breaks;
	} all[] = {
	    {"takes-key", NULL,
		"It takes the leader key: no reads from that event on."},
	    {"noloadbalance", "It has no tag noloadbalance.",
		"It has the tag noloadbalance."},
	    {"no-weight", NULL, "Its tag patroute_weight is 0."},
	    {"drained", "No operator drains it.",
		"An operator drains it, here or in HAProxy."},
	    {"not-running", "It runs.", "It does not run, or starts only."},
	    {"stopping", NULL, "It shuts down."},
	    {"silent", "It is heard.",
		"Its PostgreSQL and Patroni are "
		"silent."},
	    {"not-streaming", "It is not known to have stopped streaming.",
		"It does not stream from the leader."},
	    {"diverged", "It is not on another branch than the leader.",
		"It is on a higher timeline than the leader: another "
		"branch."},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		bool breaks = is_why(v, all[i].why);

		if (breaks)
			say(v, RULE_BREAKS, "%s", all[i].breaks);
		else if (all[i].holds != NULL)
			say(v, RULE_HOLDS, "%s", all[i].holds);
	}
}

static void reads(struct view *v)
{
	bool read = look_true(v->member, "read");
	double weight = look_num(v->member, "weight");

	v->of_reads = true;
	v->why = look_text(v->member, "why", "none");
	if (is_named(v->cluster, "write", v->name) || is_why(v, "leader")) {
		say(v, RULE_BREAKS,
		    "It leads: it gets reads only where no replica is left "
		    "and the listener falls back.");
		return;
	}
	sources(v, false);
	by_reason(v);
	lag_bytes(v);
	lag_time(v);
	server(v);
	if (read)
		say(v, RULE_HOLDS, "So it gets reads, with weight %.0f.",
		    weight);
	else
		say(v, RULE_BREAKS, "So it gets no reads: %s.",
		    status_why(v->why));
}

void rules_of(const cJSON *cluster, const cJSON *member,
    const struct conf_cluster *conf, struct rules *out)
{
	const cJSON *evidence = json_get(member, "evidence");
	struct view v = {.cluster = cluster,
	    .member = member,
	    .conf = conf,
	    .dcs = json_get(cluster, "dcs"),
	    .out = out,
	    .rest = json_get(evidence, "rest"),
	    .sql = json_get(evidence, "sql"),
	    .name = look_text(member, "name", "")};

	assert(out != NULL);
	out->n = 0;
	writes(&v);
	reads(&v);
}
