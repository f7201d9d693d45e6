/*
 * mono.c - the one place that reads the monotonic clock.
 */
#include "mono.h"

#include <time.h>

struct mono mono_now(void)
{
	struct timespec ts;
	int rc = clock_gettime(CLOCK_MONOTONIC, &ts);

	assert(rc == 0);
	(void)rc;
	return (struct mono){(int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000};
}
