/*
 * reports.c - see reports.h. Called by cluster.c after each judgement, and by
 * the HTTP side. What is counted comes from the agents' STATS, once a second:
 * `first_connection_ms` and the counts are that late at most.
 */
#include "reports.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "cluster.h"
#include "cluster_orders.h"
#include "events.h"
#include "feed.h"
#include "haproxy.h"
#include "hapsync.h"
#include "jsonout.h"
#include "log.h"
#include "report.h"
#include "wall.h"
#include "word.h"

#define KEPT 32

struct reports {
	uint64_t last;
	struct report kept[KEPT];
};

struct reports *reports_new(void)
{
	return calloc(1, sizeof(struct reports));
}

void reports_free(struct reports *r)
{
	free(r);
}

uint64_t reports_n(const struct reports *r)
{
	assert(r != NULL);
	return r->last;
}

/* ---- what is so now ---- */

static const char *name_of(const struct cluster *c, int i)
{
	return i < 0 || i >= c->ev.n ? NULL : c->ev.m[i].dcs.name;
}

/* Since when PostgreSQL, or else Patroni, says what it says. */
static struct mono said_at(const struct cluster *c, int i)
{
	const struct ev_member *m = &c->ev.m[i];

	return c->ev.sql_configured && !m->sql.in_recovery
	    ? m->sql_slot.said_at
	    : m->rest_slot.said_at;
}

/* Through this host's HAProxies, on the former leader as leader. */
static void count_sessions(const struct cluster *c, struct report_now *n)
{
	const char *server = conf_server_of(c->conf, c->report.from);
	const struct hap_row *row;
	uint16_t rows;

	for (uint8_t p = 0; c->app->haproxy != NULL &&
	     (row = haproxy_rows(c->app->haproxy, p, c->index, &rows)) != NULL;
	     p++) {
		n->count.has_sessions = true;
		for (uint16_t i = 0; i < rows; i++)
			if (is_hap_closed(
				cluster_snapshot(c), row[i].backend) &&
			    strcmp(row[i].server, server) == 0)
				n->count.sessions += row[i].sessions;
	}
}

static void count(const struct cluster *c, struct report_now *n)
{
	struct feed_agent a;
	unsigned here = 0;

	n->seen = true;
	for (unsigned i = 0; c->app->feed != NULL && i < LIM_FEED_CLIENTS;
	     i++) {
		feed_agent_at(c->app->feed, i, &a);
		if (!a.here)
			continue;
		here++;
		n->seen = n->seen &&
		    feed_agent_seen(c->app->feed, i, c->index) >= c->routed_seq;
		if (!a.has_stats)
			continue;
		n->count.held += a.stats.held;
		n->count.refused += a.stats.refused;
		n->count.routed += a.stats.routed_write;
		if ((int64_t)a.stats.hold_recent_ms > n->count.longest_ms)
			n->count.longest_ms = (int64_t)a.stats.hold_recent_ms;
	}
	n->seen = n->seen && here > 0;
	count_sessions(c, n);
}

/* The target, or while there is none the key's holder. */
static int leader_of(const struct cluster *c)
{
	if (c->verdict.write >= 0)
		return c->verdict.write;
	return c->ev.dcs.leader;
}

static void look_at_classic(const struct cluster *c, struct report_now *n)
{
	const struct publish_site *s = &c->site;
	const int leader = leader_of(c);
	unsigned up = 0;

	n->classic.known = !s->unknown && is_mono_set(s->classic_write_at);
	for (int i = 0; i < c->ev.n; i++)
		up += s->classic_write[i];
	n->classic.nobody = up == 0;
	n->classic.right = up == 1 && c->verdict.write >= 0 &&
	    s->classic_write[c->verdict.write];
	n->classic.reads = leader >= 0 && s->classic_read[leader];
}

static struct report_now now_of(const struct cluster *c, struct mono now)
{
	const int8_t w = c->verdict.write;
	const int about = leader_of(c);
	struct report_now n = {.now = now,
	    .target = name_of(c, w),
	    .key = name_of(c, c->ev.dcs.leader),
	    .planned = c->verdict.planned,
	    .ordered = c->ev.hold || c->ev.force >= 0 || c->learning};

	if (about >= 0)
		n.tli = word_tli(&c->ev.m[about]);
	if (w >= 0)
		n.writable = said_at(c, w);
	return n;
}

/* ---- the report ---- */

static int ms_text(char *buf, size_t size, int64_t ms)
{
	if (ms == REPORT_UNKNOWN)
		return snprintf(buf, size, "an unknown time");
	return snprintf(buf, size, "%" PRId64 " ms", ms);
}

static void sentence(const struct report *r, char text[static EVENTS_TEXT])
{
	char routed[32], classic[32];
	int n;

	(void)ms_text(routed, sizeof(routed), r->routed_ms);
	(void)ms_text(classic, sizeof(classic), r->classic_right_ms);
	n = snprintf(text, EVENTS_TEXT,
	    "%s to %s (%s, timeline %u to %u): writes routed after %s, %" PRId64
	    " connections held (longest %" PRId64 " ms), %" PRId64 " refused",
	    r->from, r->to, r->planned ? "planned" : "not planned", r->from_tli,
	    r->to_tli, routed, r->held, r->longest_ms < 0 ? 0 : r->longest_ms,
	    r->refused);
	if (n > 0 && n < EVENTS_TEXT && r->classic_known)
		(void)snprintf(text + n, EVENTS_TEXT - (size_t)n,
		    "; the classic way was right after %s, and wrong for "
		    "%" PRId64 " ms",
		    classic, r->classic_wrong_ms);
}

