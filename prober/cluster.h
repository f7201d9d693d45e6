/*
 * cluster.h - one cluster: its probes, its evidence, its verdict.
 *
 * Evidence changed -> judge -> publish -> feed, HAProxy, log.
 * Others read the struct; only cluster.c writes it.
 */
#ifndef CLUSTER_H
#define CLUSTER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "creds.h"
#include "evidence.h"
#include "orders.h"
#include "patroni.h"
#include "policy.h"
#include "publish.h"
#include "reads.h"
#include "report.h"
#include "snapshot.h"
#include "tell.h"
#include "tick.h"
#include "verdict.h"

struct app;
struct cluster;
struct pg_probe;
struct roster;

/* How one member is asked. Its index is evidence's. */
struct cluster_member {
	unsigned magic;
	struct cluster *cluster;
	uint8_t i;
	char name[LIM_NAME]; /* of whom the probes below ask; "": nobody */
	struct patroni_probe *rest;
	struct pg_probe *sql; /* NULL: no probe_user */
	struct tick_slot slot;
	ev_timer tick;
};

struct cluster {
	unsigned magic;
	struct app *app;
	uint16_t index; /* in the configuration */
	const struct conf_cluster *conf;
	struct policy policy;
	struct creds creds;
	struct patroni_cfg patroni; /* of all its members' probes */
	struct roster *roster;      /* NULL: members come from the DCS alone */
	struct cluster_ev ev;
	struct reads_state reads;
	struct verdict verdict;
	struct mono judged_at;
	bool learning; /* just begun, or woken: too little is known to act on */
	struct mono learning_since;
	struct snapshot snap;
	struct publish_site site;
	struct orders orders;             /* an operator's; cluster_orders.c */
	bool is_orders_heard;             /* etcd gave or refused them once */
	char order_prefix[ORDERS_PREFIX]; /* of their keys in etcd */
	char addr[LIM_MEMBERS][LIM_ADDR]; /* numeric; "": not resolved */
	/* Where HAProxy shall find it: conn_url's, or proxy_url's. Likewise. */
	char front[LIM_MEMBERS][LIM_ADDR];
	struct cluster_member member[LIM_MEMBERS];
	bool fast;               /* the members are asked every 20 ms */
	struct mono wanted_till; /* an agent's connection waits */
	uint32_t closed;  /* bit i: member i's sessions are none of ours */
	uint64_t changes; /* of the verdict, since the start */
	uint64_t transitions;
	bool in_transition;                   /* when last judged */
	uint64_t probes[EV_SQL + 1][EV_RC_N]; /* answers, by source */
	struct log_rate rate, tell_rate;
	struct tell tell;
	struct report_watch report;
	uint64_t routed_seq; /* of the snapshot that has its new target */
};

/*
 * Gives: a cluster with a first verdict (nothing is known), NULL if memory is
 * out. Its keys come by cluster_etcd_view() and cluster_etcd_alive().
 */
struct cluster *cluster_new(struct app *app, uint16_t index)
    __attribute__((warn_unused_result));
void cluster_free(struct cluster *c);

/* The two halves of an etcd_sink; arg is the cluster. */
void cluster_etcd_view_cb(
    void *arg, const struct ev_view *view, struct mono at);
void cluster_etcd_alive_cb(void *arg, struct mono at);

/* Names got other addresses: every probe is pointed anew. */
void cluster_retarget(struct cluster *c);

/* Judges anew at once: what it is judged by was changed from outside. */
void cluster_judge(struct cluster *c, struct mono now);

/* Judges anew if the last time is too long ago to be relied on at `now`. */
void cluster_refresh(struct cluster *c, struct mono now);

/* An agent's connection waits: ask every 20 ms for a while. */
void cluster_want(struct cluster *c, struct mono now);

/* What this host's HAProxy allows, by member index; judges if it changed. */
void cluster_set_site(struct cluster *c, const struct publish_site *site);

/* The latest. Always passes snap_check(). */
const struct snapshot *cluster_snapshot(const struct cluster *c);

/*
 * Age of the oldest evidence that the verdict rests on, at `now`, judged anew
 * where needed. Gives: FEED_AGE_STALE if it rests on nothing fresh; never while
 * classic is forced, for then agents are to answer so.
 */
uint32_t cluster_age_ms(struct cluster *c, struct mono now);

/*
 * Is there a verdict to act on: one that rests on evidence, from a prober that
 * has heard of every member since it began or woke? (Not: is there a target.)
 */
bool is_cluster_usable(struct cluster *c, struct mono now);

/*
 * May HAProxy route by it where no agent answers? Not while it is observed:
 * without an agent, too, the classic way is to serve.
 */
bool is_cluster_routing(struct cluster *c, struct mono now);

#endif
