/*
 * etcd_cluster.h - one cluster's keys as etcd.c follows them, and the proof
 * that they are all there.
 *
 * A watch delivers in order and whole, so two facts of a later linearizable
 * read prove that nothing is missing: no key is newer than the newest event,
 * and there are as many keys as were counted (a lost delete changes nothing
 * else). No I/O.
 */
#ifndef ETCD_CLUSTER_H
#define ETCD_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "dcs_keys.h"
#include "etcd.h"
#include "etcd3_json.h"

struct etcd_cluster {
	struct dcs_keys keys;
	struct etcd_sink sink;
	int64_t seen;   /* newest revision of a read or of an event */
	uint64_t count; /* keys under the prefix */
	bool is_created, is_changed;
	bool is_unproven; /* a heartbeat's answer waits for events */
	struct etcd3_beat beat;
};

/* A whole read begins: forgets what was there. Then one call a key. */
void etcd_cluster_clear(struct etcd_cluster *c);
void etcd_cluster_read(struct etcd_cluster *c, const struct etcd3_kv *kv);

/* The whole read was of this revision, and of this many keys. */
void etcd_cluster_take(struct etcd_cluster *c, const struct etcd3_range *range);

/* One event of the watch. */
void etcd_cluster_event(struct etcd_cluster *c, const struct etcd3_kv *kv);

/* Hands the view to the sink. */
void etcd_cluster_show(struct etcd_cluster *c, struct mono at);

/*
 * Gives: false while the heartbeat's answer, which is of `revision`, knows
 * more than the stream has told; otherwise the sink hears, once, that the
 * view was true at `asked`.
 */
bool etcd_cluster_prove(
    struct etcd_cluster *c, int64_t revision, struct mono asked);

#endif
