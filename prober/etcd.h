/*
 * etcd.h - the DCS: etcd v3 through its JSON gateway.
 *
 * One client for one list of endpoints, whatever the number of clusters on
 * it: a whole read of each prefix, then one watch stream for all of them, and
 * each second a linearizable read that proves the watch alive and complete.
 * Source: etcd API reference, v3.4.
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
struct etcd_sink {
	void (*view)(void *arg, const struct ev_view *view, struct mono at);
	void (*alive)(void *arg, struct mono at);
	void *arg;
};

/*
 * Needs: n endpoints, 1..LIM_ENDPOINTS, copied; names are resolved by r.
 * Gives: NULL if memory is out. It starts to dial with the first etcd_add().
 */
struct etcd *etcd_new(struct ev_loop *loop, struct http_client *http,
    struct resolve *r, const struct conf_endpoint *endpoint, uint8_t n)
    __attribute__((warn_unused_result));

/*
 * Follows the keys under `prefix` ("/service/main/", with its last slash),
 * at most LIM_CLUSTERS of them. Adding several in one loop iteration costs
 * one dial.
 * Gives: false if memory or room is out, or the prefix is too long.
 */
bool etcd_add(struct etcd *e, const char *prefix, const struct etcd_sink *sink)
    __attribute__((warn_unused_result));

/* e may be NULL. No callback comes afterwards. */
void etcd_free(struct etcd *e);

#endif
