/*
 * topology_control.c - operators' orders in force, for topology.c.
 */
#include <assert.h>
#include <cjson/cJSON.h>
#include <string.h>

#include "app.h"
#include "cluster.h"
#include "cluster_orders.h"
#include "feed.h"
#include "jsonout.h"
#include "topology.h"

static cJSON *order_json(const struct order *o, struct mono now)
{
	cJSON *e = cJSON_CreateObject();
	char at[JSONOUT_TIME];

	if (o->member[0] != '\0')
		(void)cJSON_AddStringToObject(e, "member", o->member);
	(void)cJSON_AddStringToObject(e, "reason", o->reason);
	(void)cJSON_AddStringToObject(e, "by", o->by);
	if (o->at_ms > 0)
		(void)cJSON_AddStringToObject(
		    e, "at", jsonout_time(o->at_ms, at));
	if (o->until_ms > 0)
		(void)cJSON_AddStringToObject(
		    e, "until", jsonout_time(o->until_ms, at));
	if (is_mono_set(o->until))
		(void)cJSON_AddNumberToObject(e, "left_ms",
		    is_mono_before(now, o->until)
			? (double)dur_to_ms(mono_sub(o->until, now))
			: 0);
	(void)cJSON_AddStringToObject(e, "where", o->is_host ? "host" : "etcd");
	return e;
}

static void add_order(
    cJSON *o, const char *key, const struct order *order, struct mono now)
{
	(void)cJSON_AddItemToObject(o, key,
	    order == NULL ? cJSON_CreateNull() : order_json(order, now));
}

/* One drained by both is in it once. */
static void add_drains(cJSON *list, const struct orders *all, struct mono now)
{
	const struct order_set *set[] = {all->host, all->etcd};

	for (size_t k = 0; k < 2; k++)
		for (unsigned i = 0; set[k] != NULL && i < set[k]->n; i++) {
			const struct order *o = &set[k]->o[i];

			if (o->kind == ORDER_DRAIN &&
			    orders_drain(all, o->member) == o)
				(void)cJSON_AddItemToArray(
				    list, order_json(o, now));
		}
}

static void add_sum(cJSON *o, const char *key, bool known, const uint64_t *n)
{
	double sum = 0;

	for (int k = 0; k < OBSERVE_KINDS; k++)
		sum += (double)n[k];
	(void)cJSON_AddItemToObject(
	    o, key, known ? cJSON_CreateNumber(sum) : cJSON_CreateNull());
}

/* What all agents observed of it, and since when the classic way differs. */
static void add_observed(cJSON *o, const struct cluster *c, struct mono now)
{
	cJSON *e = cJSON_AddObjectToObject(o, "observe");
	struct feed_observed sum;
	bool known = feed_observed(c->app->feed, c->index, &sum);

	add_sum(e, "same", known, sum.same);
	add_sum(e, "differs", known, sum.differs);
	for (int k = 0; k < OBSERVE_ANY; k++) {
		const char *name = observe_kind_name((enum observe_kind)k);

		if (c->tell.differs[k])
			(void)cJSON_AddNumberToObject(e, name,
			    (double)dur_to_ms(
				mono_sub(now, c->tell.differs_at[k])));
		else
			(void)cJSON_AddNullToObject(e, name);
	}
}

void topology_control(cJSON *o, const struct cluster *c, struct mono now)
{
	cJSON *e = cJSON_AddObjectToObject(o, "control");
	const struct order *mode = c->orders.mode;

	assert(c != NULL);
	add_order(e, "hold", c->orders.hold, now);
	add_order(e, "force", c->orders.force, now);
	add_drains(cJSON_AddArrayToObject(e, "drains"), &c->orders, now);
	add_order(
	    e, "observe", mode != NULL && mode->is_observe ? mode : NULL, now);
	add_order(e, "mode", mode, now);
	add_observed(o, c, now);
	(void)cJSON_AddStringToObject(o, "mode",
	    is_cluster_classic(c)         ? "classic"
		: is_cluster_observing(c) ? "observe"
					  : "live");
}
