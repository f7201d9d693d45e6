/*
 * happass.c - show stat of every cluster's backends -> what an operator
 * allows (publish_site) -> commands that mend what differs (hapsync).
 *
 * The answers are read line by line, a command line of questions at a time, so
 * that hundreds of clusters need no more memory than one. HAProxy that is away
 * is asked again each second, and said once.
 */
#include "happass.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "cluster.h"
#include "haptext.h"

#define PASS_S 1.0
#define DEADLINE_MS 1000
#define SAY_AGAIN_MS 600000
/* 16 clusters are 112 questions, which fit one command line. */
#define CLUSTERS_A_LINE 16

/* Can an agent on this host name the server, and does no operator object? */
static void site_member(
    const struct hap_view *v, int i, int member, struct publish_site *site)
{
	enum hap_srv_state w = v->srv[HAP_WRITE][i];
	enum hap_srv_state r = v->srv[HAP_READ][i];
	bool everywhere = true;

	for (int b = 0; b < HAP_BACKEND_N; b++)
		if (v->has[b] && v->srv[b][i] == HAP_SRV_NONE)
			everywhere = false;
	site->routable[member] = everywhere && v->has[HAP_WRITE] &&
	    v->has[HAP_READ] && w != HAP_SRV_MAINT;
	site->drained[member] =
	    r == HAP_SRV_MAINT || r == HAP_SRV_DRAIN || w == HAP_SRV_DRAIN;
	site->classic_write[member] =
	    v->srv[HAP_CLASSIC_WRITE][i] == HAP_SRV_UP;
	site->classic_read[member] = v->srv[HAP_CLASSIC_READ][i] == HAP_SRV_UP;
}

/* The snapshot with all its servers' names, those not routed too. */
static void name_all(struct snapshot *s, const struct cluster *c)
{
	*s = *cluster_snapshot(c);
	for (unsigned i = 0; i < s->n; i++)
		(void)slice_copy(
		    slice_str(conf_server_of(c->conf, s->m[i].name)),
		    s->m[i].server, sizeof(s->m[i].server));
}

static void queue_repairs(
    struct happass *p, struct cluster *c, const struct hap_view *view)
{
	/* Who knows nothing, as at its start, has nothing to repair. */
	if (!is_cluster_usable(c, mono_now()))
		return;
	if (!hap_repair(cluster_snapshot(c), view, &p->cmds))
		p->again = true;
	for (unsigned i = 0; i < p->cmds.n; i++) {
		if (p->repairs.n == LIM_HAP_CMDS)
			return; /* the next pass sees the rest again */
		p->repairs.joined[p->repairs.n] = p->cmds.joined[i];
		memcpy(p->repairs.line[p->repairs.n++], p->cmds.line[i],
		    sizeof(p->cmds.line[i]));
	}
}

/* For /topology; what there is no memory for is not shown. */
static void keep_rows(struct happass_cluster *k, const struct hap_view *v)
{
	if (k->n != v->n) {
		free(k->row);
		k->row = v->n > 0 ? calloc(v->n, sizeof(*k->row)) : NULL;
		k->n = k->row == NULL ? 0 : v->n;
	}
	if (k->n > 0)
		memcpy(k->row, v->row, k->n * sizeof(*k->row));
}

/* All answers of a cluster are there. */
static void end_cluster(struct happass *p, uint16_t index)
{
	struct cluster *c = p->app->cluster[index];
	struct happass_cluster *k = &p->cluster[index];

	/* Judged now, or the pass might end with another snapshot. */
	cluster_refresh(c, mono_now());
	name_all(&p->named, c);
	if (p->csv_cut) {
		log_warnx("drop haproxy cluster=%s why=limit", c->conf->name);
		return;
	}
	/* Without a line of names HAProxy knows none of the backends. */
	(void)hap_parse_stat(slice_of(p->csv, p->csv_len), &p->named, &p->view);
	keep_rows(k, &p->view);
	/* Of nobody HAProxy says nothing: a pass before the first member is
	   known must not make each of them a stranger when it appears. */
	if (p->named.n == 0)
		return;
	memset(&k->site, 0, sizeof(k->site));
	k->heard = true;
	for (int i = 0; i < p->named.n; i++) {
		int member = ev_find(&c->ev, p->named.m[i].name);

		if (member != -1)
			site_member(&p->view, i, member, &k->site);
	}
	p->sink.site(p->sink.arg, index);
	queue_repairs(p, c, &p->view);
	hapjoin_find(&k->join, c, &p->named, &p->view, &p->repairs);
}