static void tell(struct cluster *c, const struct report *r)
{
	struct event e = event_of(EVENT_REPORT, r->at_ms);
	char text[EVENTS_TEXT];

	sentence(r, text);
	e.cluster = c->conf->name;
	e.from = r->from;
	e.to = r->to;
	e.text = text;
	(void)events_put(c->app->events, &e);
	log_info("change cluster=%s report=%" PRIu64 " from=%s to=%s "
		 "planned=%d timeline=%u was=%u key_ms=%" PRId64
		 " writable_ms=%" PRId64 " routed_ms=%" PRId64
		 " seen_ms=%" PRId64 " first_ms=%" PRId64 " held=%" PRId64
		 " longest_ms=%" PRId64 " refused=%" PRId64 " sessions=%" PRId64
		 " classic_right_ms=%" PRId64 " classic_wrong_ms=%" PRId64
		 " classic_nobody_ms=%" PRId64,
	    c->conf->name, r->id, r->from, r->to, r->planned, r->to_tli,
	    r->from_tli, r->key_ms, r->writable_ms, r->routed_ms, r->seen_ms,
	    r->first_ms, r->held, r->longest_ms, r->refused, r->sessions,
	    r->classic_right_ms, r->classic_wrong_ms, r->classic_nobody_ms);
}

void reports_note(struct cluster *c, struct mono now)
{
	struct report_now n = now_of(c, now);
	struct mono routed = c->report.routed_at;
	struct report r;
	bool whole;

	assert(c != NULL);
	if (is_report_due(&c->report, &n)) {
		count(c, &n);
		look_at_classic(c, &n);
	}
	whole = report_step(&c->report, &n, &r);
	if (is_mono_before(routed, c->report.routed_at))
		c->routed_seq = c->snap.seq;
	if (!whole)
		return;
	r.id = ++c->app->reports->last;
	r.at_ms = wall_ms();
	(void)slice_copy(
	    slice_str(c->conf->name), r.cluster, sizeof(r.cluster));
	c->app->reports->kept[r.id % KEPT] = r;
	tell(c, &r);
}

/* ---- JSON ---- */

static void put_n(FILE *f, bool *first, const char *key, int64_t n)
{
	jsonout_key(f, first, key);
	if (n == REPORT_UNKNOWN)
		(void)fputs("null", f);
	else
		(void)fprintf(f, "%" PRId64, n);
}

static void put_str(FILE *f, bool *first, const char *key, const char *s)
{
	jsonout_key(f, first, key);
	jsonout_str(f, s);
}

static void put_held(FILE *f, const struct report *r)
{
	bool first = true;

	(void)fputs(",\"held\":{", f);
	put_n(f, &first, "count", r->held);
	put_n(f, &first, "longest_ms", r->longest_ms);
	(void)fputc('}', f);
}

static void put_classic(FILE *f, const struct report *r)
{
	bool first = true;

	(void)fputs(",\"classic\":", f);
	if (!r->classic_known) {
		(void)fputs("null", f);
		return;
	}
	(void)fputc('{', f);
	put_n(f, &first, "right_ms", r->classic_right_ms);
	put_n(f, &first, "wrong_ms", r->classic_wrong_ms);
	put_n(f, &first, "nobody_ms", r->classic_nobody_ms);
	put_n(f, &first, "reads_on_leader_ms", r->classic_reads_ms);
	(void)fputc('}', f);
}

static void put_one(FILE *f, const struct report *r)
{
	char at[JSONOUT_TIME], text[EVENTS_TEXT];
	bool first = true;

	sentence(r, text);
	(void)fputc('{', f);
	put_n(f, &first, "id", (int64_t)r->id);
	put_str(f, &first, "cluster", r->cluster);
	put_str(f, &first, "at", jsonout_time(r->at_ms, at));
	put_str(f, &first, "from", r->from);
	put_str(f, &first, "to", r->to);
	jsonout_key(f, &first, "planned");
	(void)fputs(r->planned ? "true" : "false", f);
	(void)fprintf(f, ",\"timeline\":[%u,%u]", r->from_tli, r->to_tli);
	put_n(f, &first, "key_ms", r->key_ms);
	put_n(f, &first, "writable_ms", r->writable_ms);
	put_n(f, &first, "routed_ms", r->routed_ms);
	put_n(f, &first, "seen_ms", r->seen_ms);
	put_n(f, &first, "first_connection_ms", r->first_ms);
	put_held(f, r);
	put_n(f, &first, "refused", r->refused);
	put_n(f, &first, "sessions_closed", r->sessions);
	put_classic(f, r);
	put_str(f, &first, "text", text);
	(void)fputc('}', f);
}

static const struct report *find(const struct reports *r, uint64_t id)
{
	if (id == 0)
		id = r->last;
	return id == 0 || id > r->last || id + KEPT <= r->last
	    ? NULL
	    : &r->kept[id % KEPT];
}

/* One report, or with NULL all of them. */
static char *text_of(const struct reports *r, const struct report *one)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	const struct report *each;
	bool bad;

	if (f == NULL)
		return NULL;
	if (one != NULL) {
		put_one(f, one);
	} else {
		(void)fputs("{\"reports\":[", f);
		for (uint64_t id = r->last;
		     id > 0 && (each = find(r, id)) != NULL; id--) {
			(void)fputs(id < r->last ? ",\n" : "", f);
			put_one(f, each);
		}
		(void)fputs("]}", f);
	}
	(void)fputc('\n', f);
	bad = ferror(f) != 0;
	if (fclose(f) != 0 || bad) {
		free(text);
		return NULL;
	}
	return text;
}

char *reports_json(const struct reports *r)
{
	assert(r != NULL);
	return text_of(r, NULL);
}

char *reports_json_one(const struct reports *r, uint64_t id)
{
	const struct report *one;

	assert(r != NULL);
	one = find(r, id);
	return one == NULL ? NULL : text_of(r, one);
}
