/*
 * decide.c - from a NOTIFY's words to a decision; see decide.h.
 *
 * Called by agent.c for each stream and by the desk for each refusal. Blocks on
 * nothing. The judgement is route_decide()'s; here stands only the wait
 * that depends on the agent's own clock.
 */
#include "decide.h"

#include <assert.h>
#include <string.h>

#define NO_SLOT UINT16_MAX

static uint16_t slot_by_name(const struct decider *d, const char *name)
{
	for (uint16_t i = 0; i < LIM_CLUSTERS; i++) {
		if (strcmp(d->cluster[i].name, name) == 0)
			return i;
	}
	return NO_SLOT;
}

static bool is_configured(const struct conf *conf, const char *name)
{
	for (uint16_t i = 0; i < conf->cluster_n; i++) {
		if (strcmp(conf->cluster[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Every cluster of the configuration gets a slot; there are as many. */
static void take_slots(struct decider *d, uint32_t seed)
{
	for (uint16_t i = 0; i < d->conf->cluster_n; i++) {
		const char *name = d->conf->cluster[i].name;
		uint16_t slot = slot_by_name(d, name);

		if (slot == NO_SLOT) {
			slot = slot_by_name(d, "");
			assert(slot != NO_SLOT);
			d->cluster[slot] = (struct decide_cluster){0};
			memcpy(d->cluster[slot].name, name, LIM_NAME);
			d->cluster[slot].rr[0].turn = seed;
			d->cluster[slot].rr[1].turn = seed;
			seed = seed * 2654435761U + 1;
		}
		d->slot_of[i] = slot;
	}
}

void decide_init(struct decider *d, const struct conf *conf, uint32_t seed)
{
	assert(d != NULL && conf != NULL && conf->cluster_n <= LIM_CLUSTERS);
	memset(d, 0, sizeof(*d));
	d->conf = conf;
	take_slots(d, seed);
}

void decide_reload(struct decider *d, const struct conf *conf)
{
	uint32_t seed = d->cluster[d->slot_of[0]].rr[0].turn + 1;

	assert(conf != NULL && conf->cluster_n <= LIM_CLUSTERS);
	for (uint16_t i = 0; i < LIM_CLUSTERS; i++) {
		struct decide_cluster *c = &d->cluster[i];

		if (c->name[0] != '\0' && !is_configured(conf, c->name))
			*c = (struct decide_cluster){0};
	}
	d->conf = conf;
	d->pass++;
	take_slots(d, seed);
}

void decide_pass(struct decider *d, struct mono now)
{
	assert(d != NULL);
	d->pass++;
	d->now = now;
}

const struct snapshot *decide_fresh(struct decider *d, uint16_t slot)
{
	struct decide_cluster *c = &d->cluster[slot];

	if (c->pass != d->pass) {
		c->pass = d->pass;
		c->snap = feed_client_get(d->feed, c->name, d->now);
	}
	return c->snap;
}

static bool has_readers(const struct snapshot *snap)
{
	for (unsigned i = 0; i < snap->n; i++) {
		if ((snap->m[i].flags & SNAP_F_READ) != 0)
			return true;
	}
	return false;
}

int decide_snapshot(
    struct decider *d, const struct snapshot *snap, struct mono now)
{
	struct mono *since;
	uint16_t slot;

	assert(d != NULL && snap != NULL);
	slot = slot_by_name(d, snap->cluster);
	if (slot == NO_SLOT)
		return -1;
	since = &d->cluster[slot].empty_since;
	if (has_readers(snap))
		*since = (struct mono){0};
	else if (!is_mono_set(*since))
		*since = now;
	d->cluster[slot].write_since =
	    mono_add(now, dur_ms(-(int64_t)snap->since_ms));
	d->pass++;
	return slot;
}

enum decide_startup decide_intent(
    const struct decider *d, const struct notify *n, struct intent *it)
{
	enum startup_rc rc = STARTUP_OK;
	int listen;

	assert(d != NULL && n != NULL && it != NULL);
	if (n->is_odd || (listen = conf_listen_by_name(d->conf, n->listen)) < 0)
		return DECIDE_UNKNOWN;
	*it = conf_listen_intent(d->conf, (uint16_t)listen);
	if (n->first.len > 0)
		rc = startup_parse(n->first, it);
	if ((it->flags & INTENT_F_TLS) != 0 && n->sni.len > 0)
		startup_sni(n->sni, it);
	return rc == STARTUP_BAD ? DECIDE_STARTUP_BAD : DECIDE_STARTUP_OK;
}

uint16_t decide_slot(const struct decider *d, const struct intent *it)
{
	assert(it->listen < d->conf->listen_n);
	return d->slot_of[d->conf->listen[it->listen].cluster];
}

static bool is_read_wait_over(
    const struct decider *d, const struct decide_cluster *c)
{
	return mono_sub(d->now, c->empty_since).us >=
	    dur_ms(DECIDE_READ_WAIT_MS).us;
}

/* The pool became empty just now, and the replica's fallback would be taken. */
static bool waits_for_reader(const struct decider *d,
    const struct decide_cluster *c, const struct intent *it,
    const struct decision *dec)
{
	return dec->action == ROUTE_ACT_FALLBACK && it->want != INTENT_ANY &&
	    it->min_lsn == 0 && is_mono_set(c->empty_since) &&
	    !is_read_wait_over(d, c);
}

static struct rr *rr_of(struct decide_cluster *c, const struct intent *it)
{
	return &c->rr[(it->flags & INTENT_F_TLS) != 0 ? 1 : 0];
}

struct ruling decide_route(struct decider *d, const struct intent *it)
{
	struct decide_cluster *c;
	struct ruling r = {0};
	uint16_t slot;

	assert(d != NULL && it != NULL);
	slot = decide_slot(d, it);
	c = &d->cluster[slot];
	r.snap = decide_fresh(d, slot);
	if (r.snap == NULL)
		return r;
	r.d = route_decide(r.snap, it, rr_of(c, it));
	if (waits_for_reader(d, c, it, &r.d))
		r.d = (struct decision){
		    ROUTE_WAIT, ROUTE_ACT_HOLD, -1, SNAP_WHY_NO_REPLICA};
	return r;
}

struct ruling decide_explain(struct decider *d, const struct intent *it)
{
	struct rr *rr = rr_of(&d->cluster[decide_slot(d, it)], it);
	struct rr before = *rr;
	struct ruling r = decide_route(d, it);

	*rr = before;
	return r;
}

/* The leader changes, or changed so lately that replicas are still on the way
   to it: the first to wait was promised to be served. */
static bool is_changing(const struct decider *d, const struct snapshot *snap,
    const struct conf_listen *l)
{
	const struct decide_cluster *c = &d->cluster[d->slot_of[l->cluster]];

	return snap->transition ||
	    mono_sub(d->now, c->write_since).us <
	    d->conf->cluster[l->cluster].follow_grace.us;
}

struct dur decide_hold(
    const struct decider *d, const struct intent *it, const struct ruling *r)
{
	struct dur whole, brief = dur_ms(DECIDE_READ_HOLD_MS);
	const struct conf_listen *l;

	assert(d != NULL && r != NULL && it->listen < d->conf->listen_n);
	l = &d->conf->listen[it->listen];
	whole = l->hold_timeout;
	if (r->snap == NULL)
		brief = dur_ms(DECIDE_BLIND_HOLD_MS);
	else if (is_changing(d, r->snap, l) ||
	    r->d.why != SNAP_WHY_NO_REPLICA || is_route_fallback(it))
		return whole;
	return whole.us < brief.us ? whole : brief;
}

unsigned decide_phase(struct decider *d, uint16_t slot)
{
	unsigned fresh = decide_fresh(d, slot) != NULL ? 1 : 0;

	return fresh | (is_read_wait_over(d, &d->cluster[slot]) ? 2U : 0U);
}
