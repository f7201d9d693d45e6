/*
 * cluster_orders.c - see cluster_orders.h. Owns the two sets, etcd's and this
 * host's; each is there only while there is an order in it, for there may be
 * hundreds of clusters. Each order that comes, changes or ends is one line of
 * the log and one event.
 */
#include "cluster_orders.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "events.h"
#include "log.h"
#include "orders_file.h"
#include "wall.h"

enum change {
	CHANGE_NONE = 0,
	CHANGE_GIVEN,
	CHANGE_TAKEN, /* back, or its lease is over */
	CHANGE_OVER
};

static const char *change_name(enum change ch)
{
	switch (ch) {
	case CHANGE_GIVEN:
		return "given";
	case CHANGE_TAKEN:
		return "taken-back";
	case CHANGE_OVER:
		return "over";
	case CHANGE_NONE:
		break;
	}
	abort();
}

/* "holds new connections of main", "drains node2" … */
static void sentence(const struct cluster *c, const struct order *o,
    enum change ch, char text[static EVENTS_TEXT])
{
	const char *what = o->kind == ORDER_HOLD ? "hold of new connections"
	    : o->kind == ORDER_FORCE             ? "force of the writes to "
	    : o->kind == ORDER_DRAIN             ? "drain of "
	    : o->is_observe                      ? "observe mode"
						 : "live mode";
	bool named = o->kind == ORDER_FORCE || o->kind == ORDER_DRAIN;
	const char *where = o->is_host ? "this host alone" : "all hosts";
	char whole[2 * EVENTS_TEXT];
	const char *end = ch == CHANGE_GIVEN ? "is ordered for"
	    : ch == CHANGE_OVER              ? "has come to its end, for"
					     : "is no longer ordered, for";

	int n = snprintf(whole, sizeof(whole),
	    "the %s%s of cluster %s %s %s%s%s%s%s", what,
	    named ? o->member : "", c->conf->name, end, where,
	    o->by[0] != '\0' ? ", by " : "", o->by,
	    o->reason[0] != '\0' ? ": " : "", o->reason);
	assert(n > 0);
	order_text(slice_str(whole), text, EVENTS_TEXT);
}

static void tell(struct cluster *c, const struct order *o, enum change ch)
{
	struct event e = event_of(EVENT_CONTROL, wall_ms());
	char text[EVENTS_TEXT], reason[LOG_TEXT], by[LOG_TEXT];

	sentence(c, o, ch, text);
	log_info("change cluster=%s order=%s%s%s %s where=%s by=%s reason=%s",
	    c->conf->name,
	    o->kind == ORDER_MODE ? (o->is_observe ? "observe" : "live")
				  : order_kind_name(o->kind),
	    o->member[0] != '\0' ? " member=" : "", o->member, change_name(ch),
	    o->is_host ? "host" : "etcd", log_text(slice_str(o->by), by),
	    log_text(slice_str(o->reason), reason));
	e.cluster = c->conf->name;
	e.member = o->member[0] != '\0' ? o->member : NULL;
	e.to = change_name(ch);
	e.text = text;
	(void)events_put(c->app->events, &e);
}

static const struct order *same_of(
    const struct order_set *s, const struct order *o)
{
	int i = order_set_find(s, o->kind, o->member);

	return i == -1 ? NULL : &s->o[i];
}

static void tell_difference(
    struct cluster *c, const struct order_set *was, const struct order_set *is)
{
	for (unsigned i = 0; was != NULL && i < was->n; i++)
		if (!was->o[i].is_over && same_of(is, &was->o[i]) == NULL)
			tell(c, &was->o[i], CHANGE_TAKEN);
	for (unsigned i = 0; is != NULL && i < is->n; i++) {
		const struct order *old = same_of(was, &is->o[i]);

		if (old == NULL || !is_order_same(old, &is->o[i]))
			tell(c, &is->o[i], CHANGE_GIVEN);
	}
}

/* Sets are exchanged as a whole: pointers into the old one are gone. */
static void exchange(struct cluster *c, bool is_host, struct order_set *fresh)
{
	const struct order_set *old = is_host ? c->orders.host : c->orders.etcd;
	const struct order_set *etcd = is_host ? c->orders.etcd : fresh;
	const struct order_set *host = is_host ? fresh : c->orders.host;

	c->orders = orders_of(etcd, host);
	/* What is in force points into both, which the analyzer cannot see. */
	assert(c->orders.etcd == etcd && c->orders.host == host);
	free((void *)(uintptr_t)old);
}

/* Gives: NULL if memory is out; an empty one of no set. */
static struct order_set *copy_of(const struct order_set *s)
{
	struct order_set *fresh = calloc(1, sizeof(*fresh));

	if (fresh != NULL && s != NULL)
		*fresh = *s;
	return fresh;
}

