/*
 * test_loopwatch.c - a turn that computes for long is told from one that waits
 * for long, and many short ones from a long one.
 */
#include "unit.h"

#include <time.h>

#include "loopwatch.h"

static void compute(long ms)
{
	struct timespec t;
	int64_t end;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	end = t.tv_sec * INT64_C(1000000000) + t.tv_nsec + ms * 1000000;
	do {
		assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	} while (t.tv_sec * INT64_C(1000000000) + t.tv_nsec < end);
}

static void wait_for(long ms)
{
	const struct timespec t = {0, ms * 1000000};

	assert_int_equal(nanosleep(&t, NULL), 0);
}

/* What each turn does, in turn. */
struct plan {
	const struct {
		long compute_ms, wait_ms;
	} turn[8];
	unsigned at, n;
};

static void turn_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct plan *p = w->data;

	(void)revents;
	compute(p->turn[p->at].compute_ms);
	wait_for(p->turn[p->at].wait_ms);
	if (++p->at == p->n)
		ev_break(loop, EVBREAK_ALL);
}

static struct loopwatch watch_of(struct plan *p)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct loopwatch w;
	ev_timer timer;

	assert_non_null(loop);
	loopwatch_start(&w, loop);
	ev_timer_init(&timer, turn_cb, 0.002, 0.002);
	timer.data = p;
	ev_timer_start(loop, &timer);
	(void)ev_run(loop, 0);
	ev_timer_stop(loop, &timer);
	/* The last turn ends before the poll that is not made any more. */
	(void)ev_run(loop, EVRUN_NOWAIT);
	loopwatch_stop(&w, loop);
	ev_loop_destroy(loop);
	return w;
}

static void a_long_turn_is_counted(void **state)
{
	struct plan p = {
	    .turn = {{0, 0}, {30, 0}, {0, 0}, {25, 0}, {0, 0}}, .n = 5};
	struct loopwatch w = watch_of(&p);

	(void)state;
	assert_int_equal(w.slow, 2);
	assert_true(w.longest.us >= 30000 && w.longest.us < 45000);
	assert_true(w.turns >= 5);
}

static void waiting_is_none(void **state)
{
	struct plan p = {
	    .turn = {{0, 0}, {3, 40}, {0, 0}, {2, 30}, {0, 0}}, .n = 5};
	struct loopwatch w = watch_of(&p);

	(void)state;
	assert_int_equal(w.slow, 0);
	assert_true(w.longest.us >= 3000 && w.longest.us < 20000);
}

static void many_short_ones_are_no_long_one(void **state)
{
	struct plan p = {.turn = {{9, 0}, {9, 0}, {9, 0}, {9, 0}, {9, 0},
			     {9, 0}, {9, 0}, {9, 0}},
	    .n = 8};
	struct loopwatch w = watch_of(&p);

	(void)state;
	assert_int_equal(w.slow, 0);
	assert_true(w.longest.us >= 9000 && w.longest.us < 18000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_long_turn_is_counted),
	    cmocka_unit_test(waiting_is_none),
	    cmocka_unit_test(many_short_ones_are_no_long_one),
	};

	log_init("test_loopwatch", LOG_LVL_WARN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
