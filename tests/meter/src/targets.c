/*
 * targets.c - attempts: started when they are due, recorded when they end.
 *
 * Each attempt keeps the instant it was due beside the one it started, so
 * that a meter that was late says so. What cannot be started at all (too many
 * under way, no descriptor) leaves a line too: nothing is dropped silently.
 * Attempts under way stand in a queue in the order of their starts; as all of
 * a target share one deadline, only the oldest need to be looked at.
 */
#include "targets.h"

#include "clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* Later than this is late: the loop's own granularity is 1 ms. */
#define LATE_NS (5 * NS_PER_MS)

struct attempt {
	struct pgc c; /* first: a pgc of ours is an attempt */
	struct target *t;
	int64_t seq, due_ns;
	struct who who;
	TAILQ_ENTRY(attempt) link;
};

TAILQ_HEAD(attempts, attempt);

struct target {
	struct target_conf conf;
	struct targets *all;
	ev_timer tick;
	int64_t due_ns, seq;
	unsigned inflight_n;
	int64_t late_n, unstarted_n;
	struct attempts under_way;
};

struct targets {
	struct meter *m;
	unsigned n;
	struct target t[METER_TARGETS];
	struct attempts idle; /* kept for the next: no malloc a connection */
};

struct targets *targets_new(struct meter *m)
{
	struct targets *ts = calloc(1, sizeof(*ts));

	assert(m != NULL);
	if (ts == NULL)
		return NULL;
	ts->m = m;
	TAILQ_INIT(&ts->idle);
	return ts;
}

void targets_free(struct targets *ts)
{
	struct attempt *a;

	if (ts == NULL)
		return;
	for (unsigned i = 0; i < ts->n; i++)
		assert(TAILQ_EMPTY(&ts->t[i].under_way));
	while ((a = TAILQ_FIRST(&ts->idle)) != NULL) {
		TAILQ_REMOVE(&ts->idle, a, link);
		free(a);
	}
	free(ts);
}

const struct target_conf *targets_find(
    const struct targets *ts, const char *label)
{
	for (unsigned i = 0; i < ts->n; i++)
		if (strcmp(ts->t[i].conf.label, label) == 0)
			return &ts->t[i].conf;
	return NULL;
}

const struct target_conf *targets_at(const struct targets *ts, unsigned n)
{
	return n < ts->n ? &ts->t[n].conf : NULL;
}

/* The part of an attempt's line that every outcome has. */
static void begin_line(
    struct target *t, int64_t seq, int64_t due_ns, const char *rc)
{
	struct hist *h = t->all->m->hist;

	hist_begin(h, clock_now_ns(), "try");
	hist_str(h, "label", t->conf.label);
	hist_int(h, "n", seq);
	hist_int(h, "due", due_ns);
	hist_str(h, "rc", rc);
}

static void put_instant(struct hist *h, const char *key, int64_t at_ns)
{
	if (at_ns != 0)
		hist_int(h, key, at_ns);
}

/* Writes the attempt's line and gives its memory back. Its socket is gone. */
static void finish(struct attempt *a, const char *rc)
{
	struct target *t = a->t;
	struct hist *h = t->all->m->hist;

	assert(a->c.state == PGC_OFF);
	begin_line(t, a->seq, a->due_ns, rc);
	hist_int(h, "start", a->c.start_ns);
	put_instant(h, "conn", a->c.connected_ns);
	put_instant(h, "hello", a->c.hello_ns);
	put_instant(h, "ready", a->c.ready_ns);
	put_instant(h, "row", a->who.at_ns);
	hist_int(h, "port", a->c.port);
	if (a->who.addr[0] != '\0') {
		hist_str(h, "who", a->who.addr);
		hist_bool(h, "rec", a->who.in_recovery);
	}
	put_instant(h, "txid", a->who.txid);
	if (a->c.err.state[0] != '\0') {
		hist_str(h, "state", a->c.err.state);
		hist_str(h, "msg", a->c.err.text);
	}
	hist_end(h);
	TAILQ_REMOVE(&t->under_way, a, link);
	t->inflight_n--;
	TAILQ_INSERT_HEAD(&t->all->idle, a, link);
}

static void ready(struct pgc *c)
{
	struct attempt *a = (struct attempt *)c;
	char sql[METER_SQL];

	who_query(a->t->all->m, a->t->conf.kind, a->t->conf.label, a->seq, sql);
	if (!pgc_query(c, sql)) {
		pgc_drop(c);
		finish(a, "reset");
	}
}

static void row(struct pgc *c, const struct pgw_msg *m)
{
	who_row(&((struct attempt *)c)->who, m);
}

static void done(struct pgc *c)
{
	bool failed = c->err.state[0] != '\0';

	pgc_close(c);
	finish((struct attempt *)c, failed ? "sql" : "ok");
}

