/*
 * test_verdict_product.c - the write verdict over the product of its inputs.
 *
 * Every combination of what the DCS, a's SQL and REST, a former holder b, and
 * an operator may say, at the bounds of each age; judged by verdict_write() and
 * by an oracle that reads the inputs themselves, not the evidence made of them.
 * It is written as the design numbers its steps and shares nothing with it.
 */
#include "world.h"

#define NOW 100000
#define MOVED 99000 /* the key came to a */
#define STALE 97000 /* max_age_dcs ago, to the millisecond */

enum dcs {
	DCS_ABSENT, /* none configured */
	DCS_UNREAD,
	DCS_STALE,
	DCS_FRESH,
	DCS_N
};
enum key {
	KEY_NONE,
	KEY_A,
	KEY_STRANGER,
	KEY_N
};
enum sql {
	SQL_NONE, /* never answered */
	SQL_PRIMARY,
	SQL_PRIMARY_BEFORE, /* asked before the key moved */
	SQL_RECOVERY,
	SQL_REFUSED, /* these five after it had said primary */
	SQL_STARTING,
	SQL_STOPPING_ONCE,
	SQL_STOPPING,
	SQL_LOST,
	SQL_SILENT, /* heard `silence` ago, to the millisecond */
	SQL_FULL,   /* lives, and said nothing else */
	SQL_N
};
enum rest {
	REST_NONE,
	REST_MUTE, /* Patroni lives, and knows nothing of PostgreSQL */
	REST_PRIMARY,
	REST_PRIMARY_200,
	REST_REPLICA,
	REST_REPLICA_200, /* as while it is being promoted */
	REST_STOPPED,
	REST_N
};
enum former {
	FORMER_NEVER,   /* b is ahead and lives, but never held the key */
	FORMER_AHEAD,   /* held it before a, is ahead and lives */
	FORMER_DEAD,    /* likewise, heard max_age ago */
	FORMER_LEVEL,   /* lives on a's timeline */
	FORMER_FOREIGN, /* of another system identifier */
	FORMER_UNKNOWN, /* of one that nobody knows */
	FORMER_LONG,    /* held the key `fence` ago */
	FORMER_N
};

struct in {
	enum dcs dcs;
	enum key key;
	enum sql sql;
	enum rest rest;
	enum former former;
	bool sql_configured, b_claims;
	bool hold, pause, standby;
	int8_t force;
};

struct out {
	int write;
	unsigned step;
};

/* ---- the oracle ------------------------------------------------------- */

enum says {
	SAYS_NOTHING,
	SAYS_PRIMARY,
	SAYS_NO /* in recovery, down, silent, or contradicted */
};

static enum says rest_says(enum rest r)
{
	if (r == REST_PRIMARY || r == REST_PRIMARY_200)
		return SAYS_PRIMARY;
	return r == REST_NONE || r == REST_MUTE ? SAYS_NOTHING : SAYS_NO;
}

static bool is_rest_replica(enum rest r)
{
	return r == REST_REPLICA || r == REST_REPLICA_200;
}

/* What a is, by all that was asked since the key moved, or ever. */
static enum says a_says(const struct in *in, bool since_the_move)
{
	enum says rest = rest_says(in->rest);

	if (!in->sql_configured)
		return rest;
	switch (in->sql) {
	case SQL_REFUSED:
	case SQL_STARTING:
	case SQL_STOPPING:
	case SQL_RECOVERY:
		return SAYS_NO;
	case SQL_FULL:
		return rest;
	case SQL_NONE:
		return rest == SAYS_NO && !is_rest_replica(in->rest)
		    ? SAYS_NO
		    : SAYS_NOTHING;
	case SQL_SILENT:
		/* Patroni alone makes nobody a primary. */
		if (rest != SAYS_PRIMARY || since_the_move)
			return SAYS_NO;
		return SAYS_PRIMARY;
	case SQL_PRIMARY_BEFORE:
		return since_the_move ? SAYS_NOTHING : SAYS_PRIMARY;
	case SQL_PRIMARY:
	case SQL_STOPPING_ONCE:
	case SQL_LOST:
		/* Patroni was asked later, and contradicts. */
		return is_rest_replica(in->rest) ? SAYS_NO : SAYS_PRIMARY;
	case SQL_N:
		break;
	}
	abort();
}

