/*
 * metrics.c - what the prober and its agents count; see metrics.h.
 *
 * Called by api.c for GET /metrics. One table for each kind of thing that is
 * measured (cluster, member, agent); what is not known has no sample. Agents
 * have no HTTP side: their counters are those of their last STATS.
 */
#include "metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "app.h"
#include "cluster.h"
#include "feed.h"
#include "metrics_int.h"

void metrics_family(
    FILE *f, const char *name, const char *type, const char *help)
{
	(void)fprintf(f, "# HELP patroute_%s %s\n# TYPE patroute_%s %s\n", name,
	    help, name, type);
}

/* Names come from outside: a member's may hold anything that is printable. */
static void put_escaped(FILE *f, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			(void)fputc('\\', f);
		(void)fputc(*s, f);
	}
}

void metrics_label(FILE *f, const char *name, const char *value)
{
	(void)fprintf(f, "%s=\"", name);
	put_escaped(f, value);
	(void)fputc('"', f);
}

static bool age_s(struct mono t, struct mono now, double *out)
{
	*out = dur_to_s(mono_sub(now, t));
	return is_mono_set(t);
}

/* ---- clusters ---- */

enum cluster_metric {
	CM_NONE = 0,
	CM_USABLE,
	CM_TARGET,
	CM_PLANNED,
	CM_TRANSITION,
	CM_CHANGES,
	CM_AGE,
	CM_DCS_AGE,
	CM_N
};

static const struct {
	const char *name, *type, *help;
} cluster_metrics[CM_N] = {
    [CM_USABLE] = {"cluster_usable", "gauge",
	"1 while there is a verdict to act on; it may be that nobody leads."},
    [CM_TARGET] = {"cluster_has_target", "gauge",
	"1 while there is a member that takes writes."},
    [CM_PLANNED] = {"cluster_planned", "gauge",
	"1 while a planned switchover is under way."},
    [CM_TRANSITION] = {"cluster_transition", "gauge",
	"1 from the loss of a leader to the confirmation of the next."},
    [CM_CHANGES] = {"cluster_verdict_changes_total", "counter",
	"Changes of the verdict or its reason."},
    [CM_AGE] = {"cluster_evidence_age_seconds", "gauge",
	"Age of the oldest evidence that the verdict rests on."},
    [CM_DCS_AGE] = {"cluster_dcs_age_seconds", "gauge",
	"Since the last event or heartbeat of the DCS."},
};

/* Gives: false if it is not known. */
static bool cluster_value(
    enum cluster_metric which, struct cluster *c, struct mono now, double *v)
{
	const struct snapshot *s = cluster_snapshot(c);
	uint32_t age;

	switch (which) {
	case CM_USABLE:
		*v = is_cluster_usable(c, now) ? 1 : 0;
		return true;
	case CM_TARGET:
		*v = s->write >= 0 ? 1 : 0;
		return true;
	case CM_PLANNED:
		*v = s->planned ? 1 : 0;
		return true;
	case CM_TRANSITION:
		*v = s->transition ? 1 : 0;
		return true;
	case CM_CHANGES:
		*v = (double)c->changes;
		return true;
	case CM_AGE:
		age = is_cluster_usable(c, now) ? cluster_age_ms(c, now)
						: FEED_AGE_STALE;
		*v = (double)age / 1000.0;
		return age != FEED_AGE_STALE;
	case CM_DCS_AGE:
		return age_s(c->ev.dcs.fresh_at, now, v);
	case CM_NONE:
	case CM_N:
		break;
	}
	abort();
}

static void put_clusters(FILE *f, struct app *app, struct mono now)
{
	for (int i = CM_NONE + 1; i < CM_N; i++) {
		const char *name = cluster_metrics[i].name;

		metrics_family(
		    f, name, cluster_metrics[i].type, cluster_metrics[i].help);
		for (uint16_t k = 0; k < app->cluster_n; k++) {
			struct cluster *c = app->cluster[k];
			double v = 0;

			if (!cluster_value((enum cluster_metric)i, c, now, &v))
				continue;
			(void)fprintf(f, "patroute_%s{", name);
			metrics_label(f, "cluster", c->conf->name);
			(void)fprintf(f, "} %.15g\n", v);
		}
	}
}

