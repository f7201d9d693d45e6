/*
 * etcd_int.h - what the files of the etcd edge have of each other, over the
 * client that all of them work on (etcd_state.h).
 *
 *   etcd.c         endpoints in turn, their pace, the pulse; the client
 *   etcd_find.c    which API, which prefix of the gateway; logging in
 *   etcd_apart.c   clusters whose keys are in the other API
 *   etcd3_read.c   v3: the keys of each cluster
 *   etcd3_watch.c  v3: one stream for all clusters
 *   etcd3_beat.c   v3: the heartbeat
 *   etcd2.c        v2: all of these
 *   etcd_orders.c  operators' orders, by either: reading, writing
 */
#ifndef ETCD_INT_H
#define ETCD_INT_H

#include "etcd_state.h"

#define ETCD_DEADLINE_MS 1000 /* of each read and heartbeat */
#define ETCD_GRACE_MS 200 /* an event may be behind the heartbeat's answer */
#define ETCD_BEAT_OPS 120 /* etcd's --max-txn-ops is 128 */
#define ETCD_ASK_HEAD 64u

/* ---- etcd.c ---- */

struct etcd *etcd_of(void *p);
struct etcd_cluster *etcd_cluster_of(void *p);
void etcd_move(struct etcd *e, enum etcd_state to, const char *why);

/* The endpoint, or what it told, is no good: the next one, a new read. */
void etcd_give_up(struct etcd *e, const char *why);

/* The same endpoint again: it is well, what we know of it is not. */
void etcd_read_again(struct etcd *e, const char *why);

/* Gives: "v3", "v2", or NULL. */
const char *etcd_api_text(enum conf_etcd_api api);

/* A cluster's keys cannot be had: it is left out, the others go on. */
void etcd_leave_out(struct etcd_cluster *c, const char *why);

/*
 * A request to the endpoint in use, with whatever proves who we are. The
 * strings must live until it is asked.
 */
struct http_ask etcd_question(struct etcd *e, const char *path,
    const struct etcd_text *post,
    void (*done)(void *, const struct http_answer *));

/* Into *slot; gives up if not even that can be done. False: it did. */
bool etcd_send(struct etcd *e, struct http_req **slot, const struct http_ask *a,
    bool fits);

/* A path below the gateway's root. */
#define ETCD_PATH 64
const char *etcd3_path(
    const struct etcd *e, const char *name, char buf[static ETCD_PATH]);

/*
 * Gives: false if this is not the cluster that was spoken with; it is then
 * forgotten, and a new read is due.
 */
bool is_etcd_same(struct etcd *e, uint64_t cluster_id);

/*
 * A cluster's keys are all there. Beside the watch: it can join the others.
 * Gives: false if it dials anew: what was under way is over.
 */
bool etcd_read_done(struct etcd_cluster *c, struct mono asked)
    __attribute__((warn_unused_result));

/* Gives: false, and has given up, if no cluster could be read. */
bool is_etcd_any_read(struct etcd *e);

/* The next cluster at or after `i` that is followed; e->n: none. */
uint16_t etcd_next(const struct etcd *e, unsigned i);

/* The watch is open: the heartbeats begin. */
void etcd_pulse_start(struct etcd *e);

void etcd_grace_start(struct etcd *e);

/* Gives: true, and has given up or dials anew, if it is no 200. */
bool is_etcd_bad(struct etcd *e, const struct http_answer *a);

/*
 * The same of what `ask` asked, or `login`: beside the watch nothing is lost,
 * and it is tried again at its time.
 */
bool is_etcd_ask_bad(struct etcd *e, const struct http_answer *a);
void etcd_ask_failed(struct etcd *e, const char *why);

/* ---- etcd_find.c ---- */

/* Which API; then read. */
void etcd_find(struct etcd *e);

/* v3: a token, if a user is set; then `then`. */
void etcd_login(struct etcd *e, void (*then)(struct etcd *e));

/* ---- v3 ---- */

void etcd3_read_next(struct etcd *e);
/* Beside the watch: can a cluster that was left out be read again? */
void etcd3_read_aside(struct etcd *e);
void etcd3_watch_open(struct etcd *e);
void etcd3_beat_start(struct etcd *e);
/* Proves what is proven by now, and goes on with the beat if all of it is. */
void etcd3_beat_go_on(struct etcd *e);

/* ---- etcd_orders.c ---- */

/* The client follows its clusters, or one second more has passed. */
void etcd_orders_pulse(struct etcd *e);
/* What is under way ends; a write is told that it failed. */
void etcd_orders_hang_up(struct etcd *e);

/* ---- v2 ---- */

/* A request for one key of a cluster, or for its events; see etcd_send(). */
struct etcd2_ask {
	const char *prefix, *name; /* name "": all of them */
	int64_t wait;              /* 0: now, and through the quorum */
	void (*done)(void *, const struct http_answer *);
	void *arg;
};
bool etcd2_send(
    struct etcd *e, struct http_req **slot, const struct etcd2_ask *q);

void etcd2_read_next(struct etcd *e);
void etcd2_read_aside(struct etcd *e);
void etcd2_follow(struct etcd *e);
void etcd2_beat_start(struct etcd *e);

#endif
