/*
 * loopwatch.c - one turn of the loop, from after the poll to before the next,
 * in CPU time of the thread. Over 20 ms is said in the log and counted.
 *
 * To ask for CPU time is a system call, and a turn may take as little as ten:
 * so it is asked each millisecond at most, and for a turn whose wall time
 * could make it the longest. What was spent since the last asking, before the
 * turn, is counted as the turn's.
 */
#include "loopwatch.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#define SLOW_US 20000
#define BASE_US 1000 /* so old may the last asking be */

static int64_t thread_cpu_us(void)
{
	struct timespec ts;
	int rc = clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

	assert(rc == 0);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void after_poll_cb(struct ev_loop *loop, ev_check *e, int revents)
{
	struct loopwatch *w = e->data;

	(void)loop, (void)revents;
	assert(w->magic == LOOPWATCH_MAGIC);
	w->turn_began = mono_now();
}

static void judge(struct loopwatch *w, struct dur took, struct mono now)
{
	uint32_t suppressed = 0;

	if (took.us > w->longest.us)
		w->longest = took;
	if (took.us <= SLOW_US)
		return;
	w->slow++;
	if (log_rate_ok(&w->rate, 3, dur_ms(1000), now, &suppressed))
		log_warnx("timeout loop cpu_ms=%lld suppressed=%u",
		    (long long)dur_to_ms(took), suppressed);
}

static void before_poll_cb(struct ev_loop *loop, ev_prepare *e, int revents)
{
	struct loopwatch *w = e->data;
	struct mono now = mono_now();
	struct dur wall;
	int64_t cpu_us;
	bool long_one;

	(void)loop, (void)revents;
	assert(w->magic == LOOPWATCH_MAGIC);
	wall = is_mono_set(w->turn_began) ? mono_sub(now, w->turn_began)
					  : dur_us(0);
	w->turns += is_mono_set(w->turn_began);
	long_one = wall.us > w->longest.us || wall.us > SLOW_US;
	if (!long_one && is_mono_fresh(w->base, dur_us(BASE_US), now))
		return;
	cpu_us = thread_cpu_us();
	if (long_one && is_mono_set(w->base)) {
		int64_t us = cpu_us - w->base_cpu_us;

		judge(w, dur_us(us < wall.us ? us : wall.us), now);
	}
	w->base = now;
	w->base_cpu_us = cpu_us;
}

void loopwatch_start(struct loopwatch *w, struct ev_loop *loop)
{
	assert(w != NULL && loop != NULL);
	memset(w, 0, sizeof(*w));
	w->magic = LOOPWATCH_MAGIC;
	ev_check_init(&w->after_poll, after_poll_cb);
	ev_prepare_init(&w->before_poll, before_poll_cb);
	/* First after the poll, last before it: all callbacks lie between. */
	ev_set_priority(&w->after_poll, EV_MAXPRI);
	ev_set_priority(&w->before_poll, EV_MINPRI);
	w->after_poll.data = w;
	w->before_poll.data = w;
	ev_check_start(loop, &w->after_poll);
	ev_prepare_start(loop, &w->before_poll);
}

void loopwatch_stop(struct loopwatch *w, struct ev_loop *loop)
{
	assert(w != NULL);
	if (w->magic != LOOPWATCH_MAGIC)
		return;
	ev_check_stop(loop, &w->after_poll);
	ev_prepare_stop(loop, &w->before_poll);
	w->magic = 0;
}
