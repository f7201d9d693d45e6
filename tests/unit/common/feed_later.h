/*
 * feed_later.h - the feed's messages of the next version, one counter longer.
 */
#ifndef FEED_LATER_H
#define FEED_LATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

/* What of a STATS stands around the place where the versions differ. */
struct later_stats {
	uint64_t last;  /* hold_recent_ms, which this version knows */
	uint64_t later; /* the counter that it does not know */
	bool is_split;
	uint16_t n;
	uint64_t same; /* of the first cluster's writes, which is "main" */
};

/* Gives: false if it is no STATS of one cluster or none. */
bool later_decode_stats(struct slice in, struct later_stats *out);

/* Gives: the length. */
size_t later_encode_stats(
    const struct later_stats *s, unsigned char *buf, size_t size);

#endif
