/*
 * One change of leader, step by step.
 */
#include "../common/unit.h"
#include "report.h"

static struct mono at(int64_t ms)
{
	return (struct mono){1000000 + ms * 1000};
}

static struct report_now is(int64_t ms, const char *target, const char *key)
{
	return (struct report_now){
	    .now = at(ms), .target = target, .key = key, .tli = 3};
}

static bool step(
    struct report_watch *w, struct report_now n, struct report *out)
{
	return report_step(w, &n, out);
}

static struct report_watch steady(void)
{
	struct report_watch w = {0};
	struct report r;

	assert_false(step(&w, is(0, "a", "a"), &r));
	assert_string_equal(w.from, "a");
	return w;
}

static void a_a_planned_switchover(void **state)
{
	struct report_watch w = steady();
	struct report_now n = is(100, "a", "a");
	struct report r;

	(void)state;
	n.planned = true;
	n.count = (struct report_counts){.held = 10,
	    .refused = 1,
	    .routed = 100,
	    .sessions = 7,
	    .has_sessions = true};
	assert_true(is_report_due(&w, &n));
	assert_false(report_step(&w, &n, &r));
	n = is(600, NULL, "a");
	n.classic.known = true; /* a is still up there */
	assert_false(report_step(&w, &n, &r));
	n.now = at(1300);
	n.key = "b";
	n.count.held = 25;
	assert_false(report_step(&w, &n, &r));
	n = is(1500, "b", "b");
	n.tli = 4;
	n.writable = at(1480);
	n.count = (struct report_counts){
	    .held = 30, .refused = 1, .routed = 100, .longest_ms = 900};
	n.classic.known = true;
	assert_false(report_step(&w, &n, &r));
	n.now = at(1510);
	n.seen = true;
	assert_false(report_step(&w, &n, &r));
	n.now = at(2000);
	n.count.routed = 101;
	assert_false(report_step(&w, &n, &r));
	n.now = at(4200);
	n.classic.right = true;
	assert_true(report_step(&w, &n, &r));
	assert_string_equal(r.from, "a");
	assert_string_equal(r.to, "b");
	assert_true(r.planned);
	assert_int_equal(r.from_tli, 3);
	assert_int_equal(r.to_tli, 4);
	assert_int_equal(r.key_ms, 1200);
	assert_int_equal(r.writable_ms, 1380);
	assert_int_equal(r.routed_ms, 1400);
	assert_int_equal(r.seen_ms, 1410);
	assert_int_equal(r.first_ms, 1900);
	assert_int_equal(r.held, 20);
	assert_int_equal(r.longest_ms, 900);
	assert_int_equal(r.refused, 0);
	assert_int_equal(r.sessions, 7);
	assert_int_equal(r.classic_right_ms, 4100);
	assert_int_equal(r.classic_wrong_ms, 1900);
	assert_int_equal(r.classic_nobody_ms, 0);
	/* And the next one is of b. */
	assert_false(is_report_due(&w, &n));
	n = is(5000, NULL, NULL);
	assert_true(is_report_due(&w, &n));
}

static void a_what_is_not_seen_stays_unknown(void **state)
{
	struct report_watch w = steady();
	struct report_now n = is(100, NULL, NULL);
	struct report r;

	(void)state;
	assert_false(report_step(&w, &n, &r));
	n = is(30000, "b", "b");
	assert_false(report_step(&w, &n, &r));
	n.now = at(49999);
	assert_false(report_step(&w, &n, &r));
	n.now = at(50000);
	assert_true(report_step(&w, &n, &r));
	assert_false(r.planned);
	assert_int_equal(r.routed_ms, 29900);
	assert_int_equal(r.seen_ms, REPORT_UNKNOWN);
	assert_int_equal(r.first_ms, REPORT_UNKNOWN);
	assert_int_equal(r.sessions, REPORT_UNKNOWN);
	assert_false(r.classic_known);
	assert_int_equal(r.classic_right_ms, REPORT_UNKNOWN);
}

static void a_a_leader_that_comes_back_is_no_change(void **state)
{
	struct report_watch w = steady();
	struct report r;

	(void)state;
	assert_false(step(&w, is(100, NULL, "a"), &r));
	assert_true(w.under_way);
	assert_false(step(&w, is(500, "a", "a"), &r));
	assert_false(step(&w, is(2499, "a", "a"), &r));
	assert_true(w.under_way);
	assert_false(step(&w, is(2500, "a", "a"), &r));
	assert_false(w.under_way);
	assert_string_equal(w.from, "a");
}

static void a_an_operators_hold_is_none(void **state)
{
	struct report_watch w = steady();
	struct report_now n = is(100, NULL, "a");

	(void)state;
	n.ordered = true;
	assert_false(is_report_due(&w, &n));
}

static void a_at_the_start_there_is_no_change(void **state)
{
	struct report_watch w = {0};
	struct report r;

	(void)state;
	assert_false(step(&w, is(0, NULL, NULL), &r));
	assert_false(step(&w, is(100, NULL, "a"), &r));
	assert_false(step(&w, is(200, "a", "a"), &r));
	assert_false(w.under_way);
}

static void a_twice_in_a_row_is_told_of_the_last(void **state)
{
	struct report_watch w = steady();
	struct report r;

	(void)state;
	assert_false(step(&w, is(100, NULL, "b"), &r));
	assert_false(step(&w, is(200, "b", "b"), &r));
	assert_false(step(&w, is(900, NULL, "c"), &r));
	assert_false(step(&w, is(1000, "c", "c"), &r));
	assert_true(step(&w, is(21000, "c", "c"), &r));
	assert_string_equal(r.to, "c");
	assert_int_equal(r.routed_ms, 900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_a_planned_switchover),
	    cmocka_unit_test(a_what_is_not_seen_stays_unknown),
	    cmocka_unit_test(a_a_leader_that_comes_back_is_no_change),
	    cmocka_unit_test(a_an_operators_hold_is_none),
	    cmocka_unit_test(a_at_the_start_there_is_no_change),
	    cmocka_unit_test(a_twice_in_a_row_is_told_of_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