/* Why there is a target, or none: one sample a cluster. */
static void put_verdicts(FILE *f, struct app *app)
{
	metrics_family(f, "cluster_verdict", "gauge",
	    "1, with the reason of the verdict as a label.");
	for (uint16_t k = 0; k < app->cluster_n; k++) {
		const struct cluster *c = app->cluster[k];
		const struct snapshot *s = cluster_snapshot(c);

		(void)fputs("patroute_cluster_verdict{", f);
		metrics_label(f, "cluster", c->conf->name);
		(void)fputc(',', f);
		metrics_label(
		    f, "why", snap_why_name((enum snap_why)s->write_why));
		(void)fputs("} 1\n", f);
	}
}

/* ---- members ---- */

enum member_metric {
	MM_NONE = 0,
	MM_WRITE,
	MM_READ,
	MM_LIVE,
	MM_WEIGHT,
	MM_TIMELINE,
	MM_LAG_BYTES,
	MM_LAG,
	MM_REST_AGE,
	MM_SQL_AGE,
	MM_N
};

static const struct {
	const char *name, *type, *help;
	const char *source; /* a label more; samples of one family follow */
} member_metrics[MM_N] = {
    [MM_WRITE] = {"member_write", "gauge",
	"1 for the member that takes writes.", NULL},
    [MM_READ] = {"member_read", "gauge", "1 for members that are read.", NULL},
    [MM_LIVE] = {"member_live", "gauge",
	"1 while SQL or Patroni answered freshly.", NULL},
    [MM_WEIGHT] = {"member_weight", "gauge", "Its share of the reads.", NULL},
    [MM_TIMELINE] = {"member_timeline", "gauge", "PostgreSQL's timeline.",
	NULL},
    [MM_LAG_BYTES] = {"member_lag_bytes", "gauge",
	"WAL that it has not replayed yet.", NULL},
    [MM_LAG] = {"member_lag_seconds", "gauge",
	"Since the leader stood where this member stands now.", NULL},
    [MM_REST_AGE] = {"member_evidence_age_seconds", "gauge",
	"Since the last good answer of this source.", "rest"},
    [MM_SQL_AGE] = {"member_evidence_age_seconds", NULL, NULL, "sql"},
};

/* Gives: false if it is not known. */
static bool member_value(enum member_metric which, const struct cluster *c,
    unsigned i, struct mono now, double *v)
{
	const struct snapshot *s = cluster_snapshot(c);
	const struct snap_member *m = &s->m[i];
	int ev = ev_find(&c->ev, m->name);

	switch (which) {
	case MM_WRITE:
		*v = s->write == (int)i ? 1 : 0;
		return true;
	case MM_READ:
		*v = (m->flags & SNAP_F_READ) != 0 ? 1 : 0;
		return true;
	case MM_LIVE:
		*v = (m->flags & SNAP_F_LIVE) != 0 ? 1 : 0;
		return true;
	case MM_WEIGHT:
		*v = m->weight;
		return true;
	case MM_TIMELINE:
		*v = m->tli;
		return m->tli != 0;
	case MM_LAG_BYTES:
		*v = (double)m->lag_bytes;
		return m->lag_bytes != SNAP_LAG_UNKNOWN;
	case MM_LAG:
		*v = m->lag_ms / 1000.0;
		return m->lag_ms != SNAP_LAG_MS_UNKNOWN;
	case MM_REST_AGE:
		return ev >= 0 && age_s(c->ev.m[ev].rest_slot.ok_at, now, v);
	case MM_SQL_AGE:
		return ev >= 0 && age_s(c->ev.m[ev].sql_slot.ok_at, now, v);
	case MM_NONE:
	case MM_N:
		break;
	}
	abort();
}

static void put_members_of(
    FILE *f, int which, const struct cluster *c, struct mono now)
{
	const struct snapshot *s = cluster_snapshot(c);

	for (unsigned i = 0; i < s->n; i++) {
		double v = 0;

		if (!member_value((enum member_metric)which, c, i, now, &v))
			continue;
		(void)fprintf(f, "patroute_%s{", member_metrics[which].name);
		metrics_label(f, "cluster", c->conf->name);
		(void)fputc(',', f);
		metrics_label(f, "member", s->m[i].name);
		if (member_metrics[which].source != NULL) {
			(void)fputc(',', f);
			metrics_label(
			    f, "source", member_metrics[which].source);
		}
		(void)fprintf(f, "} %.15g\n", v);
	}
}

static void put_members(FILE *f, struct app *app, struct mono now)
{
	for (int i = MM_NONE + 1; i < MM_N; i++) {
		if (member_metrics[i].type != NULL)
			metrics_family(f, member_metrics[i].name,
			    member_metrics[i].type, member_metrics[i].help);
		for (uint16_t k = 0; k < app->cluster_n; k++)
			put_members_of(f, i, app->cluster[k], now);
	}
}

/* ---- agents, by their place in the feed ---- */

