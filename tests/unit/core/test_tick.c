/*
 * test_tick.c - whom to ask, and when to look again.
 */
#include "world.h"

#include "tick.h"

static struct tick_out decide(
    struct tick_slot *s, const struct tick_in *in, int64_t ms)
{
	struct tick_out out = tick_decide(s, in, at(ms));

	assert_true(out.next.us > 0);
	if (out.sql)
		s->last_sql = at(ms);
	if (out.hurried)
		s->hurried = at(ms);
	if (out.rest)
		s->last_rest = at(ms);
	return out;
}

static void steady_is_once_a_second(void **state)
{
	struct tick_slot s = {0};
	const struct tick_in in = {0};
	struct tick_out out;

	(void)state;
	out = decide(&s, &in, 0);
	assert_true(out.sql && out.rest);
	assert_int_equal(dur_to_ms(out.next), 1000);
	out = decide(&s, &in, 999);
	assert_true(!out.sql && !out.rest);
	assert_int_equal(dur_to_ms(out.next), 1);
	out = decide(&s, &in, 1000);
	assert_true(out.sql && out.rest);
}

struct gaps {
	int64_t last, least, most;
};

static void note_gap(struct gaps *g, int64_t ms)
{
	int64_t gap = ms - g->last;

	g->last = ms;
	g->least = g->least == 0 || gap < g->least ? gap : g->least;
	g->most = gap > g->most ? gap : g->most;
}

/* Of one whom both were asked at their `last`, until then. */
static void note_gaps(const struct tick_in *in, struct gaps *sql,
    struct gaps *rest, int64_t until)
{
	struct tick_slot s = {
	    .last_sql = at(sql->last), .last_rest = at(rest->last)};

	for (int64_t ms = sql->last + 1; ms <= until; ms++) {
		struct tick_out out = decide(&s, in, ms);

		if (out.sql)
			note_gap(sql, ms);
		if (out.rest)
			note_gap(rest, ms);
	}
}

/* One more after a burst: else one lost probe would be two seconds' silence. */
static void no_question_waits_longer_than_a_second(void **state)
{
	const struct tick_in in = {0};

	(void)state;
	for (int64_t last = -1000; last < 0; last++) {
		struct gaps sql = {.last = last}, rest = {.last = last};

		note_gaps(&in, &sql, &rest, 3000);
		assert_true(sql.least >= 20 && sql.most <= 1000);
		assert_true(rest.least >= 500 && rest.most <= 1000);
		/* Back in its phase. */
		assert_true(sql.last == 3000 && rest.last == 3000);
	}
}

static void calm_is_every_other_second_by_rest(void **state)
{
	const struct tick_in in = {.calm = true};

	(void)state;
	for (int64_t last = -2000; last < 0; last++) {
		struct gaps sql = {.last = last}, rest = {.last = last};

		note_gaps(&in, &sql, &rest, 6000);
		assert_true(sql.least >= 20 && sql.most <= 1000);
		assert_true(rest.least >= 500 && rest.most <= 2000);
		assert_int_equal(rest.last, 4500);
	}
}

/* What was put off while it was calm is asked in the turn that ends it. */
static void who_is_no_longer_calm_is_asked_by_rest_at_once(void **state)
{
	struct tick_slot s = {0};
	struct tick_in in = {.calm = true};

	(void)state;
	assert_true(decide(&s, &in, 0).rest);
	assert_true(decide(&s, &in, 500).rest);
	assert_true(decide(&s, &in, 1000).sql);
	assert_false(decide(&s, &in, 1800).rest);
	in.calm = false;
	assert_true(decide(&s, &in, 1800).rest);
}

static void calm_questions_fill_both_seconds(void **state)
{
	unsigned in_first = 0;

	(void)state;
	for (unsigned c = 0; c < 100; c++) {
		for (unsigned m = 0; m < 3; m++) {
			const struct tick_in in = {.calm = true};
			struct tick_slot s = {.phase = tick_phase(c, m),
			    .last_sql = at(1),
			    .last_rest = at(1)};

			for (int64_t ms = 2; ms < 4000; ms++)
				(void)decide(&s, &in, ms);
			in_first += s.last_rest.us < at(3000).us;
		}
	}
	assert_in_range(in_first, 140, 160);
}

static void fast_is_20_ms_by_sql_alone(void **state)
{
	struct tick_slot s = {0};
	const struct tick_in in = {.fast = true};
	int sql = 0, rest = 0;

	(void)state;
	for (int64_t ms = 0; ms < 2000; ms++) {
		struct tick_out out = decide(&s, &in, ms);

		sql += out.sql;
		rest += out.rest;
	}
	assert_int_equal(sql, 100);
	assert_int_equal(rest, 2);
}

