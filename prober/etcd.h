/*
 * etcd.h - the DCS: etcd, by its v3 JSON gateway or its v2 keys API.
 *
 * One client for one list of endpoints (and one user, and one way of TLS),
 * whatever the number of clusters on it: a read of each cluster's keys, then a
 * watch, and each second a linearizable read that proves the watch alive and
 * complete. A cluster whose keys cannot be read is left out, and said so; its
 * neighbours go on. With etcd_api auto one whose keys are in the other API than
 * its neighbours' gets a connection, a watch and a heartbeat of its own.
 * Source: etcd's API references, v3.4 and v2.
 */
#ifndef ETCD_H
#define ETCD_H

#include <ev.h>

#include "conf.h"
#include "ev_item.h"
#include "http_client.h"
#include "resolve.h"

struct etcd;

/*
 * What one cluster learns. Both are called from the loop, never from inside
 * etcd_add().
 * view: all keys, after each whole read (at: when it was asked) and after
 * each batch of events (at: when they were received). It is valid during the
 * call only.
 * alive: the last view was still true at `at`, which is when the heartbeat
 * that proved it was asked; at <= now.
 */
struct order_set;
struct etcd_sink {
	void (*view)(void *arg, const struct ev_view *view, struct mono at);
	void (*alive)(void *arg, struct mono at);
	/* Orders: all keys below this prefix ("/patroute/main/"), after each
	   read of them, at least once in two seconds; `all` is NULL where etcd
	   refused it. The prefix outlives the client; NULL: there are none to
	   follow. */
	const char *order_prefix;
	void (*orders)(void *arg, const struct order_set *all);
	void *arg;
};

/*
 * Needs: conf lives as long as the client and has at least one endpoint; its
 * etcd_* keys are used, nothing else of it. Reads the files that they name:
 * what cannot be read is logged, and tried again by etcd_reload().
 * Gives: NULL if memory is out. It starts to dial with the first etcd_add().
 */
struct etcd *etcd_new(struct ev_loop *loop, struct http_client *http,
    struct resolve *r, const struct conf_cluster *conf)
    __attribute__((warn_unused_result));

/* Would one client do for both? By v2 each has its own watch and heartbeat. */
bool is_etcd_shared(const struct conf_cluster *a, const struct conf_cluster *b);

/*
 * Follows the keys under `prefix` ("/service/main/", with its last slash),
 * at most LIM_CLUSTERS of them. Adding several in one loop iteration costs
 * one dial.
 * Gives: false if memory or room is out, or the prefix is too long.
 */
bool etcd_add(struct etcd *e, const char *prefix, const struct etcd_sink *sink)
    __attribute__((warn_unused_result));

/*
 * Reads the files again: the password, the authorities, the certificate. If
 * one changed it dials anew; if one cannot be read it keeps what it has, and
 * logs it. Blocks on files: for SIGHUP.
 */
void etcd_reload(struct etcd *e);

/*
 * Of the cluster whose sink has this arg.
 * Gives: "v3" or "v2", as found or configured; NULL while nothing is found.
 */
const char *etcd_api_name(const struct etcd *e, const void *arg);

/*
 * One order's key, written or deleted, for the cluster whose sink has this
 * arg. Where it could be asked `done` is called once, may be from inside.
 */
enum etcd_order_end {
	ETCD_ORDER_NONE = 0,
	ETCD_ORDER_DONE,
	ETCD_ORDER_ABSENT,  /* it was to be deleted, and was not there */
	ETCD_ORDER_REFUSED, /* nothing was done */
	ETCD_ORDER_UNKNOWN  /* asked and not answered: may be it was done */
};

struct etcd_order {
	const void *of;
	const char *name;  /* below the prefix: "drain/node1" */
	const char *value; /* NULL: the key is deleted */
	int64_t ttl_s;     /* 0: until it is deleted */
	/* `why` of the last two: a clause; else NULL. */
	void (*done)(void *arg, enum etcd_order_end end, const char *why);
	void *arg;
};

/* Gives: NULL, or a clause: why it cannot even be asked. */
const char *etcd_order(struct etcd *e, const struct etcd_order *o)
    __attribute__((warn_unused_result));

/* e may be NULL. No callback comes afterwards. */
void etcd_free(struct etcd *e);

#endif
