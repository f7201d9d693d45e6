/*
 * metrics_more.c - of /metrics what is no plain gauge of a cluster or member:
 * probes by result, roles, transitions, orders, reports. Called by metrics.c.
 */
#include <assert.h>
#include <inttypes.h>

#include "app.h"
#include "cluster.h"
#include "cluster_orders.h"
#include "events.h"
#include "feed.h"
#include "metrics_int.h"
#include "reports.h"

/* Opens a sample of this cluster; the caller ends it. */
static void begin(FILE *f, const char *name, const struct cluster *c)
{
	(void)fprintf(f, "patroute_%s{", name);
	metrics_label(f, "cluster", c->conf->name);
}

static void put_probes_of(FILE *f, const struct cluster *c)
{
	static const char *const source[] = {
	    [EV_REST] = "rest", [EV_SQL] = "sql"};

	for (int s = EV_REST; s <= EV_SQL; s++)
		for (int rc = EV_RC_NONE + 1; rc < EV_RC_N; rc++) {
			if (c->probes[s][rc] == 0)
				continue;
			begin(f, "probes_total", c);
			(void)fprintf(f,
			    ",source=\"%s\",result=\"%s\"} %" PRIu64 "\n",
			    source[s], ev_rc_name((enum ev_rc)rc),
			    c->probes[s][rc]);
		}
}

static void put_roles_of(FILE *f, const struct cluster *c)
{
	const struct snapshot *s = cluster_snapshot(c);

	for (unsigned i = 0; i < s->n; i++) {
		begin(f, "member_role", c);
		(void)fputc(',', f);
		metrics_label(f, "member", s->m[i].name);
		(void)fputc(',', f);
		metrics_label(
		    f, "role", snap_role_name((enum snap_role)s->m[i].role));
		(void)fputs("} 1\n", f);
	}
}

static unsigned drains(const struct cluster *c)
{
	unsigned n = 0;

	for (int i = 0; i < c->ev.n; i++)
		if (orders_drain(&c->orders, c->ev.m[i].dcs.name) != NULL)
			n++;
	return n;
}

static void put_orders_of(FILE *f, const struct cluster *c)
{
	const struct {
		const char *kind;
		unsigned n;
	} all[] = {{"hold", c->orders.hold != NULL},
	    {"force", c->orders.force != NULL}, {"drain", drains(c)}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		begin(f, "cluster_orders", c);
		(void)fprintf(f, ",kind=\"%s\"} %u\n", all[i].kind, all[i].n);
	}
}

static void put_mode_of(FILE *f, const struct cluster *c)
{
	begin(f, "cluster_mode", c);
	(void)fprintf(f, ",mode=\"%s\"} 1\n",
	    is_cluster_classic(c)         ? "classic"
		: is_cluster_observing(c) ? "observe"
					  : "live");
}

static void put_observed_of(FILE *f, const struct cluster *c)
{
	struct feed_observed sum;

	if (!feed_observed(c->app->feed, c->index, &sum))
		return;
	for (int k = 0; k < OBSERVE_KINDS; k++) {
		const char *kind = observe_kind_name((enum observe_kind)k);

		begin(f, "cluster_observed_total", c);
		(void)fprintf(f, ",kind=\"%s\",classic=\"same\"} %" PRIu64 "\n",
		    kind, sum.same[k]);
		begin(f, "cluster_observed_total", c);
		(void)fprintf(f,
		    ",kind=\"%s\",classic=\"differs\"} %" PRIu64 "\n", kind,
		    sum.differs[k]);
	}
}

static void put_transitions_of(FILE *f, const struct cluster *c)
{
	begin(f, "cluster_transitions_total", c);
	(void)fprintf(f, "} %" PRIu64 "\n", c->transitions);
}

void metrics_more(FILE *f, const struct app *app)
{
	static const struct {
		const char *name, *type, *help;
		void (*put)(FILE *, const struct cluster *);
	} all[] = {
	    {"cluster_transitions_total", "counter",
		"Losses or moves of a leader, until the next is confirmed.",
		put_transitions_of},
	    {"cluster_mode", "gauge",
		"1, with what HAProxy does as a label: live, observe, classic.",
		put_mode_of},
	    {"cluster_observed_total", "counter",
		"Connections of all agents that were decided while HAProxy "
		"went the classic way, by whether that did the same.",
		put_observed_of},
	    {"cluster_orders", "gauge", "Operators' orders in force.",
		put_orders_of},
	    {"member_role", "gauge", "1, with the member's role as a label.",
		put_roles_of},
	    {"probes_total", "counter",
		"Answers of members to the prober, by source and result.",
		put_probes_of},
	};

	assert(f != NULL && app != NULL);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		metrics_family(f, all[i].name, all[i].type, all[i].help);
		for (uint16_t k = 0; k < app->cluster_n; k++)
			all[i].put(f, app->cluster[k]);
	}
	metrics_family(f, "reports_total", "counter",
	    "Changes of leader that were measured.");
	(void)fprintf(
	    f, "patroute_reports_total %" PRIu64 "\n", reports_n(app->reports));
	metrics_family(f, "events_total", "counter", "What has changed.");
	(void)fprintf(
	    f, "patroute_events_total %" PRIu64 "\n", events_last(app->events));
}
