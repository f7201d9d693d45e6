/*
 * feed_slot.c - which clusters the agent has heard of; see feed_slot.h.
 *
 * An ECHO comes behind the snapshots of all of a prober's clusters: who is not
 * of this connection by then is nobody's, once the time is over for which an
 * earlier prober vouched.
 */
#include "feed_slot.h"

#include <assert.h>
#include <stdlib.h>

struct feed_slot *feed_slots_find(
    const struct feed_slots *all, const char *name)
{
	assert(all != NULL && name != NULL);
	for (unsigned i = 0; i < all->n; i++) {
		if (strcmp(all->slot[i]->snap.cluster, name) == 0)
			return all->slot[i];
	}
	return NULL;
}

static bool is_in_order(const struct feed_slots *all, const struct feed_slot *s)
{
	for (unsigned i = 0; i < all->order_n; i++) {
		if (all->order[i] == s)
			return true;
	}
	return false;
}

void feed_slots_purge(struct feed_slots *all, struct mono now)
{
	unsigned n = 0;

	assert(all != NULL);
	if (all->n == all->order_n)
		return;
	for (unsigned i = 0; i < all->n; i++) {
		struct feed_slot *s = all->slot[i];

		if (is_in_order(all, s) || is_feed_slot_usable(s, now))
			all->slot[n++] = s;
		else
			free(s);
	}
	all->n = n;
}

static struct feed_slot *new_slot(struct feed_slots *all, struct mono now)
{
	struct feed_slot *s;

	/* Another prober's clusters may come before its first ECHO. */
	if (all->n == LIM_CLUSTERS)
		feed_slots_purge(all, now);
	if (all->n == LIM_CLUSTERS)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s != NULL)
		all->slot[all->n++] = s;
	return s;
}

struct feed_slot *feed_slots_take(
    struct feed_slots *all, const char *cluster, struct mono now)
{
	struct feed_slot *s = feed_slots_find(all, cluster);

	if (s == NULL)
		s = new_slot(all, now);
	if (s == NULL || is_in_order(all, s))
		return s;
	if (all->order_n == LIM_CLUSTERS)
		return NULL;
	all->order[all->order_n++] = s;
	return s;
}

void feed_slots_free(struct feed_slots *all)
{
	assert(all != NULL);
	for (unsigned i = 0; i < all->n; i++)
		free(all->slot[i]);
	all->n = all->order_n = 0;
}
