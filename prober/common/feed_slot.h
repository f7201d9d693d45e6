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

/* The slots of all clusters; zeroed at first. */
struct feed_slots {
	struct feed_slot *slot[LIM_CLUSTERS]; /* n of them, heap */
	unsigned n;
	/* This connection's clusters, in the order of ECHO. */
	struct feed_slot *order[LIM_CLUSTERS];
	unsigned order_n;
};

/* Gives: NULL if there is none of that cluster. */
struct feed_slot *feed_slots_find(const struct feed_slots *, const char *name);

/* Gives: the cluster's slot, found or new, in its place of this connection's;
   NULL: there are too many, or memory is out. */
struct feed_slot *feed_slots_take(
    struct feed_slots *, const char *cluster, struct mono now);

/* Clusters that the prober has no more make room: of those that are not of
   this connection the ones that are not usable. Behind an ECHO only. */
void feed_slots_purge(struct feed_slots *, struct mono now);

void feed_slots_free(struct feed_slots *);

#endif