static void ended(struct pgc *c, enum pgc_end why)
{
	/* An error before the end is the server's own word: a refusal. */
	bool told = why == PGC_END_FIN && c->err.state[0] != '\0';

	finish((struct attempt *)c, told ? "fatal" : pgc_end_name(why));
}

static const struct pgc_ops attempt_ops = {ready, row, done, ended};

static struct attempt *take_attempt(struct target *t)
{
	struct attempt *a = TAILQ_FIRST(&t->all->idle);

	if (a != NULL)
		TAILQ_REMOVE(&t->all->idle, a, link);
	else
		a = calloc(1, sizeof(*a));
	if (a == NULL)
		return NULL;
	memset(&a->who, 0, sizeof(a->who));
	a->t = t;
	TAILQ_INSERT_TAIL(&t->under_way, a, link);
	t->inflight_n++;
	return a;
}

static void start_attempt(struct target *t, int64_t due_ns)
{
	struct attempt *a = NULL;
	enum pgc_end rc;

	t->seq++;
	if (clock_now_ns() - due_ns > LATE_NS)
		t->late_n++;
	if (t->inflight_n < t->conf.inflight_max)
		a = take_attempt(t);
	if (a == NULL) {
		t->unstarted_n++;
		begin_line(t, t->seq, due_ns, "unstarted");
		hist_end(t->all->m->hist);
		return;
	}
	a->seq = t->seq;
	a->due_ns = due_ns;
	rc = pgc_open(&a->c, t->all->m->loop, &attempt_ops, &t->conf.login,
	    &t->conf.addr);
	if (rc != PGC_END_NONE)
		finish(a, pgc_end_name(rc));
}

static void drop_overdue(struct target *t, int64_t now_ns)
{
	struct attempt *a;

	while ((a = TAILQ_FIRST(&t->under_way)) != NULL &&
	    now_ns - a->c.start_ns > t->conf.deadline_ns) {
		pgc_drop(&a->c);
		finish(a, "timeout");
	}
}

static void arm(struct target *t, int64_t now_ns)
{
	int64_t wait_ns = t->due_ns > now_ns ? t->due_ns - now_ns : 0;

	ev_timer_set(&t->tick, (double)wait_ns / (double)NS_PER_S, 0.0);
	ev_timer_start(t->all->m->loop, &t->tick);
}

static void tick_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct target *t = w->data;
	int64_t now_ns = clock_now_ns();

	(void)loop;
	(void)revents;
	drop_overdue(t, now_ns);
	while (t->due_ns <= now_ns) {
		start_attempt(t, t->due_ns);
		t->due_ns += t->conf.every_ns;
	}
	arm(t, clock_now_ns());
}

bool targets_add(struct targets *ts, const struct target_conf *conf)
{
	struct target *t;

	assert(ts != NULL && conf != NULL && conf->every_ns > 0);
	if (ts->n == METER_TARGETS || targets_find(ts, conf->label) != NULL)
		return false;
	t = &ts->t[ts->n++];
	t->conf = *conf;
	t->all = ts;
	TAILQ_INIT(&t->under_way);
	ev_timer_init(&t->tick, tick_cb, 0.0, 0.0);
	t->tick.data = t;
	return true;
}

void targets_start(struct targets *ts, int64_t now_ns)
{
	/* Spread over one interval, so that targets do not start in bursts. */
	for (unsigned i = 0; i < ts->n; i++) {
		struct target *t = &ts->t[i];

		t->due_ns = now_ns + t->conf.every_ns * i / ts->n;
		arm(t, now_ns);
	}
}

void targets_pause(struct targets *ts)
{
	for (unsigned i = 0; i < ts->n; i++)
		ev_timer_stop(ts->m->loop, &ts->t[i].tick);
}

unsigned targets_inflight(const struct targets *ts)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ts->n; i++)
		n += ts->t[i].inflight_n;
	return n;
}

void targets_stop(struct targets *ts)
{
	targets_pause(ts);
	for (unsigned i = 0; i < ts->n; i++) {
		struct attempt *a;

		while ((a = TAILQ_FIRST(&ts->t[i].under_way)) != NULL) {
			pgc_drop(&a->c);
			finish(a, "unfinished");
		}
	}
}

void targets_totals(const struct targets *ts)
{
	struct hist *h = ts->m->hist;

	hist_list(h, "targets");
	for (unsigned i = 0; i < ts->n; i++) {
		hist_item(h);
		hist_str(h, "label", ts->t[i].conf.label);
		hist_int(h, "attempts", ts->t[i].seq);
		hist_int(h, "late", ts->t[i].late_n);
		hist_int(h, "unstarted", ts->t[i].unstarted_n);
		hist_item_end(h);
	}
	hist_list_end(h);
}
