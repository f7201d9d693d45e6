/*
 * test_lag.c - the leader's positions over time.
 */
#include "world.h"

#include "lag.h"

static int64_t lag_ms(const struct lag_ring *r, uint64_t lsn, int64_t now_ms)
{
	return dur_to_ms(lag_time(r, lsn, at(now_ms)));
}

static void nothing_known_is_said_so(void **state)
{
	struct lag_ring r = {0};

	(void)state;
	assert_true(lag_time(&r, 5, at(0)).us == -1);
	assert_true(lag_leader_lsn(&r, at(0)) == 0);
}

static void idle_leader_shows_no_lag(void **state)
{
	struct lag_ring r = {0};

	(void)state;
	for (int64_t s = 0; s < 600; s++)
		lag_note(&r, at(s * 1000), 5000);
	assert_int_equal(lag_ms(&r, 5000, 600000), 0);
	assert_int_equal(lag_ms(&r, 6000, 600000), 0);
	assert_int_equal(r.n, 2);
	/* It writes again: the replica was level a second ago. */
	lag_note(&r, at(600000), 7000);
	assert_int_equal(lag_ms(&r, 5000, 600000), 1000);
}

static void position_between_two_is_interpolated(void **state)
{
	struct lag_ring r = {0};

	(void)state;
	lag_note(&r, at(0), 1000);
	lag_note(&r, at(1000), 2000);
	lag_note(&r, at(2000), 4000);
	assert_int_equal(lag_ms(&r, 3000, 2000), 500);
	assert_int_equal(lag_ms(&r, 1250, 2000), 1750);
	assert_int_equal(lag_ms(&r, 4000, 2500), 0);
	assert_int_equal(lag_ms(&r, 999, 2500), 2500);
	/* Nobody is behind by less than nothing. */
	assert_int_equal(lag_ms(&r, 3999, 1000), 0);
	assert_true(lag_leader_lsn(&r, at(500)) == 1500);
	assert_true(lag_leader_lsn(&r, at(1500)) == 3000);
	assert_true(lag_leader_lsn(&r, at(-5)) == 1000);
	assert_true(lag_leader_lsn(&r, at(0)) == 1000);
	assert_true(lag_leader_lsn(&r, at(9999)) == 4000);
}

static void fast_questions_do_not_shorten_the_past(void **state)
{
	struct lag_ring r = {0};
	int64_t ms;

	(void)state;
	for (ms = 0; ms <= 90000; ms += 20)
		lag_note(&r, at(ms), 1000 + (uint64_t)ms);
	assert_int_equal(r.n, LAG_RING);
	/* As far as the greatest bound in time that the configuration takes. */
	assert_true(lag_ms(&r, 1, 90000) >= 60000);
	assert_int_equal(lag_ms(&r, 1000 + 50000, 90000), 40000);
	for (unsigned i = 1; i < r.n; i++) {
		unsigned a = (r.head + i - 1) % LAG_RING;
		unsigned b = (r.head + i) % LAG_RING;

		assert_true(r.at[a].us < r.at[b].us);
		assert_true(r.lsn[a] <= r.lsn[b]);
	}
}

static void another_timeline_starts_anew(void **state)
{
	struct lag_ring r = {0};

	(void)state;
	lag_note(&r, at(0), 1000);
	lag_note(&r, at(1000), 2000);
	lag_note(&r, at(2000), 1500);
	assert_int_equal(r.n, 1);
	assert_int_equal(lag_ms(&r, 1500, 2500), 0);
	lag_note(&r, at(1999), 1600);
	assert_int_equal(r.n, 1);
}

static void extremes_do_not_overflow(void **state)
{
	struct lag_ring r = {0};

	(void)state;
	lag_note(&r, (struct mono){1}, 1);
	lag_note(&r, (struct mono){INT64_MAX / 2}, UINT64_MAX);
	assert_true(
	    lag_time(&r, UINT64_MAX - 1, (struct mono){INT64_MAX / 2}).us >= 0);
	assert_true(lag_leader_lsn(&r, (struct mono){INT64_MAX / 4}) > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_known_is_said_so),
	    cmocka_unit_test(idle_leader_shows_no_lag),
	    cmocka_unit_test(position_between_two_is_interpolated),
	    cmocka_unit_test(fast_questions_do_not_shorten_the_past),
	    cmocka_unit_test(another_timeline_starts_anew),
	    cmocka_unit_test(extremes_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
