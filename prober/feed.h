/*
 * feed.h - the prober's end of the feed: snapshots to the agents.
 *
 * Source: design, "Feed"; the messages are feed_msg.h's.
 */
#ifndef FEED_H
#define FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "feed_msg.h"
#include "mono.h"

struct app;
struct feed;

/*
 * Needs: fd listens (SOCK_SEQPACKET, non-blocking) and becomes the feed's;
 * app's clusters live longer. Gives: NULL if memory is out (fd closed).
 */
struct feed *feed_new(struct app *app, int fd)
    __attribute__((warn_unused_result));

/* Closes every connection and the listener. f may be NULL. */
void feed_free(struct feed *f);

/* The snapshot of this cluster has changed: every agent is told the latest. */
void feed_cluster_changed(struct feed *f, uint16_t cluster);

/*
 * Has every agent that is here said that it decides by snapshot `seq` of
 * this cluster, or a later one? True while there is none.
 */
bool is_feed_seen(const struct feed *f, uint16_t cluster, uint64_t seq);

/* What an operator may see of one agent. */
struct feed_agent {
	bool here, has_stats;
	uint64_t boot_id;
	char program[LIM_NAME];
	struct mono since, heard_at; /* heard_at: its last ping */
	struct feed_stats stats;
};

/* Needs: i < LIM_FEED_CLIENTS. Gives: here = false for an empty place. */
void feed_agent_at(const struct feed *f, unsigned i, struct feed_agent *out);

/*
 * Connections that were observed, of this cluster, of all agents that this
 * prober has heard of: it never falls.
 * Gives: false, and 0, where an agent of an earlier version counts for all
 * clusters together, and they are several: nobody knows. f may be NULL: none.
 */
bool feed_observed(const struct feed *f, uint16_t cluster,
    struct feed_observed *out) __attribute__((warn_unused_result));

/* Which snapshot agent i decides by, 0: none. */
uint64_t feed_agent_seen(const struct feed *f, unsigned i, uint16_t cluster);

#endif
