/*
 * loopwatch.c - one turn of the loop, from after the poll to before the next,
 * in CPU time of the thread. Over 20 ms is said in the log and counted.
 */
#include "loopwatch.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#define SLOW_US 20000

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
	w->turn_began_us = thread_cpu_us();
}

static void before_poll_cb(struct ev_loop *loop, ev_prepare *e, int revents)
{
	struct loopwatch *w = e->data;
	uint32_t suppressed = 0;

	(void)loop, (void)revents;
	assert(w->magic == LOOPWATCH_MAGIC);
	if (w->turn_began_us == 0)
		return;
	struct dur took = dur_us(thread_cpu_us() - w->turn_began_us);
	w->turns++;
	if (took.us > w->longest.us)
		w->longest = took;
	if (took.us <= SLOW_US)
		return;
	w->slow++;
	if (log_rate_ok(&w->rate, 3, dur_ms(1000), mono_now(), &suppressed))
		log_warnx("timeout loop cpu_ms=%lld suppressed=%u",
		    (long long)dur_to_ms(took), suppressed);
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
