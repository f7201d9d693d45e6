/*
 * clock.h - the one clock of a history: CLOCK_MONOTONIC, in nanoseconds.
 */
#ifndef METER_CLOCK_H
#define METER_CLOCK_H

#include <assert.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* Gives the present instant. Never fails on Linux (asserted). */
static inline int64_t clock_now_ns(void)
{
	struct timespec ts;
	int rc = clock_gettime(CLOCK_MONOTONIC, &ts);

	assert(rc == 0);
	(void)rc;
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

#endif
