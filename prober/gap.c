/*
 * gap.c - see gap.h. Owned by the edges that have a time limit.
 *
 * The check watcher has the highest priority and runs right after the poll,
 * before any timer's or socket's callback of the same iteration.
 */
#include "gap.h"

#define GAP_PULSE_S 0.25
#define GAP_US 1000000

static void check_cb(struct ev_loop *loop, ev_check *w, int revents)
{
	struct gap *g = w->data;
	struct mono now = mono_now();

	(void)loop;
	(void)revents;
	if (is_mono_set(g->looked) && mono_sub(now, g->looked).us > GAP_US)
		g->ended = now;
	g->looked = now;
}

static void pulse_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
}

void gap_start(struct gap *g, struct ev_loop *loop)
{
	*g = (struct gap){.loop = loop};
	ev_check_init(&g->check, check_cb);
	ev_set_priority(&g->check, EV_MAXPRI);
	g->check.data = g;
	ev_check_start(loop, &g->check);
	ev_timer_init(&g->pulse, pulse_cb, GAP_PULSE_S, GAP_PULSE_S);
	ev_timer_start(loop, &g->pulse);
	/* Neither keeps a loop alive that has nothing else to do. */
	ev_unref(loop);
	ev_unref(loop);
}

void gap_stop(struct gap *g)
{
	ev_ref(g->loop);
	ev_ref(g->loop);
	ev_timer_stop(g->loop, &g->pulse);
	ev_check_stop(g->loop, &g->check);
}

bool is_gap_since(const struct gap *g, struct mono since)
{
	return is_mono_set(g->ended) && is_mono_before(since, g->ended);
}