#define STAT(field) offsetof(struct feed_stats, field)

/* All of them uint64_t. `help` stands at the first of a family. */
static const struct {
	const char *name, *labels, *help;
	size_t at;
} counters[] = {
    {"decisions_total", ",outcome=\"write\"",
	"Connections decided, by where they went.", STAT(routed_write)},
    {"decisions_total", ",outcome=\"read\"", NULL, STAT(routed_read)},
    {"decisions_total", ",outcome=\"fallback\"", NULL, STAT(routed_fallback)},
    {"decisions_total", ",outcome=\"desk\"", NULL, STAT(refused)},
    {"decisions_total", ",outcome=\"undecided\"", NULL, STAT(undecided)},
    {"asked_total", "",
	"NOTIFY frames: connections, and once more each that "
	"was held.",
	STAT(decisions)},
    {"observed_total", ",kind=\"write\",classic=\"same\"",
	"Connections that were decided while HAProxy went the classic way, by "
	"whether that did the same.",
	STAT(observed_same[OBSERVE_WRITE])},
    {"observed_total", ",kind=\"read\",classic=\"same\"", NULL,
	STAT(observed_same[OBSERVE_READ])},
    {"observed_total", ",kind=\"any\",classic=\"same\"", NULL,
	STAT(observed_same[OBSERVE_ANY])},
    {"observed_total", ",kind=\"write\",classic=\"differs\"", NULL,
	STAT(observed_differs[OBSERVE_WRITE])},
    {"observed_total", ",kind=\"read\",classic=\"differs\"", NULL,
	STAT(observed_differs[OBSERVE_READ])},
    {"observed_total", ",kind=\"any\",classic=\"differs\"", NULL,
	STAT(observed_differs[OBSERVE_ANY])},
    {"held_total", "", "Connections that waited for a server.", STAT(held)},
    {"min_lsn_waited_total", "",
	"Reads that waited for a replica to have replayed their min_lsn.",
	STAT(lsn_waited)},
    {"min_lsn_late_total", "",
	"Reads whose min_lsn no replica had in time: the primary's.",
	STAT(lsn_late)},
    {"answers_lost_total", "",
	"Decisions of which HAProxy did not hear: its connection had no room.",
	STAT(answers_lost)},
    {"agent_loop_turns_total", "", "Turns of the agent's loop.",
	STAT(loop_turns)},
    {"agent_loop_slow_turns_total", "",
	"Those that took more than 20 ms of processor time.", STAT(loop_slow)},
    {"startup_total", ",kind=\"bad\"",
	"First bytes of connections, by what was special about them.",
	STAT(startup_bad)},
    {"startup_total", ",kind=\"unread\"", NULL, STAT(startup_unread)},
    {"startup_total", ",kind=\"chosen\"", NULL, STAT(startup_chosen)},
    {"startup_total", ",kind=\"replication\"", NULL, STAT(startup_replication)},
    {"startup_total", ",kind=\"cancel\"", NULL, STAT(startup_cancel)},
    {"spop_connections_total", "", "Connections that HAProxy opened.",
	STAT(connections)},
    {"spop_frames_bad_total", "", "Frames that were refused or passed over.",
	STAT(frames_bad)},
    {"spop_hello_rejected_total", "", "Connections refused at their HELLO.",
	STAT(hello_rejected)},
};

static uint64_t counter_at(const struct feed_stats *s, size_t at)
{
	uint64_t v;

	memcpy(&v, (const char *)s + at, sizeof(v));
	return v;
}

struct agents {
	unsigned n;
	unsigned place[LIM_FEED_CLIENTS];
	struct feed_stats stats[LIM_FEED_CLIENTS];
};

static void put_counters(FILE *f, const struct agents *a)
{
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		if (counters[i].help != NULL)
			metrics_family(
			    f, counters[i].name, "counter", counters[i].help);
		for (unsigned k = 0; k < a->n; k++)
			(void)fprintf(f,
			    "patroute_%s{agent=\"%u\"%s} %" PRIu64 "\n",
			    counters[i].name, a->place[k], counters[i].labels,
			    counter_at(&a->stats[k], counters[i].at));
	}
}

