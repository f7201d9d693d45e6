/*
 * etcd_cluster.h - one cluster's keys as the etcd edge follows them, and the
 * proof that they are all there.
 *
 * A watch delivers in order and whole, so two facts of a later linearizable
 * read prove that nothing is missing: no key is newer than the newest event,
 * and there are as many keys as were counted (a lost delete changes nothing
 * else). With v3 each of its two parts (etcd3_ask.h) is a watch of its own.
 * With v2 the leader key stands for all: one watch carries everything, and
 * Patroni renews that key each loop. No I/O.
 */
#ifndef ETCD_CLUSTER_H
#define ETCD_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "dcs_keys.h"
#include "etcd.h"
#include "etcd2_json.h"
#include "etcd3_json.h"

struct etcd_part {
	int64_t seen;   /* newest revision of a read or of an event */
	uint64_t count; /* its keys */
	struct etcd3_beat beat;
	bool is_created; /* its watch */
};

struct etcd_cluster {
	unsigned magic;
	struct etcd *etcd;
	uint16_t index; /* among its client's clusters */
	struct dcs_keys keys;
	struct etcd_sink sink;
	bool is_changed;
	bool is_unread; /* its keys could not be read: it is left out */
	bool is_told;   /* … and the log has said so */
	/* api=auto: read, and shown once the other API was looked at; its keys
	   are there. */
	bool is_held, is_parting;
	struct mono held_asked;
	/* v3 */
	struct etcd_part part[ETCD3_PARTS];
	bool is_unproven;        /* a heartbeat's answer waits for events */
	int64_t history_skipped; /* this revision of it was too large */
	/* v2 */
	struct http_req *wait;
	int64_t index_seen;  /* of the newest event, or of the read */
	int64_t leader_seen; /* of the leader key's newest event, or read */
};

/* A whole read begins: forgets what was there. */
void etcd_cluster_clear(struct etcd_cluster *c);

/* Hands the view to the sink. */
void etcd_cluster_show(struct etcd_cluster *c, struct mono at);

/* v3: one key of a whole read; the whole read was this; one event. */
void etcd_cluster_read(struct etcd_cluster *c, const struct etcd3_kv *kv);
void etcd_cluster_take(struct etcd_cluster *c, const struct etcd3_read *read);
void etcd_cluster_event(
    struct etcd_cluster *c, unsigned part, const struct etcd3_kv *kv);

/* The newest revision that was seen of any part. */
int64_t etcd_cluster_seen(const struct etcd_cluster *c);

/*
 * Gives: false while the heartbeat's answer, which is of `revision`, knows
 * more than the stream has told; otherwise the sink hears, once, that the
 * view was true at `asked`.
 */
bool etcd_cluster_prove(
    struct etcd_cluster *c, int64_t revision, struct mono asked);

/* v2: one key of a read, or one event. */
void etcd_cluster_node(struct etcd_cluster *c, const struct etcd2_kv *kv);

/*
 * v2: the leader key was asked for; `modified` 0: there was none, at `index`.
 * Gives: as etcd_cluster_prove().
 */
struct etcd2_proof {
	int64_t modified, index;
	struct mono asked;
};
bool etcd_cluster_prove2(
    struct etcd_cluster *c, const struct etcd2_proof *proof);

#endif
