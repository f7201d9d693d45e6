/*
 * hold.h - streams that wait for a server: one FIFO a cluster, one fixed pool.
 *
 * Pure: time comes in as an argument; no allocation, I/O or log. It keeps the
 * order and the pace; whether an entry may go is its caller's judgement.
 *
 * After something changed (a snapshot), hold_scan() puts a cursor on the oldest
 * entry of the cluster's queue. hold_look() then gives one entry after the
 * other, in order of arrival, at the pace of the token bucket; the caller ends
 * each (hold_done) or leaves it in its place (hold_pass). Clusters take turns.
 */
#ifndef HOLD_H
#define HOLD_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "lim.h"
#include "mono.h"
#include "startup.h"

/* Which connection; a number is used again, but never with its generation. */
struct conn_ref {
	uint32_t index, gen;
};

/* A stream that waits, and what it asked for. */
struct hold_stream {
	struct conn_ref conn;
	uint64_t stream_id, frame_id;
	struct intent it;
};

struct hold_entry {
	struct hold_stream s;
	struct mono since, deadline;
	uint16_t queue;
	uint16_t next, prev; /* places in the pool, 0 none */
};

struct hold_queue {
	uint16_t head, tail, cursor, n;
};

struct hold {
	uint32_t max, rate, n;
	uint32_t scanning; /* queues with a cursor */
	uint32_t turn;     /* the queue that is looked at first */
	int64_t credit;    /* of the bucket, in millionths of a token */
	uint32_t at[LIM_LISTENERS]; /* of `n`, by listener */
	struct mono filled;         /* when the bucket was last filled */
	struct mono soonest;        /* no deadline is earlier than this */
	uint16_t free;
	struct hold_queue q[LIM_CLUSTERS];
	struct hold_entry e[LIM_HELD + 1]; /* [0] is nobody */
};

/* Needs: max <= LIM_HELD (0: nobody waits), rate >= 1 a second. */
void hold_init(struct hold *h, uint32_t max, uint32_t rate);
/* The same for a reload: those who wait stay. */
void hold_limit(struct hold *h, uint32_t max, uint32_t rate);

static inline bool is_hold_full(const struct hold *h)
{
	return h->n >= h->max;
}

/* How many wait at one listener. */
static inline uint32_t hold_at(const struct hold *h, uint16_t listen)
{
	assert(listen < LIM_LISTENERS);
	return h->at[listen];
}

static inline bool is_hold_scanning(const struct hold *h, uint16_t queue)
{
	return h->q[queue].cursor != 0;
}

/*
 * Appends a stream to a queue. Needs: not full, queue < LIM_CLUSTERS, the
 * intent's listener < LIM_LISTENERS.
 * A scan under way will come to it.
 */
void hold_add(struct hold *h, uint16_t queue, const struct hold_stream *s,
    struct mono now, struct dur timeout);

/* From now on every entry of the queue is to be looked at (again). */
void hold_scan(struct hold *h, uint16_t queue);

/*
 * Gives: the next entry to be judged, NULL if there is none or no token is left
 * at `now`. Each is followed by hold_pass(), hold_done() or hold_drop().
 */
struct hold_entry *hold_look(struct hold *h, struct mono now);
void hold_pass(struct hold *h, struct hold_entry *e);
void hold_done(struct hold *h, struct hold_entry *e); /* takes a token */
void hold_drop(struct hold *h, struct hold_entry *e); /* takes none */

/* The same listener has another index in a new configuration. */
void hold_move(struct hold *h, struct hold_entry *e, uint16_t listen);

/* Gives: an entry whose time is over, NULL if there is none. Then drop it. */
struct hold_entry *hold_expired(struct hold *h, struct mono now);

/* The oldest entry of a queue, and the one behind an entry; NULL: none. */
struct hold_entry *hold_first(struct hold *h, uint16_t queue);
struct hold_entry *hold_next(struct hold *h, const struct hold_entry *e);

/* Drops what a closed connection left, or one stream of it. */
void hold_drop_conn(struct hold *h, struct conn_ref conn);
void hold_drop_stream(struct hold *h, const struct hold_stream *s);

/* Gives: how long hold_look() will have nothing to give; < 0: for good. */
struct dur hold_pause(const struct hold *h, struct mono now);

#endif