static void keep_line(struct happass *p, struct slice line)
{
	/* Each answer brings the names of its columns; once is enough. */
	if (line.p[0] == '#' && p->csv_len > 0)
		return;
	/* "No such proxy.": this HAProxy does not have the backend. */
	if (line.p[0] != '#' && memchr(line.p, ',', line.len) == NULL)
		return;
	if (line.len + 1 > sizeof(p->csv) - p->csv_len) {
		p->csv_cut = true;
		return;
	}
	memcpy(p->csv + p->csv_len, line.p, line.len);
	p->csv_len += line.len;
	p->csv[p->csv_len++] = '\n';
}

static void on_stat_line(struct happass *p, struct slice line)
{
	unsigned at = p->answers / HAP_PLACES_N;

	if (at >= p->n)
		return;
	if (line.len > 0) {
		keep_line(p, line);
		return;
	}
	p->answers++;
	if (p->answers % HAP_PLACES_N != 0)
		return;
	end_cluster(p, (uint16_t)(p->first + at));
	p->csv_len = 0;
	p->csv_cut = false;
}

/* The same refusal again, for what is tried again. */
static bool is_said(struct happass *p, struct slice line)
{
	struct mono now = mono_now();
	size_t n = line.len < sizeof(p->said) ? line.len : sizeof(p->said) - 1;
	bool same = strlen(p->said) == n && memcmp(p->said, line.p, n) == 0 &&
	    mono_sub(now, p->said_at).us < dur_ms(SAY_AGAIN_MS).us;

	if (!same && slice_copy(slice_of(line.p, n), p->said, sizeof(p->said)))
		p->said_at = now;
	return same;
}

void happass_log_answer(struct happass *p, struct slice line)
{
	char text[LOG_TEXT];
	uint32_t suppressed = 0;

	assert(p->magic == HAPPASS_MAGIC);
	if (line.len == 0 || is_haptext_done(line) || is_said(p, line))
		return;
	if (log_rate_ok(&p->rate, 3, dur_ms(10000), mono_now(), &suppressed))
		log_warnx("reject haproxy answer=%s suppressed=%u",
		    log_text(line, text), suppressed);
}

static void line_cb(void *arg, struct slice line)
{
	struct happass *p = arg;

	assert(p->magic == HAPPASS_MAGIC);
	if (p->step == HAPPASS_STAT)
		on_stat_line(p, line);
	else
		happass_log_answer(p, line);
}

static void set_reachable(struct happass *p, const char *why)
{
	bool away = why != NULL;

	if (!away)
		p->heard_at = mono_now();
	if (away && !p->said_away)
		log_warnx("drop haproxy socket=%s why=%s", p->cli.path, why);
	else if (!away && !p->reachable)
		log_info("ready haproxy socket=%s", p->cli.path);
	p->said_away = away;
	p->reachable = !away;
}

static void arm(struct happass *p, double after_s)
{
	ev_timer_stop(p->app->loop, &p->tick);
	ev_timer_set(&p->tick, after_s, 0.);
	ev_timer_start(p->app->loop, &p->tick);
}

static void end_pass(struct happass *p, const char *why)
{
	set_reachable(p, why);
	p->step = HAPPASS_IDLE;
	arm(p, p->again ? 0. : PASS_S);
	p->again = false;
}

static void set_gone(struct happass *p, bool gone)
{
	if (p->gone == gone)
		return;
	p->gone = gone;
	p->sink.all(p->sink.arg);
}

static void run(struct happass *p, enum happass_step step)
{
	p->step = step;
	const char *why = hapcli_run(&p->cli, dur_ms(DEADLINE_MS));
	set_gone(p, why != NULL);
	if (why != NULL)
		end_pass(p, why);
}

