/*
 * members.c - one kept connection to each member, one short query a tick.
 *
 * A line "member" is written when what a member says of itself changes (with
 * the instant it was asked, it was answered, and the last answer before it:
 * the change lies in between), and a "sample" every 100 ms with its LSN, so
 * that lag and life can be judged afterwards. A connection without an answer
 * for SILENT_NS is given up and made anew; that member is "silent" until it
 * answers.
 */
#include "members.h"

#include "clock.h"

#include <assert.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SILENT_NS NS_PER_S
#define SAMPLE_NS (100 * NS_PER_MS)

/* On a primary the file of the current WAL names the timeline; rights are not
 * needed for any of this, but for the receiver's status on a replica. */
static const char poll_sql[] =
    "SELECT r, current_setting('transaction_read_only'),"
    " CASE WHEN r THEN pg_last_wal_replay_lsn()"
    " ELSE pg_current_wal_lsn() END,"
    " CASE WHEN r THEN NULL"
    " ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,"
    " CASE WHEN r THEN (SELECT status FROM pg_stat_get_wal_receiver()) END"
    " FROM pg_is_in_recovery() r";

enum state {
	ST_UNKNOWN = 0,
	ST_PRIMARY,  /* out of recovery and writable */
	ST_READONLY, /* out of recovery, transactions start read-only */
	ST_REPLICA,
	ST_REFUSED, /* nobody listens, or the server says why not (57P03) */
	ST_SILENT,
};

struct said {
	enum state state;
	bool streaming;
	char tli[12];
	char sqlstate[6];
};

struct member {
	struct pgc c; /* first: a pgc of ours is a member */
	struct members *all;
	char name[METER_NAME];
	struct sockaddr_in addr;
	int64_t every_ns;
	ev_timer tick;
	int64_t asked_ns;    /* of the query under way */
	int64_t answered_ns; /* the last answer that told a role */
	int64_t sampled_ns;
	struct said said, now;
	char lsn[20];
};

struct members {
	struct meter *m;
	unsigned n;
	struct member v[METER_MEMBERS];
};

struct members *members_new(struct meter *m)
{
	struct members *ms = calloc(1, sizeof(*ms));

	assert(m != NULL);
	if (ms != NULL)
		ms->m = m;
	return ms;
}

void members_free(struct members *ms)
{
	free(ms);
}

static const char *state_name(enum state st)
{
	switch (st) {
	case ST_UNKNOWN:
		return "unknown";
	case ST_PRIMARY:
		return "primary";
	case ST_READONLY:
		return "readonly";
	case ST_REPLICA:
		return "replica";
	case ST_REFUSED:
		return "refused";
	case ST_SILENT:
		return "silent";
	}
	abort();
	return "";
}

static bool is_same(const struct said *a, const struct said *b)
{
	return a->state == b->state && a->streaming == b->streaming &&
	    strcmp(a->tli, b->tli) == 0 &&
	    strcmp(a->sqlstate, b->sqlstate) == 0;
}

static void write_line(struct member *b, const char *ev, int64_t at_ns)
{
	struct hist *h = b->all->m->hist;

	hist_begin(h, at_ns, ev);
	hist_str(h, "member", b->name);
	hist_str(h, "state", state_name(b->said.state));
	if (b->said.state == ST_REPLICA)
		hist_bool(h, "streaming", b->said.streaming);
	if (b->said.tli[0] != '\0')
		hist_str(h, "tli", b->said.tli);
	if (b->said.sqlstate[0] != '\0')
		hist_str(h, "sqlstate", b->said.sqlstate);
	if (b->lsn[0] != '\0')
		hist_str(h, "lsn", b->lsn);
}

static void note(struct member *b, int64_t asked_ns, int64_t at_ns)
{
	struct hist *h = b->all->m->hist;

	if (!is_same(&b->said, &b->now)) {
		b->said = b->now;
		write_line(b, "member", at_ns);
		hist_int(h, "asked", asked_ns);
		if (b->answered_ns != 0)
			hist_int(h, "before", b->answered_ns);
		hist_end(h);
	} else if (at_ns - b->sampled_ns >= SAMPLE_NS) {
		b->sampled_ns = at_ns;
		write_line(b, "sample", at_ns);
		hist_end(h);
	}
}

static void note_absence(struct member *b, enum state st)
{
	memset(&b->now, 0, sizeof(b->now));
	b->lsn[0] = '\0';
	b->now.state = st;
	if (st == ST_REFUSED)
		memcpy(
		    b->now.sqlstate, b->c.err.state, sizeof(b->now.sqlstate));
	note(b, b->c.start_ns, clock_now_ns());
}