static struct order_set *or_none(struct order_set *s)
{
	if (s == NULL || s->n > 0)
		return s;
	free(s);
	return NULL;
}

/*
 * What is read again each second is what was read: an order's end stays
 * counted from when it was first seen, and what is over stays so.
 */
static void keep_ends(struct order_set *fresh, const struct order_set *was)
{
	for (unsigned i = 0; i < fresh->n; i++) {
		const struct order *old = same_of(was, &fresh->o[i]);

		if (old == NULL || !is_order_same(old, &fresh->o[i]))
			continue;
		fresh->o[i].until = old->until;
		fresh->o[i].until_ms = old->until_ms;
		fresh->o[i].is_over = old->is_over;
	}
}

static bool is_set_same(const struct order_set *a, const struct order_set *b)
{
	if (a == NULL || b == NULL)
		return (a == NULL || a->n == 0) && (b == NULL || b->n == 0);
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		const struct order *o = same_of(b, &a->o[i]);

		if (o == NULL || !is_order_same(&a->o[i], o))
			return false;
	}
	return true;
}

void cluster_orders_cb(void *arg, const struct order_set *all)
{
	struct cluster *c = arg;
	struct order_set *fresh;

	c->is_orders_heard = true;
	if (all == NULL || is_set_same(c->orders.etcd, all))
		return;
	fresh = copy_of(all);
	if (fresh == NULL)
		return; /* read again in a second */
	keep_ends(fresh, c->orders.etcd);
	tell_difference(c, c->orders.etcd, fresh);
	exchange(c, false, or_none(fresh));
	cluster_judge(c, mono_now());
}

bool cluster_order_host(struct cluster *c, const struct order *o)
{
	struct order_set *fresh = copy_of(c->orders.host);

	if (fresh == NULL || !order_set_put(fresh, o)) {
		free(fresh);
		return false;
	}
	tell(c, o, CHANGE_GIVEN);
	exchange(c, true, fresh);
	cluster_judge(c, mono_now());
	return true;
}

static void remove_one(struct cluster *c, int i, enum change why)
{
	const struct order_set *s = c->orders.host;
	struct order_set *fresh = copy_of(s);

	if (fresh == NULL)
		return; /* it stays a moment longer */
	tell(c, &s->o[i], why);
	order_set_remove(fresh, i);
	exchange(c, true, or_none(fresh));
}

static void save(const struct cluster *c)
{
	if (!orders_file_save(c->app))
		log_warn("drop orders=%s", c->app->conf->prober.state_dir);
}

bool cluster_unorder_host(
    struct cluster *c, enum order_kind kind, const char *member)
{
	int i = order_set_find(c->orders.host, kind, member);

	if (i == -1)
		return false;
	remove_one(c, i, CHANGE_TAKEN);
	save(c);
	cluster_judge(c, mono_now());
	return true;
}

/*
 * Its key may outlive it: etcd takes a lease's keys away up to half a second
 * late, prolongs each at a change of its own leader, and a key by hand has
 * none. So it stays in the set, over, until a read comes without its key.
 */
static bool end_key(struct cluster *c, int i)
{
	struct order_set *fresh = copy_of(c->orders.etcd);

	if (fresh == NULL)
		return false;
	tell(c, &fresh->o[i], CHANGE_OVER);
	fresh->o[i].is_over = true;
	exchange(c, false, fresh);
	return true;
}

static void end_those_over(struct cluster *c, struct mono now)
{
	int i;

	while ((i = order_set_over(c->orders.host, now)) != -1) {
		remove_one(c, i, CHANGE_OVER);
		if (order_set_over(c->orders.host, now) == i)
			return; /* no memory */
		save(c);
	}
	while ((i = order_set_over(c->orders.etcd, now)) != -1)
		if (!end_key(c, i))
			return; /* no memory */
}

void cluster_orders_apply(
    struct cluster *c, struct publish_site *site, struct mono now)
{
	const struct order *f;

	end_those_over(c, now);
	f = c->orders.force;
	c->ev.hold = c->orders.hold != NULL;
	c->ev.force = -1;
	if (f != NULL && !is_cluster_classic(c)) {
		int i = ev_find(&c->ev, f->member);

		c->ev.force = (int8_t)(i >= 0 ? i : EV_FORCE_UNKNOWN);
	}
	for (int i = 0; i < c->ev.n; i++)
		site->drained[i] = site->drained[i] ||
		    orders_drain(&c->orders, c->ev.m[i].dcs.name) != NULL;
}

void cluster_orders_free(struct cluster *c)
{
	free((void *)(uintptr_t)c->orders.etcd);
	free((void *)(uintptr_t)c->orders.host);
	c->orders = (struct orders){.hold = NULL};
}
