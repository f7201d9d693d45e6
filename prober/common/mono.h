/*
 * mono.h - instants and durations that cannot be mixed up.
 *
 * An instant is microseconds of CLOCK_MONOTONIC; zero means "never", so that
 * zeroed memory holds no time at which anything was true. A duration is
 * microseconds. Only main() and the edges call mono_now(); everything else is
 * handed its time.
 * Source: the idea of OpenBSD bgpd's monotime.h.
 */
#ifndef MONO_H
#define MONO_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct mono {
	int64_t us;
};

struct dur {
	int64_t us;
};

/* Gives the present instant. Never fails on Linux (asserted). No blocking. */
struct mono mono_now(void);

static inline struct dur dur_us(int64_t us)
{
	return (struct dur){us};
}

static inline struct dur dur_ms(int64_t ms)
{
	assert(ms <= INT64_MAX / 1000 && ms >= INT64_MIN / 1000);
	return (struct dur){ms * 1000};
}

static inline int64_t dur_to_ms(struct dur d)
{
	return d.us / 1000;
}

/* For libev and curl, which take seconds as a double. */
static inline double dur_to_s(struct dur d)
{
	return (double)d.us / 1e6;
}

static inline bool is_mono_set(struct mono t)
{
	return t.us != 0;
}

/* Saturates instead of overflowing: "for ever" may be added to any instant. */
static inline struct mono mono_add(struct mono t, struct dur d)
{
	if (d.us > 0 && t.us > INT64_MAX - d.us)
		return (struct mono){INT64_MAX};
	if (d.us < 0 && t.us < INT64_MIN - d.us)
		return (struct mono){INT64_MIN};
	return (struct mono){t.us + d.us};
}

/* Gives a - b. Needs: both are instants of one clock, so it cannot overflow. */
static inline struct dur mono_sub(struct mono a, struct mono b)
{
	return (struct dur){a.us - b.us};
}

static inline bool is_mono_before(struct mono a, struct mono b)
{
	return a.us < b.us;
}

/*
 * Is something that was true at `t` younger than `max` at `now`?
 * Needs: now >= t unless t is unset. An unset instant is never fresh.
 */
static inline bool is_mono_fresh(struct mono t, struct dur max, struct mono now)
{
	if (!is_mono_set(t))
		return false;
	assert(now.us >= t.us);
	return now.us - t.us < max.us;
}

#endif
