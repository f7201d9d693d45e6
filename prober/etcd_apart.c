/*
 * etcd_apart.c - api=auto: clusters on one list of endpoints that keep their
 * keys by different APIs, as when they move from v2 to v3 one by one.
 *
 * A client reads all its clusters by one API. One that has no leader key there
 * is looked for in the other before anything of it is shown, for what is empty
 * here may be well there; and again beside the watch, while it has none. If the
 * other API has more of it, it gets a client of its own, which finds its way
 * whatever happens later. Its neighbours stay together; so does a cluster that
 * moves with all others. What is apart stays so until the next start.
 */
#include <assert.h>
#include <stdlib.h>

#include "etcd_apart.h"

static void look_next(struct etcd *e);

bool is_etcd_lost(const struct etcd_cluster *c)
{
	return c->is_unread || !c->keys.view.has_leader;
}

/* How much our API has of a cluster without a leader key. */
static enum etcd_trace trace_here(const struct etcd_cluster *c)
{
	unsigned i;

	for (i = 0; i < ETCD3_PARTS; i++) {
		if (c->is_unread || c->part[i].count > 0)
			return ETCD_TRACE_KEYS;
	}
	return ETCD_TRACE_NONE;
}

/* As etcd_find.c decides of all. */
static bool is_there(
    const struct etcd *e, const struct etcd_cluster *c, enum etcd_trace there)
{
	if (e->is_aside)
		return there == ETCD_TRACE_LEADER;
	/* v3 wins where both have as much: v2 has no leader key either. */
	if (e->found.api == CONF_ETCD_V2)
		return there >= ETCD_TRACE_KEYS;
	return there > trace_here(c);
}

/* ---- parting ---- */

/* Gives: false if there is no memory for it: it is left out, and read again. */
static bool give_own(struct etcd *e, struct etcd_cluster *c)
{
	struct etcd *own = etcd_new_own(e);

	assert(c->wait == NULL);
	if (own == NULL || !etcd_add(own, c->keys.prefix, &c->sink)) {
		etcd_free(own);
		etcd_leave_out(c, "no memory for a client of its own");
		return false;
	}
	own->next_own = e->own;
	e->own = own;
	log_info("change etcd=%s prefix=%s why=\"its keys are in the other "
		 "API than its neighbours': a client of its own\"",
	    e->addr, c->keys.prefix);
	return true;
}

static void part(struct etcd *e)
{
	uint16_t i, kept = 0;

	for (i = 0; i < e->n; i++) {
		struct etcd_cluster *c = e->cluster[i];

		if (c->is_parting && give_own(e, c)) {
			free(c);
			continue;
		}
		c->is_parting = false;
		c->index = kept;
		e->cluster[kept++] = c;
	}
	e->n = kept;
}

static uint16_t parting(const struct etcd *e)
{
	uint16_t i, n = 0;

	for (i = 0; i < e->n; i++)
		n = (uint16_t)(n + e->cluster[i]->is_parting);
	return n;
}

/* ---- the end of a look at all ---- */

static void end_aside(struct etcd *e)
{
	uint16_t i, n = parting(e);

	e->is_aside = false;
	if (n == 0)
		return;
	/* Nothing is under way behind this: clusters can be taken out. */
	etcd_read_again(e, "the other API has a leader key");
	/* All together: they are found there. */
	for (i = 0; n == e->n && i < e->n; i++)
		e->cluster[i]->is_parting = false;
	part(e);
}

static void end_reading(struct etcd *e)
{
	uint16_t i;

	part(e);
	if (e->n == 0) {
		etcd_move(e, ETCD_AWAY, "each cluster has its own client");
		return;
	}
	for (i = 0; i < e->n; i++) {
		struct etcd_cluster *c = e->cluster[i];

		if (c->is_held && !c->is_unread)
			etcd_cluster_show(c, c->held_asked);
		c->is_held = false;
	}
	if (!is_etcd_any_read(e))
		return;
	if (e->found.api == CONF_ETCD_V2)
		etcd2_follow(e);
	else
		etcd3_watch_open(e);
}

static void end(struct etcd *e)
{
	if (e->is_aside)
		end_aside(e);
	else
		end_reading(e);
}

/* ---- looking ---- */

static void judge(struct etcd *e, enum etcd_trace there)
{
	struct etcd_cluster *c = e->cluster[e->look++];

	if (there == ETCD_TRACE_UNKNOWN && !e->is_aside)
		etcd_leave_out(c, "the other API cannot be asked for it");
	else
		c->is_parting = is_there(e, c, there);
	look_next(e);
}

static void look2_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);

	e->ask = NULL;
	if (a->rc != EV_RC_OK) {
		(void)is_etcd_ask_bad(e, a);
		return;
	}
	e->found.v2 = etcd2_trace(e->cluster[e->look], a);
	judge(e, e->found.v2);
}

static void look3_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);

	e->ask = NULL;
	e->found.v3 = etcd3_trace(e, a, 1);
	if (e->found.v3 != ETCD_TRACE_UNKNOWN)
		judge(e, e->found.v3);
}

static void look3(struct etcd *e)
{
	etcd3_look(e, e->look, 1, look3_cb);
}

static enum etcd_trace found_there(const struct etcd *e)
{
	return e->found.api == CONF_ETCD_V2 ? e->found.v3 : e->found.v2;
}

static void look_next(struct etcd *e)
{
	while (e->look < e->n && !is_etcd_lost(e->cluster[e->look]))
		e->look++;
	if (e->look == e->n || found_there(e) == ETCD_TRACE_UNSPOKEN)
		end(e);
	else if (e->found.api == CONF_ETCD_V2)
		etcd_login(e, look3);
	else
		etcd2_look(e, e->look, look2_cb);
}

bool is_etcd_mixed(const struct etcd *e)
{
	return e->conf->etcd_api == CONF_ETCD_AUTO && e->n > 1;
}

/* Whatever an earlier look found that came to no end. */
static void begin(struct etcd *e)
{
	uint16_t i;

	e->look = 0;
	for (i = 0; i < e->n; i++)
		e->cluster[i]->is_parting = false;
}

void etcd_apart_read(struct etcd *e)
{
	assert(!e->is_aside && e->ask == NULL);
	begin(e);
	if (is_etcd_mixed(e))
		look_next(e);
	else
		end(e);
}

void etcd_apart_aside(struct etcd *e)
{
	assert(e->ask == NULL && e->login == NULL);
	if (found_there(e) == ETCD_TRACE_UNSPOKEN)
		return;
	e->is_aside = true;
	begin(e);
	look_next(e);
}
