/*
 * feed_gone.h - what agents counted that are not here any more.
 *
 * An agent counts since its start. If one comes again, by its boot id, its
 * earlier counts are part of its later ones, and go back to it; the counts of
 * those that went before LIM_FEED_CLIENTS others are one sum. So the sum of
 * all that is here and there never falls.
 */
#ifndef FEED_GONE_H
#define FEED_GONE_H

#include "feed_msg.h"

struct feed_gone {
	uint16_t cluster_n;
	unsigned next; /* the place of the longest gone */
	struct {
		uint64_t boot_id;
		struct feed_observed *observed; /* NULL: an empty place */
	} of[LIM_FEED_CLIENTS];
	struct feed_observed sum[LIM_CLUSTERS]; /* of those before them */
};

/* Needs: cluster_n <= LIM_CLUSTERS, the length of every array below. */
void feed_gone_init(struct feed_gone *g, uint16_t cluster_n);

void feed_gone_end(struct feed_gone *g);

/* An agent has gone; its counts, from malloc or NULL, become g's. */
void feed_gone_keep(
    struct feed_gone *g, uint64_t boot_id, struct feed_observed *observed);

/* Gives: what it had counted, the caller's now; NULL if it is not known. */
struct feed_observed *feed_gone_back(struct feed_gone *g, uint64_t boot_id)
    __attribute__((warn_unused_result));

/* Adds what all that are gone counted of this cluster. */
void feed_gone_sum(
    const struct feed_gone *g, uint16_t cluster, struct feed_observed *out);

void feed_gone_add(struct feed_observed *to, const struct feed_observed *n);

/* Of two counts of one agent the later is the larger: of each of n clusters
   that one stays in `to`. */
void feed_gone_raise(
    struct feed_observed *to, const struct feed_observed *from, uint16_t n);

#endif