/* Adds the questions of one cluster. */
static void add_stat(struct happass *p, const struct cluster *c)
{
	for (int b = 0; b < HAP_PLACES_N; b++) {
		char line[LIM_NAME + 64];

		/* 6: backends (2) and servers (4) */
		(void)snprintf(line, sizeof(line), "show stat %s_%s 6 -1",
		    c->conf->name, hap_backend_suffix((enum hap_backend)b));
		bool fits = hapcli_add(&p->cli, line);
		assert(fits); /* CLUSTERS_A_LINE */
	}
}

static void run_stat(struct happass *p)
{
	const struct app *app = p->app;

	hapcli_begin(&p->cli);
	p->n = 0;
	p->answers = 0;
	while (p->n < CLUSTERS_A_LINE && p->first + p->n < app->cluster_n)
		add_stat(p, app->cluster[p->first + p->n++]);
	p->csv_len = 0;
	p->csv_cut = false;
	run(p, HAPPASS_STAT);
}

static void run_repair(struct happass *p)
{
	/* One byte is the newline's. */
	unsigned fit = hap_fit(&p->repairs, HAPCLI_LINE - 1);

	if (fit < p->repairs.n)
		p->again = true; /* the next pass sees the rest again */
	for (uint16_t i = 0; i < p->app->cluster_n; i++)
		if (hapjoin_sent(&p->cluster[i].join, fit, mono_now()))
			p->again = true;
	hapcli_begin(&p->cli);
	for (unsigned i = 0; i < fit; i++) {
		bool fits = hapcli_add(&p->cli, p->repairs.line[i]);
		assert(fits); /* hap_fit */
	}
	if (!is_hapcli_filled(&p->cli)) {
		end_pass(p, NULL);
		return;
	}
	log_debug(
	    "change haproxy repairs=%u first=\"%s\"", fit, p->repairs.line[0]);
	p->repaired += fit;
	run(p, HAPPASS_REPAIR);
}

static void done_cb(void *arg, const char *why)
{
	struct happass *p = arg;

	assert(p->magic == HAPPASS_MAGIC && p->step != HAPPASS_IDLE);
	if (why != NULL || p->step == HAPPASS_REPAIR) {
		end_pass(p, why);
		return;
	}
	p->first = (uint16_t)(p->first + p->n);
	if (p->first < p->app->cluster_n)
		run_stat(p);
	else
		run_repair(p);
}

static void tick_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct happass *p = w->data;

	(void)revents;
	assert(p->magic == HAPPASS_MAGIC && p->step == HAPPASS_IDLE);
	p->sink.begins(p->sink.arg);
	/* It may judge anew, and ask for a pass: this one is. */
	ev_timer_stop(loop, &p->tick);
	p->repairs.n = 0;
	p->first = 0;
	if (p->app->cluster_n > 0)
		run_stat(p);
}

void happass_now(struct happass *p)
{
	assert(p != NULL && p->magic == HAPPASS_MAGIC);
	if (p->step == HAPPASS_IDLE)
		arm(p, 0.);
	else
		p->again = true;
}

void happass_anew(struct happass *p)
{
	for (uint16_t i = 0; i < p->app->cluster_n; i++)
		hapjoin_anew(&p->cluster[i].join);
	happass_now(p);
}

void happass_init(struct happass *p, struct app *app, const char *path,
    const struct happass_sink *sink)
{
	struct hapcli_sink lines = {line_cb, done_cb, p};

	assert(p != NULL && app != NULL && sink->begins != NULL);
	assert(sink->site != NULL && sink->all != NULL);
	p->magic = HAPPASS_MAGIC;
	p->app = app;
	p->sink = *sink;
	hapcli_init(&p->cli, app->loop, path, &lines);
	ev_timer_init(&p->tick, tick_cb, 0., 0.);
	p->tick.data = p;
	ev_timer_start(app->loop, &p->tick);
}

void happass_stop(struct happass *p)
{
	assert(p != NULL && p->magic == HAPPASS_MAGIC);
	hapcli_stop(&p->cli);
	ev_timer_stop(p->app->loop, &p->tick);
	for (unsigned i = 0; i < LIM_CLUSTERS; i++)
		free(p->cluster[i].row);
	p->magic = 0;
}
