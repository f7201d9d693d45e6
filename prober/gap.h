/*
 * gap.h - did the loop stand still?
 *
 * After a pause (SIGSTOP, a suspended machine, a starved host) what was in
 * flight says nothing of its peer: its time ran out while nobody looked.
 */
#ifndef GAP_H
#define GAP_H

#include <ev.h>
#include <stdbool.h>

#include "mono.h"

struct gap {
	struct ev_loop *loop;
	ev_check check;
	ev_timer pulse; /* so that no rightful wait is as long as a gap */
	struct mono looked, ended;
};

/* Needs: loop and g live until gap_stop(). */
void gap_start(struct gap *g, struct ev_loop *loop);
void gap_stop(struct gap *g);

/* Did the loop stand still for over a second after `since`? */
bool is_gap_since(const struct gap *g, struct mono since);

#endif