static void member_ended(struct pgc *c, enum pgc_end why)
{
	struct member *b = (struct member *)c;

	/* A lost connection is a question: the next tick asks anew. */
	if (why == PGC_END_REFUSED || c->err.state[0] != '\0')
		note_absence(b, ST_REFUSED);
}

static void member_row(struct pgc *c, const struct pgw_msg *m)
{
	struct member *b = (struct member *)c;
	char rec[4], ro[8], status[16];

	memset(&b->now, 0, sizeof(b->now));
	if (!pgw_column(m, 0, rec, sizeof(rec)) ||
	    !pgw_column(m, 1, ro, sizeof(ro)))
		return;
	if (rec[0] == 't')
		b->now.state = ST_REPLICA;
	else
		b->now.state =
		    ro[0] == 'o' && ro[1] == 'n' ? ST_READONLY : ST_PRIMARY;
	(void)pgw_column(m, 2, b->lsn, sizeof(b->lsn));
	(void)pgw_column(m, 3, b->now.tli, sizeof(b->now.tli));
	b->now.streaming = pgw_column(m, 4, status, sizeof(status)) &&
	    strcmp(status, "streaming") == 0;
}

static void member_done(struct pgc *c)
{
	struct member *b = (struct member *)c;
	int64_t now_ns = clock_now_ns();

	/* A failed poll says nothing, but that the server lives. */
	if (c->err.state[0] != '\0' || b->now.state == ST_UNKNOWN)
		return;
	note(b, b->asked_ns, now_ns);
	b->answered_ns = now_ns;
}

static void ask(struct member *b)
{
	memset(&b->now, 0, sizeof(b->now));
	b->asked_ns = clock_now_ns();
	if (!pgc_query(&b->c, poll_sql))
		pgc_drop(&b->c);
}

static void member_ready(struct pgc *c)
{
	ask((struct member *)c);
}

static const struct pgc_ops member_ops = {
    member_ready, member_row, member_done, member_ended};

static void connect_now(struct member *b)
{
	struct members *ms = b->all;
	enum pgc_end rc =
	    pgc_open(&b->c, ms->m->loop, &member_ops, &ms->m->login, &b->addr);

	if (rc != PGC_END_NONE)
		member_ended(&b->c, rc);
}

static int64_t waiting_since(const struct member *b)
{
	return b->c.state == PGC_QUERY ? b->asked_ns : b->c.start_ns;
}

static void tick_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct member *b = w->data;

	(void)loop;
	(void)revents;
	if (b->c.state == PGC_OFF) {
		connect_now(b);
	} else if (b->c.state == PGC_READY) {
		ask(b);
	} else if (clock_now_ns() - waiting_since(b) > SILENT_NS) {
		pgc_drop(&b->c);
		note_absence(b, ST_SILENT);
	}
}

bool members_add(struct members *ms, const char *name,
    const struct sockaddr_in *addr, int64_t every_ns)
{
	struct member *b;

	assert(ms != NULL && is_word(name) && addr != NULL && every_ns > 0);
	if (ms->n == METER_MEMBERS)
		return false;
	b = &ms->v[ms->n++];
	b->all = ms;
	b->addr = *addr;
	b->every_ns = every_ns;
	(void)snprintf(b->name, sizeof(b->name), "%s", name);
	ev_timer_init(
	    &b->tick, tick_cb, 0.0, (double)every_ns / (double)NS_PER_S);
	b->tick.data = b;
	return true;
}

void members_list(const struct members *ms)
{
	struct hist *h = ms->m->hist;

	hist_list(h, "members");
	for (unsigned i = 0; i < ms->n; i++) {
		char text[INET_ADDRSTRLEN] = "";

		(void)inet_ntop(
		    AF_INET, &ms->v[i].addr.sin_addr, text, sizeof(text));
		hist_item(h);
		hist_str(h, "name", ms->v[i].name);
		hist_str(h, "addr", text);
		hist_int(h, "port", ntohs(ms->v[i].addr.sin_port));
		hist_int(h, "every", ms->v[i].every_ns);
		hist_item_end(h);
	}
	hist_list_end(h);
}

void members_start(struct members *ms)
{
	for (unsigned i = 0; i < ms->n; i++)
		ev_timer_again(ms->m->loop, &ms->v[i].tick);
}

void members_stop(struct members *ms)
{
	for (unsigned i = 0; i < ms->n; i++) {
		ev_timer_stop(ms->m->loop, &ms->v[i].tick);
		if (ms->v[i].c.state != PGC_OFF)
			pgc_close(&ms->v[i].c);
	}
}