static bool is_b_live(const struct in *in)
{
	return in->former != FORMER_DEAD;
}

static struct out nobody(unsigned step)
{
	return (struct out){-1, step};
}

static struct out by_claims(const struct in *in)
{
	bool a = in->rest == REST_PRIMARY_200 || in->rest == REST_REPLICA_200;
	bool b = in->b_claims && is_b_live(in);
	bool is_heard = in->sql != SQL_NONE && in->sql != SQL_SILENT;

	if (a == b)
		return nobody(6); /* nobody claims, or two do */
	if (b)
		return (struct out){B, 4};
	if (a_says(in, false) != SAYS_PRIMARY ||
	    (in->sql_configured && !is_heard))
		return nobody(6);
	return (struct out){A, 4};
}

static struct out oracle(const struct in *in)
{
	bool fresh = in->dcs == DCS_FRESH;
	/* Patroni tells whose data a member has; who is not known to be
	   another cluster's counts as this one's. */
	bool foreign = in->former == FORMER_FOREIGN && in->rest != REST_NONE;
	bool fenced = in->former == FORMER_AHEAD ||
	    in->former == FORMER_UNKNOWN ||
	    (in->former == FORMER_FOREIGN && !foreign);

	/* 1: hold over force, a force never into recovery. */
	if (in->hold)
		return nobody(1);
	if (in->force == A)
		return a_says(in, false) == SAYS_PRIMARY ? (struct out){A, 1}
							 : nobody(1);
	if (in->force == B)
		return is_b_live(in) ? (struct out){B, 1} : nobody(1);
	/* 5: known once the DCS said so. */
	if (in->standby && in->dcs != DCS_ABSENT && in->dcs != DCS_UNREAD)
		return nobody(5);
	/* 4: no DCS, or pause without a key. */
	if (!fresh || (in->key == KEY_NONE && in->pause))
		return by_claims(in);
	/* 2 and 3. */
	if (in->key != KEY_A || a_says(in, true) != SAYS_PRIMARY)
		return nobody(6);
	return fenced ? nobody(3) : (struct out){A, 2};
}

/* ---- the evidence ----------------------------------------------------- */

static void put(struct world *w, int m, enum ev_rc rc, int64_t asked, int64_t t)
{
	enum ev_rc was = w->peer[m].sql;

	w->peer[m].sql = rc;
	world_sql(w, m, at(asked), at(t));
	w->peer[m].sql = was;
}

static void put_a_sql(struct world *w, enum sql sql)
{
	static const enum ev_rc then[SQL_N] = {
	    [SQL_REFUSED] = EV_RC_REFUSED,
	    [SQL_STARTING] = EV_RC_STARTING,
	    [SQL_STOPPING_ONCE] = EV_RC_STOPPING,
	    [SQL_STOPPING] = EV_RC_STOPPING,
	    [SQL_LOST] = EV_RC_LOST,
	    [SQL_SILENT] = EV_RC_TIMEOUT,
	    [SQL_FULL] = EV_RC_BUSY,
	};
	int64_t asked = sql == SQL_SILENT ? NOW - 2100 : NOW - 500;
	int64_t told = sql == SQL_SILENT ? NOW - 2000 : NOW - 450;

	if (sql == SQL_NONE)
		return;
	w->peer[A].primary = sql != SQL_RECOVERY;
	if (sql == SQL_PRIMARY_BEFORE)
		put(w, A, EV_RC_OK, MOVED - 1, NOW - 50);
	else if (sql != SQL_FULL)
		put(w, A, EV_RC_OK, asked, told);
	if (then[sql] != EV_RC_NONE)
		put(w, A, then[sql], NOW - 200, NOW - 200);
	if (sql == SQL_STOPPING)
		put(w, A, EV_RC_STOPPING, NOW - 180, NOW - 180);
}

static void put_a_rest(struct world *w, enum rest rest)
{
	struct peer *p = &w->peer[A];

	if (rest == REST_NONE)
		return;
	p->primary = rest == REST_PRIMARY || rest == REST_PRIMARY_200;
	p->claims = rest == REST_PRIMARY_200 || rest == REST_REPLICA_200;
	p->state = rest == REST_STOPPED ? EV_STATE_STOPPED : EV_STATE_RUNNING;
	if (rest == REST_MUTE)
		p->state = EV_STATE_OTHER;
	world_rest(w, A, at(NOW - 400), at(NOW - 100));
}

