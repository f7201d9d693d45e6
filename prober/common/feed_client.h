/*
 * feed_client.h - the agent's end of the feed, on libev.
 *
 * Owns: the socket, its watchers, and the latest snapshot of each cluster with
 * the instant until which it is usable. Reconnects with back-off (100 ms
 * doubling to 400 ms). Never blocks. A message that does not decode closes the
 * connection; snapshots already taken stay usable until their time is over,
 * also those of a prober that was restarted, until the new one's are usable.
 */
#ifndef FEED_CLIENT_H
#define FEED_CLIENT_H

#include <ev.h>
#include <stdbool.h>

#include "feed_msg.h"
#include "mono.h"

struct feed_client;

struct feed_client_cfg {
	const char *path; /* of the socket; outlives the client */
	uint64_t boot_id; /* of this agent's start, not 0 */
	struct dur stale_after;
	/* After a snapshot was taken and SEEN sent, and after an ECHO that
	   makes one usable that was not: held connections may move now. snap
	   is valid for the call; whether it is usable feed_client_get() says.
	   The client must not be freed in it. */
	void (*snapshot_cb)(void *arg, const struct snapshot *snap);
	/* When the agent's counters are wanted, once a second; may be NULL.
	   Not called from feed_client_read(). */
	void (*stats_cb)(void *arg, struct feed_counts *out);
	void *arg;
};

/* Gives: a client on the heap, connecting; NULL if there is no memory. */
struct feed_client *feed_client_new(struct ev_loop *loop,
    const struct feed_client_cfg *cfg) __attribute__((warn_unused_result));
void feed_client_free(struct feed_client *fc);

/*
 * Gives: the snapshot of `cluster` if it is usable at `now`, else NULL (none
 * came, or its time is over). Cost: one comparison of names a cluster.
 */
const struct snapshot *feed_client_get(
    const struct feed_client *fc, const char *cluster, struct mono now);

/*
 * Takes what has arrived, at once: for a timer's callback, which after a pause
 * of the process runs before the socket's. May call snapshot_cb.
 */
void feed_client_read(struct feed_client *fc);

/*
 * Gives: how old the snapshot of `cluster` is, its evidence's age included;
 * FEED_AGE_STALE if it is not usable, or none came.
 */
uint32_t feed_client_age_ms(
    const struct feed_client *fc, const char *cluster, struct mono now);

/*
 * Tells the prober that a connection waits; at most one message a cluster in
 * 20 ms, the latest. Nothing happens for a cluster that was never heard of.
 */
void feed_client_want(
    struct feed_client *fc, const struct feed_want *want, struct mono now);

#endif