/* What was asked 5 ms ago does not put it off; the next ones wait. */
static void a_lost_probe_is_repeated_at_once(void **state)
{
	struct tick_slot s = {.last_sql = at(1000), .last_rest = at(1000)};
	const struct tick_in in = {.retry = true}, steady = {0};
	int sql = 0;

	(void)state;
	assert_false(decide(&s, &steady, 1005).sql);
	assert_true(decide(&s, &in, 1005).sql);
	assert_false(decide(&s, &in, 1024).sql);
	assert_true(decide(&s, &in, 1025).sql);
	/* Ended again and again: 50 a second, and two that were not put off. */
	for (int64_t ms = 1026; ms < 2026; ms++)
		sql += decide(&s, &in, ms).sql;
	assert_in_range(sql, 50, 52);
}

static void one_in_flight_is_enough(void **state)
{
	struct tick_slot s = {0};
	const struct tick_in in = {
	    .fast = true, .sql_busy = true, .rest_busy = true};
	struct tick_out out;

	(void)state;
	out = decide(&s, &in, 0);
	assert_true(!out.sql && !out.rest);
	assert_int_equal(dur_to_ms(out.next), 20);
}

static void rest_is_never_asked_more_than_twice_a_second(void **state)
{
	struct tick_slot s = {0};
	const struct tick_in in = {
	    .fast = true, .retry = true, .rest_retry = true, .alone = true};
	int rest = 0, sql = 0;

	(void)state;
	for (int64_t ms = 0; ms < 10000; ms++) {
		struct tick_out out = decide(&s, &in, ms);

		rest += out.rest;
		sql += out.sql;
	}
	assert_int_equal(rest, 20);
	assert_int_equal(sql, 500);
}

static void phases_are_spread(void **state)
{
	unsigned in[10] = {0};

	(void)state;
	for (unsigned c = 0; c < 100; c++) {
		for (unsigned m = 0; m < 3; m++) {
			int64_t us = tick_phase(c, m).us;

			assert_true(us >= 0 && us < 1000000);
			in[us / 100000]++;
		}
	}
	for (unsigned i = 0; i < 10; i++)
		assert_true(in[i] >= 20 && in[i] <= 40);
}

enum {
	CLUSTERS = 100,
	EACH = 3,
	ALL = CLUSTERS * EACH,
	WINDOW_MS = 20
};

struct crowd {
	struct tick_slot slot[ALL];
	int64_t look[ALL];           /* ms: when its timer fires */
	int64_t last[ALL], gap[ALL]; /* ms: the longest between questions */
	unsigned asked[ALL];         /* by SQL */
	unsigned most;               /* in any window, REST and SQL */
};

static void crowd_begin(struct crowd *c)
{
	*c = (struct crowd){0};
	for (unsigned i = 0; i < ALL; i++) {
		c->slot[i].phase = tick_phase(i / EACH, i % EACH);
		c->look[i] = 1 + dur_to_ms(c->slot[i].phase);
	}
}

/* Every timer that is due by then; the loop stands still in between. */
static unsigned crowd_turn(struct crowd *c, int64_t ms)
{
	const struct tick_in in = {0};
	unsigned n = 0;

	for (unsigned i = 0; i < ALL; i++) {
		struct tick_out out;

		if (c->look[i] > ms)
			continue;
		out = decide(&c->slot[i], &in, ms);
		c->look[i] = ms + dur_to_ms(out.next);
		if (c->look[i] == ms)
			c->look[i]++;
		n += out.sql + out.rest;
		if (!out.sql)
			continue;
		if (c->asked[i]++ > 0 && ms - c->last[i] > c->gap[i])
			c->gap[i] = ms - c->last[i];
		c->last[i] = ms;
	}
	return n;
}

static void crowd_run(struct crowd *c, int64_t from, int64_t to)
{
	unsigned n = 0;

	c->most = 0;
	for (int64_t ms = from; ms < to; ms++) {
		n += crowd_turn(c, ms);
		if (ms % WINDOW_MS != 0)
			continue;
		if (n > c->most)
			c->most = n;
		n = 0;
	}
}