static void put_holds(FILE *f, const struct agents *a)
{
	metrics_family(f, "hold_connections", "gauge",
	    "Connections that wait now, for a server or for an LSN.");
	for (unsigned k = 0; k < a->n; k++)
		(void)fprintf(f,
		    "patroute_hold_connections{agent=\"%u\",for=\"server\"} "
		    "%" PRIu32 "\n"
		    "patroute_hold_connections{agent=\"%u\",for=\"lsn\"} "
		    "%" PRIu32 "\n",
		    a->place[k], a->stats[k].hold_now, a->place[k],
		    a->stats[k].lsn_now);
	metrics_family(f, "hold_longest_seconds", "gauge",
	    "The longest that a connection has waited since the start.");
	for (unsigned k = 0; k < a->n; k++)
		(void)fprintf(f,
		    "patroute_hold_longest_seconds{agent=\"%u\"} %.15g\n",
		    a->place[k], a->stats[k].hold_max_ms / 1000.0);
	metrics_family(f, "snapshot_age_seconds", "gauge",
	    "How old what the agent decides by is; none while it does not.");
	for (unsigned k = 0; k < a->n; k++)
		if (a->stats[k].snapshot_age_ms != FEED_AGE_STALE)
			(void)fprintf(f,
			    "patroute_snapshot_age_seconds{agent=\"%u\"} "
			    "%.15g\n",
			    a->place[k], a->stats[k].snapshot_age_ms / 1000.0);
}

/* Bucket i counts what is below 2^i us: whole ones, so at most 2^i - 1. */
static void put_histogram(FILE *f, unsigned place, const struct feed_stats *s)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < FEED_LATENCY_BUCKETS; i++) {
		char le[32];

		sum += s->latency[i];
		(void)snprintf(
		    le, sizeof(le), "%.15g", (double)(UINT64_C(1) << i) / 1e6);
		(void)fprintf(f,
		    "patroute_decision_seconds_bucket{agent=\"%u\",le=\"%s\"} "
		    "%" PRIu64 "\n",
		    place, i + 1 < FEED_LATENCY_BUCKETS ? le : "+Inf", sum);
	}
	(void)fprintf(f,
	    "patroute_decision_seconds_sum{agent=\"%u\"} %.15g\n"
	    "patroute_decision_seconds_count{agent=\"%u\"} %" PRIu64 "\n",
	    place, (double)s->latency_sum_us / 1e6, place, sum);
}

static void put_agents(FILE *f, const struct app *app)
{
	struct agents a = {0};
	struct feed_agent one;

	for (unsigned i = 0; i < LIM_FEED_CLIENTS; i++) {
		feed_agent_at(app->feed, i, &one);
		if (!one.here || !one.has_stats)
			continue;
		a.place[a.n] = i;
		a.stats[a.n++] = one.stats;
	}
	put_counters(f, &a);
	put_holds(f, &a);
	metrics_family(f, "agent_loop_longest_seconds", "gauge",
	    "Processor time of its loop's longest turn since its start.");
	for (unsigned k = 0; k < a.n; k++)
		(void)fprintf(f,
		    "patroute_agent_loop_longest_seconds{agent=\"%u\"} "
		    "%.15g\n",
		    a.place[k], (double)a.stats[k].loop_longest_us / 1e6);
	metrics_family(f, "decision_seconds", "histogram",
	    "From the read that brought a NOTIFY to the send of its ACK.");
	for (unsigned k = 0; k < a.n; k++)
		put_histogram(f, a.place[k], &a.stats[k]);
}

/* The watchdog's word: no turn of the loop may take long. */
static void put_loop(FILE *f, const struct loopwatch *w)
{
	metrics_family(f, "loop_longest_seconds", "gauge",
	    "Processor time of the loop's longest turn since the start.");
	(void)fprintf(
	    f, "patroute_loop_longest_seconds %.15g\n", dur_to_s(w->longest));
	metrics_family(f, "loop_turns_total", "counter", "Turns of the loop.");
	(void)fprintf(f, "patroute_loop_turns_total %" PRIu64 "\n", w->turns);
	metrics_family(f, "loop_slow_turns_total", "counter",
	    "Turns that took more than 20 ms of processor time.");
	(void)fprintf(
	    f, "patroute_loop_slow_turns_total %" PRIu64 "\n", w->slow);
}

char *metrics_text(struct app *app, struct mono now)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	bool bad;

	assert(app != NULL);
	if (f == NULL)
		return NULL;
	metrics_family(f, "info", "gauge", "1, with the prober's version.");
	(void)fputs("patroute_info{version=\"" PATROUTE_VERSION "\"} 1\n", f);
	put_loop(f, &app->watch);
	put_clusters(f, app, now);
	put_verdicts(f, app);
	put_members(f, app, now);
	metrics_more(f, app);
	put_agents(f, app);
	bad = ferror(f) != 0;
	if (fclose(f) != 0 || bad) {
		free(text);
		return NULL;
	}
	return text;
}
