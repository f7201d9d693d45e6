/*
 * sessions.c - sessions that are opened once and watched until they end.
 *
 * Lines: "open" when a session is logged in and knows its server (or could
 * not be opened), "stmt" for each answered statement of a busy one, "close"
 * when the other side ended it. A statement without an answer may or may not
 * have been executed: the close line says when it was sent ("unanswered").
 */
#include "sessions.h"

#include "clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for the statements of one session in the table's numbers. */
#define SEQ_STEP INT64_C(1000000000)

struct session {
	struct pgc c; /* first: a pgc of ours is a session */
	struct sessions *all;
	const struct target_conf *t;
	char tag[METER_NAME];
	unsigned n;
	bool opened; /* it knows its server */
	int64_t every_ns, seq, sent_ns;
	struct who who; /* at the opening */
	struct who now; /* of the statement under way */
	ev_timer next;
};

struct sessions {
	struct meter *m;
	unsigned n;
	struct session *s[METER_SESSIONS];
};

struct sessions *sessions_new(struct meter *m)
{
	struct sessions *ss = calloc(1, sizeof(*ss));

	assert(m != NULL);
	if (ss != NULL)
		ss->m = m;
	return ss;
}

void sessions_free(struct sessions *ss)
{
	if (ss == NULL)
		return;
	for (unsigned i = 0; i < ss->n; i++) {
		assert(ss->s[i]->c.state == PGC_OFF);
		free(ss->s[i]);
	}
	free(ss);
}

static struct hist *begin_line(struct session *s, const char *ev)
{
	struct hist *h = s->all->m->hist;

	hist_begin(h, clock_now_ns(), ev);
	hist_str(h, "label", s->t->label);
	hist_str(h, "tag", s->tag);
	hist_int(h, "n", s->n);
	return h;
}

static void put_error(struct hist *h, const struct pgw_error *e)
{
	if (e->state[0] == '\0')
		return;
	hist_str(h, "state", e->state);
	hist_str(h, "msg", e->text);
}

static void write_open(struct session *s, const char *rc)
{
	struct hist *h = begin_line(s, "open");

	hist_str(h, "rc", rc);
	hist_int(h, "start", s->c.start_ns);
	hist_int(h, "port", s->c.port);
	hist_int(h, "every", s->every_ns);
	if (s->who.addr[0] != '\0') {
		hist_str(h, "who", s->who.addr);
		hist_bool(h, "rec", s->who.in_recovery);
		hist_int(h, "pid", s->c.backend_pid);
	}
	put_error(h, &s->c.err);
	hist_end(h);
}

static void write_close(struct session *s, const char *how)
{
	struct hist *h = begin_line(s, "close");

	hist_str(h, "how", how);
	hist_str(h, "who", s->who.addr);
	if (s->sent_ns != 0)
		hist_int(h, "unanswered", s->sent_ns);
	put_error(h, &s->c.err);
	hist_end(h);
}

static void write_stmt(struct session *s)
{
	struct hist *h = begin_line(s, "stmt");
	bool failed = s->c.err.state[0] != '\0';

	hist_int(h, "sent", s->sent_ns);
	hist_str(h, "rc", failed ? "sql" : "ok");
	hist_str(h, "who", s->who.addr);
	hist_bool(h, "rec", s->now.in_recovery);
	if (s->now.txid != 0)
		hist_int(h, "txid", s->now.txid);
	put_error(h, &s->c.err);
	hist_end(h);
}

static void session_ended(struct pgc *c, enum pgc_end why)
{
	struct session *s = (struct session *)c;

	ev_timer_stop(s->all->m->loop, &s->next);
	if (s->opened)
		write_close(s, pgc_end_name(why));
	else
		write_open(s, pgc_end_name(why));
}

static void ask(struct session *s)
{
	char sql[METER_SQL];

	s->seq++;
	who_query(s->all->m, s->opened ? s->t->kind : KIND_ANY, s->t->label,
	    s->seq, sql);
	memset(&s->now, 0, sizeof(s->now));
	s->sent_ns = clock_now_ns();
	if (!pgc_query(&s->c, sql)) {
		pgc_drop(&s->c);
		session_ended(&s->c, PGC_END_RESET);
	}
}

static void session_ready(struct pgc *c)
{
	ask((struct session *)c);
}

static void session_row(struct pgc *c, const struct pgw_msg *m)
{
	who_row(&((struct session *)c)->now, m);
}

/* Waits for the next statement's time; the answer may have been slow. */
static void arm(struct session *s)
{
	int64_t wait_ns = s->sent_ns + s->every_ns - clock_now_ns();

	if (s->every_ns == 0)
		return;
	ev_timer_set(&s->next,
	    wait_ns > 0 ? (double)wait_ns / (double)NS_PER_S : 0.0, 0.0);
	ev_timer_start(s->all->m->loop, &s->next);
}

static void session_done(struct pgc *c)
{
	struct session *s = (struct session *)c;

	if (!s->opened) {
		s->opened = true;
		s->who = s->now;
		write_open(s, "ok");
	} else {
		write_stmt(s);
	}
	arm(s);
	s->sent_ns = 0;
}

static void next_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;

	(void)loop;
	(void)revents;
	if (s->c.state == PGC_READY)
		ask(s);
}

static const struct pgc_ops session_ops = {
    session_ready, session_row, session_done, session_ended};

static bool open_one(struct sessions *ss, const struct target_conf *t,
    unsigned n, const char *tag, int64_t every_ns)
{
	struct session *s = calloc(1, sizeof(*s));
	enum pgc_end rc;

	if (s == NULL)
		return false;
	s->all = ss;
	s->t = t;
	s->n = n;
	s->every_ns = every_ns;
	s->seq = SEQ_STEP * (ss->n + 1);
	(void)snprintf(s->tag, sizeof(s->tag), "%s", tag);
	ev_timer_init(&s->next, next_cb, 0.0, 0.0);
	s->next.data = s;
	ss->s[ss->n++] = s;
	rc = pgc_open(&s->c, ss->m->loop, &session_ops, &t->login, &t->addr);
	if (rc != PGC_END_NONE)
		write_open(s, pgc_end_name(rc));
	return true;
}

bool sessions_hold(struct sessions *ss, const struct target_conf *t, unsigned n,
    const char *tag, int64_t every_ns)
{
	assert(ss != NULL && t != NULL && is_word(tag) && every_ns >= 0);
	if (n > METER_SESSIONS - ss->n)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!open_one(ss, t, i, tag, every_ns))
			return false;
	return true;
}

void sessions_stop(struct sessions *ss)
{
	for (unsigned i = 0; i < ss->n; i++) {
		struct session *s = ss->s[i];

		if (s->c.state == PGC_OFF)
			continue;
		ev_timer_stop(ss->m->loop, &s->next);
		if (s->opened)
			write_close(s, "kept");
		else
			write_open(s, "unfinished");
		pgc_close(&s->c);
	}
}
