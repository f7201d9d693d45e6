/*
 * loopwatch.h - tells when one turn of the loop took too long.
 *
 * Thread CPU time, not wall time: two loaded cores must not make it cry. An
 * edge of both programs; knows libev.
 */
#ifndef LOOPWATCH_H
#define LOOPWATCH_H

#include <ev.h>
#include <stdint.h>

#include "log.h"
#include "mono.h"

#define LOOPWATCH_MAGIC 0x6c776174u

struct loopwatch {
	unsigned magic;
	ev_check after_poll;
	ev_prepare before_poll;
	struct mono turn_began, base; /* base: CPU time was asked last */
	int64_t base_cpu_us;
	struct dur longest;   /* a millisecond too much, at most */
	uint64_t turns, slow; /* slow: over 20 ms */
	struct log_rate rate;
};

/* Needs: w is the caller's memory and lives until loopwatch_stop(). */
void loopwatch_start(struct loopwatch *w, struct ev_loop *loop);
void loopwatch_stop(struct loopwatch *w, struct ev_loop *loop);

#endif
