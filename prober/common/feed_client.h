/*
 * feed_client.h - the agent's end of the feed, on libev.
 *
 * Owns: the socket, its watchers, and the latest snapshot of each cluster with
 * the instant until which it is usable. Reconnects with back-off (100 ms
 * doubling to 1 s). Never blocks. A message that does not decode closes the
 * connection; snapshots already taken stay usable until their time is over.
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
	/* After a snapshot was taken and SEEN sent. snap is valid for the call
	   and, under the same cluster name, from feed_client_get(). */
	void (*snapshot_cb)(void *arg, const struct snapshot *snap);
	/* When the agent's counters are wanted, once a second. */
	void (*stats_cb)(void *arg, struct feed_stats *out);
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

/* Tells the prober that a connection waits; at most one message in 20 ms. */
void feed_client_want(
    struct feed_client *fc, const struct feed_want *want, struct mono now);

#endif
