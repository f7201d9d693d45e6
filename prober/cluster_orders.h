/*
 * cluster_orders.h - what an operator has ordered of one cluster, in force.
 */
#ifndef CLUSTER_ORDERS_H
#define CLUSTER_ORDERS_H

#include "cluster.h"
#include "orders.h"

/* The keys in etcd, as an etcd_sink; arg is the cluster. NULL: refused. */
void cluster_orders_cb(void *arg, const struct order_set *all);

/*
 * This host's own. Takes effect at once.
 * Gives: false if there is no memory or no room for it.
 */
bool cluster_order_host(struct cluster *c, const struct order *o)
    __attribute__((warn_unused_result));
/* Gives: false if there was none of this kind (and, of a drain, member). */
bool cluster_unorder_host(
    struct cluster *c, enum order_kind kind, const char *member);

/*
 * What is over ends, and what is in force goes into the evidence and the site:
 * called before each judgement.
 */
void cluster_orders_apply(
    struct cluster *c, struct publish_site *site, struct mono now);

void cluster_orders_free(struct cluster *c);

/* HAProxy goes the third way, because an operator forced it to. */
static inline bool is_cluster_classic(const struct cluster *c)
{
	return is_orders_classic(&c->orders);
}

/* Decides and counts, while HAProxy goes the classic way. */
static inline bool is_cluster_observing(const struct cluster *c)
{
	return c->orders.mode != NULL ? c->orders.mode->is_observe
				      : c->conf->observe;
}

#endif