/* 300 members: 12 questions fall on 20 ms, give or take. */
static void a_crowd_never_asks_at_once(void **state)
{
	static struct crowd c;

	(void)state;
	crowd_begin(&c);
	crowd_run(&c, 1, 10001);
	assert_in_range(c.most, 12, 24);
	for (unsigned i = 0; i < ALL; i++) {
		assert_in_range(c.asked[i], 9, 11);
		assert_in_range(c.gap[i], 990, 1010);
	}
	/* All fall due while the loop stands still, and are asked at once … */
	assert_int_equal(crowd_turn(&c, 13500), 2 * ALL);
	/* … once; then each is back in its own phase. */
	crowd_run(&c, 13501, 14701);
	assert_in_range(c.most, 1, 24);
	memset(c.gap, 0, sizeof(c.gap));
	crowd_run(&c, 14701, 24701);
	assert_in_range(c.most, 12, 24);
	for (unsigned i = 0; i < ALL; i++)
		assert_in_range(c.gap[i], 990, 1010);
}

static struct tick_in needs(struct world *w, int m, int64_t ms)
{
	struct tick_in in = {0};

	tick_needs(&w->ev, m, &w->pol, at(ms), &in);
	return in;
}

static void who_may_be_confirmed_is_asked_fast(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	assert_false(needs(&w, A, 0).fast);
	world_key(&w, B, at(10));
	assert_true(needs(&w, B, 10).fast);
	assert_false(needs(&w, A, 10).fast);
	world_key(&w, -1, at(20));
	assert_true(needs(&w, A, 20).fast);
	assert_true(needs(&w, C, 20).fast);
	assert_true(needs(&w, C, 5000).fast);
	assert_false(needs(&w, C, 60010).fast);
}

/* 20 ms later a password is as wrong; REST says what there is to say. */
static void who_is_only_alive_is_not_asked_fast(void **state)
{
	static const enum ev_rc rc[] = {
	    EV_RC_AUTH, EV_RC_BUSY, EV_RC_TLS, EV_RC_PARSE, EV_RC_LIMIT};
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof(rc) / sizeof(rc[0]); i++) {
		world_settled(&w, 3, 0);
		world_key(&w, B, at(10));
		assert_true(needs(&w, B, 10).fast);
		w.peer[B].sql = rc[i];
		world_sql(&w, B, at(11), at(12));
		assert_false(needs(&w, B, 12).fast);
	}
	w.peer[B].sql = EV_RC_REFUSED;
	world_sql(&w, B, at(20), at(21));
	assert_true(needs(&w, B, 21).fast);
}

static void lost_probe_is_asked_again_once(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[B].sql = EV_RC_TIMEOUT;
	world_sql(&w, B, at(1000), at(1800));
	assert_true(needs(&w, B, 1800).retry);
	assert_false(needs(&w, B, 1800).rest_retry);
	world_sql(&w, B, at(1820), at(2620));
	assert_false(needs(&w, B, 2620).retry);
	w.peer[C].rest = EV_RC_TIMEOUT;
	world_rest(&w, C, at(1000), at(1800));
	assert_true(needs(&w, C, 1800).rest_retry);
}

/* Our own exhaustion is not heard of: it may be all that came since. */
static void old_loss_is_not_asked_again(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[B].sql = w.peer[C].rest = EV_RC_TIMEOUT;
	world_sql(&w, B, at(1000), at(1800));
	world_rest(&w, C, at(1000), at(1800));
	w.peer[B].sql = w.peer[C].rest = EV_RC_LOCAL;
	world_sql(&w, B, at(1820), at(1821));
	world_rest(&w, C, at(2300), at(2301));
	assert_true(needs(&w, B, 2799).retry);
	assert_false(needs(&w, B, 2800).retry);
	assert_true(needs(&w, C, 2799).rest_retry);
	assert_false(needs(&w, C, 2800).rest_retry);
}

static void lost_connection_is_asked_again_for_a_while(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[B].sql = EV_RC_LOST;
	world_sql(&w, B, at(1010), at(1010));
	assert_true(needs(&w, B, 1010).retry);
	world_sql(&w, B, at(1509), at(1509));
	assert_true(needs(&w, B, 1509).retry);
	world_sql(&w, B, at(1510), at(1510));
	assert_false(needs(&w, B, 1510).retry);
	w.peer[C].sql = EV_RC_STOPPING;
	world_sql(&w, C, at(500), at(500));
	assert_true(needs(&w, C, 500).retry);
	world_sql(&w, C, at(520), at(521));
	assert_false(needs(&w, C, 521).retry);
}

