/*
 * feed_slot.h - what feed_client.c knows of one cluster. Its own business.
 *
 * Outlives the connection: what was taken stays usable until its time is over.
 */
#ifndef FEED_SLOT_H
#define FEED_SLOT_H

#include <stdbool.h>

#include "feed_msg.h"
#include "mono.h"

struct feed_slot {
	struct snapshot snap;
	struct mono until; /* usable before this; unset: not usable */
	/* A restarted prober's, which has no ECHO yet; snap still counts. */
	struct snapshot next;
	bool has_next;
	bool seen_due, want_due;
	struct feed_want want;
	struct mono want_sent;
};

static inline bool is_feed_slot_usable(
    const struct feed_slot *s, struct mono now)
{
	return is_mono_set(s->until) && is_mono_before(now, s->until);
}

/* FEED_AGE_STALE if it is not usable; `max` is the age at which it ends. */
static inline uint32_t feed_slot_age_ms(
    const struct feed_slot *s, struct dur max, struct mono now)
{
	int64_t age;

	if (!is_feed_slot_usable(s, now))
		return FEED_AGE_STALE;
	age = dur_to_ms(max) - dur_to_ms(mono_sub(s->until, now));
	return age > 0 ? (uint32_t)age : 0;
}

#endif