static void put_b(struct world *w, const struct in *in)
{
	int64_t t = is_b_live(in) ? NOW - 300 : NOW - 2000;
	struct peer *p = &w->peer[B];

	p->primary = true;
	p->claims = in->b_claims;
	p->tli = in->former == FORMER_LEVEL ? 4 : 5;
	p->sysid = in->former == FORMER_FOREIGN ? 78 : 77;
	if (in->former == FORMER_UNKNOWN)
		p->sysid = 0;
	if (in->sql_configured)
		world_sql(w, B, at(t - 10), at(t));
	world_rest(w, B, at(t - 10), at(t));
}

static void put_key(struct world *w, const struct in *in)
{
	int64_t moved = in->dcs == DCS_STALE ? STALE : MOVED;
	int64_t lost = in->former == FORMER_LONG ? NOW - 30000 : moved - 1;

	if (in->former == FORMER_NEVER) {
		world_key(w, C, at(50000));
	} else {
		world_key(w, B, at(50000));
		world_key(w, -1, at(lost));
	}
	world_key_name(w,
	    in->key == KEY_NONE    ? NULL
		: in->key == KEY_A ? "a"
				   : "stranger",
	    at(moved));
	w->ev.dcs.configured = in->dcs != DCS_ABSENT;
	w->ev.dcs.synced = in->dcs != DCS_UNREAD && in->dcs != DCS_ABSENT;
}

static void build(struct world *w, const struct in *in)
{
	world_init(w, 3);
	w->ev.sql_configured = in->sql_configured;
	put_key(w, in);
	put_b(w, in);
	if (in->sql_configured)
		put_a_sql(w, in->sql);
	put_a_rest(w, in->rest);
}

/* ---- both, over everything -------------------------------------------- */

static uint64_t compared, targets;

static void compare(struct world *w, const struct in *in)
{
	const struct out want = oracle(in);
	struct verdict v;

	w->ev.hold = in->hold;
	w->ev.force = in->force;
	w->ev.dcs.pause = in->pause;
	w->ev.dcs.standby_cluster = in->standby;
	v = verdict_write(&w->ev, &w->pol, at(NOW));
	compared++;
	targets += v.write >= 0;
	if (v.write == want.write && v.step == want.step)
		return;
	fail_msg("dcs %d key %d sql %d rest %d former %d sql_configured %d "
		 "b_claims %d hold %d pause %d standby %d force %d: target %d "
		 "by step %u (%s), expected %d by %u",
	    in->dcs, in->key, in->sql, in->rest, in->former, in->sql_configured,
	    in->b_claims, in->hold, in->pause, in->standby, in->force, v.write,
	    v.step, snap_why_name(v.why), want.write, want.step);
}

/* What needs no other evidence: an operator's orders, and two settings. */
static void compare_orders(const struct in *of)
{
	static struct world w;
	struct in in = *of;

	build(&w, &in);
	for (unsigned bits = 0; bits < 24; bits++) {
		in.hold = (bits & 1) != 0;
		in.pause = (bits & 2) != 0;
		in.standby = (bits & 4) != 0;
		in.force = (int8_t)((int)(bits / 8) - 1);
		compare(&w, &in);
	}
}

/* The n-th of the product; false: there is none. */
static bool nth(unsigned n, struct in *in)
{
	*in = (struct in){0};
	in->dcs = n % DCS_N, n /= DCS_N;
	in->key = n % KEY_N, n /= KEY_N;
	in->sql = n % SQL_N, n /= SQL_N;
	in->rest = n % REST_N, n /= REST_N;
	in->former = n % FORMER_N, n /= FORMER_N;
	in->sql_configured = n % 2 != 0, n /= 2;
	in->b_claims = n % 2 != 0, n /= 2;
	return n == 0;
}

static void every_input_is_judged_as_the_steps_have_it(void **state)
{
	struct in in;

	(void)state;
	for (unsigned n = 0; nth(n, &in); n++)
		compare_orders(&in);
	print_message("%llu verdicts, %llu of them a target\n",
	    (unsigned long long)compared, (unsigned long long)targets);
	assert_true(compared ==
	    24ULL * DCS_N * KEY_N * SQL_N * REST_N * FORMER_N * 2 * 2);
	assert_true(targets > compared / 10 && targets < compared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_input_is_judged_as_the_steps_have_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