static void primary_is_asked_before_the_dcs_is_stale(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	assert_false(is_tick_primary(&w.ev, &w.pol, at(1499)));
	assert_false(needs(&w, A, 1499).alone);
	assert_true(is_tick_primary(&w.ev, &w.pol, at(1500)));
	assert_true(needs(&w, A, 1500).alone);
	world_key(&w, -1, at(2000));
	assert_false(is_tick_primary(&w.ev, &w.pol, at(2000)));
	w.view.pause = true;
	world_key(&w, -1, at(2000));
	assert_true(is_tick_primary(&w.ev, &w.pol, at(2000)));
	w.ev.dcs.configured = false;
	world_key(&w, A, at(2000));
	assert_true(is_tick_primary(&w.ev, &w.pol, at(2000)));
}

static void rest_counts_more_where_sql_says_nothing(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].sql = EV_RC_AUTH;
	world_poll(&w, at(500));
	assert_true(needs(&w, A, 500).alone);
	assert_false(needs(&w, B, 500).alone);
	w.ev.sql_configured = false;
	assert_true(needs(&w, B, 500).alone);
}

static void who_answers_by_both_is_calm(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	for (int m = A; m <= C; m++)
		assert_true(needs(&w, m, 0).calm);
	w.pol.max_age_rest = dur_ms(2999);
	assert_false(needs(&w, A, 0).calm);
	w.pol.max_age_rest = dur_ms(3000);
	assert_false(needs(&w, A, 1500).calm); /* the DCS is silent */
	w.ev.sql_configured = false;
	assert_false(needs(&w, A, 0).calm);
	w.ev.sql_configured = true;
	w.view.has_failover = true;
	world_key(&w, A, at(10));
	(void)world_judge(&w, at(10));
	assert_false(needs(&w, C, 10).calm);
	w.view.has_failover = false;
	world_key(&w, A, at(20));
	(void)world_judge(&w, at(20));
	assert_true(needs(&w, C, 20).calm);
	world_key(&w, B, at(30));
	assert_false(needs(&w, C, 30).calm);
}

static void whom_one_source_doubts_is_not_calm(void **state)
{
	static const enum ev_rc rc[] = {EV_RC_TIMEOUT, EV_RC_LOST,
	    EV_RC_REFUSED, EV_RC_STOPPING, EV_RC_STARTING, EV_RC_AUTH};
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof(rc) / sizeof(rc[0]); i++) {
		world_settled(&w, 3, 0);
		w.peer[B].sql = rc[i];
		world_sql(&w, B, at(10), at(11));
		w.peer[C].rest = rc[i];
		world_rest(&w, C, at(10), at(11));
		assert_false(needs(&w, B, 11).calm);
		assert_false(needs(&w, C, 11).calm);
		assert_true(needs(&w, A, 11).calm);
	}
	/* Nothing came, for which nobody but we ourselves are to blame. */
	world_settled(&w, 3, 0);
	world_key(&w, A, at(2000));
	world_poll_sql(&w, A, at(2199));
	assert_true(needs(&w, A, 2199).calm);
	assert_false(needs(&w, A, 2200).calm);
	world_settled(&w, 3, 0);
	w.peer[B].primary = true;
	world_sql(&w, B, at(10), at(11));
	assert_false(needs(&w, B, 11).calm);
	world_rest(&w, B, at(12), at(13));
	assert_true(needs(&w, B, 13).calm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(steady_is_once_a_second),
	    cmocka_unit_test(no_question_waits_longer_than_a_second),
	    cmocka_unit_test(calm_is_every_other_second_by_rest),
	    cmocka_unit_test(who_is_no_longer_calm_is_asked_by_rest_at_once),
	    cmocka_unit_test(calm_questions_fill_both_seconds),
	    cmocka_unit_test(fast_is_20_ms_by_sql_alone),
	    cmocka_unit_test(a_lost_probe_is_repeated_at_once),
	    cmocka_unit_test(one_in_flight_is_enough),
	    cmocka_unit_test(rest_is_never_asked_more_than_twice_a_second),
	    cmocka_unit_test(phases_are_spread),
	    cmocka_unit_test(who_may_be_confirmed_is_asked_fast),
	    cmocka_unit_test(a_crowd_never_asks_at_once),
	    cmocka_unit_test(who_is_only_alive_is_not_asked_fast),
	    cmocka_unit_test(lost_probe_is_asked_again_once),
	    cmocka_unit_test(old_loss_is_not_asked_again),
	    cmocka_unit_test(lost_connection_is_asked_again_for_a_while),
	    cmocka_unit_test(primary_is_asked_before_the_dcs_is_stale),
	    cmocka_unit_test(rest_counts_more_where_sql_says_nothing),
	    cmocka_unit_test(who_answers_by_both_is_calm),
	    cmocka_unit_test(whom_one_source_doubts_is_not_calm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
