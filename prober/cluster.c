/*
 * cluster.c - evidence changed -> verdict -> publish -> feed, HAProxy, log and
 * events (cluster_tell.c).
 *
 * Owns the probes of the members that the DCS names, and when each is asked
 * (tick.h). Judges after each answer that could change a verdict and at each
 * tick, because ages matter. Never blocks; all judgement is core's.
 */
#include "cluster.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "cluster_orders.h"
#include "cluster_tell.h"
#include "feed.h"
#include "feed_msg.h"
#include "haproxy.h"
#include "log.h"
#include "member.h"
#include "postgres.h"
#include "reports.h"
#include "roster.h"

#define CLUSTER_MAGIC 0x636c7573u
#define MEMBER_MAGIC 0x636d656du

/* A verdict older than this is judged anew before it is relied on: the loop
   may have stood still (SIGSTOP), and answers must not run ahead of timers. */
#define REFRESH_MS 250
/* Who judged last so long ago stood still meanwhile: members are asked, and
   the DCS proves itself alive, each second. */
#define WOKE_MS 1500
/* How long a prober that begins or wakes may take to hear of everybody; a busy
   PostgreSQL may need seconds to let it in. */
#define LEARN_MS 3000
/* An agent repeats its WANT every 20 ms as long as the connection waits. */
#define WANT_MS 200

/* Members that are proved not to take writes; the target is never one. */
static uint32_t proved_against(const struct cluster *c, struct mono now)
{
	uint32_t mask = 0;

	for (int i = 0; i < c->ev.n; i++) {
		enum snap_why why = SNAP_WHY_NONE;

		if (i != c->verdict.write && c->member[i].name[0] != '\0' &&
		    is_verdict_against(&c->ev, i, &c->policy, now, &why))
			mask |= UINT32_C(1) << i;
	}
	return mask;
}

/*
 * HAProxy follows a move of the target, and sessions go from whoever is newly
 * proved not to be it; also at our own start, for a leader may have changed
 * while we were away.
 */
static void tell_haproxy(struct cluster *c, int8_t was, struct mono now)
{
	uint32_t against = proved_against(c, now);
	uint32_t fresh = against & ~c->closed;

	c->closed = against;
	if (fresh != 0 || c->verdict.write != was)
		haproxy_move(c->app->haproxy, c->index, fresh);
}

static void ask_all(struct cluster *c);

/* Fast ticks begin at once, not when the steady second is over. */
static void set_pace(struct cluster *c, struct mono now)
{
	bool fast = is_ev_transition(&c->ev, now) ||
	    is_mono_before(now, c->wanted_till);
	bool began = fast && !c->fast;

	if (fast != c->fast)
		app_fast(c->app, fast);
	c->fast = fast;
	if (began)
		ask_all(c);
}

static bool is_heard(const struct cluster *c, int member)
{
	const struct ev_member *m = &c->ev.m[member];

	return !is_mono_before(m->rest_slot.at, c->learning_since) ||
	    !is_mono_before(m->sql_slot.at, c->learning_since);
}

/*
 * A verdict of one who has not heard of everybody yet may say "no target" of a
 * healthy cluster; acted on, it would take servers away from HAProxy's second
 * way, which serves just then. With a target, a word of each member and of
 * what operators ordered, or after a while in any case, the verdict is what it
 * is. A hold needs no target: the second way would let its writes through.
 */
static void learn(struct cluster *c, struct mono now)
{
	if (!is_mono_set(c->judged_at) ||
	    mono_sub(now, c->judged_at).us > dur_ms(WOKE_MS).us) {
		c->learning = true;
		c->learning_since = now;
	}
	if (!c->learning)
		return;
	bool all = (c->verdict.write >= 0 || c->ev.hold) &&
	    (c->conf->etcd_n == 0 || c->is_orders_heard);
	for (int i = 0; i < c->ev.n && all; i++)
		all = !is_ev_member(&c->ev, i, now) || is_heard(c, i);
	/* "Not yet seen" is no finding, however long it lasts. */
	if (all ||
	    (c->verdict.why != SNAP_WHY_UNCONFIRMED &&
		c->verdict.why != SNAP_WHY_NONE &&
		mono_sub(now, c->learning_since).us > dur_ms(LEARN_MS).us))
		c->learning = false;
}

/*
 * Who has just woken knows of no target because nobody was asked yet: agents
 * keep deciding by what they have, for as long as it is fresh by their own
 * clock, unless its target is proved not to be the leader any more, or an
 * operator wants it otherwise.
 */
static bool is_silence_right(const struct cluster *c, struct mono now)
{
	enum snap_why why = SNAP_WHY_NONE;

	if (!c->learning || c->verdict.write >= 0 || c->snap.write < 0 ||
	    c->ev.hold || is_cluster_classic(c))
		return false;
	int target = ev_find(&c->ev, c->snap.m[c->snap.write].name);
	return target >= 0 &&
	    !is_verdict_against(&c->ev, target, &c->policy, now, &why);
}

static void count_transition(struct cluster *c, struct mono now)
{
	bool is = is_ev_transition(&c->ev, now);

	if (is && !c->in_transition)
		c->transitions++;
	c->in_transition = is;
}

static void judge(struct cluster *c, struct mono now)
{
	const struct verdict old = c->verdict;
	const struct reads_state old_reads = c->reads;
	struct publish_site site = c->site;

	cluster_orders_apply(c, &site, now);
	c->verdict = verdict_write(&c->ev, &c->policy, now);
	ev_note_verdict(&c->ev, &c->verdict, now);
	reads_judge(&c->ev, &c->policy, now, &c->reads);
	learn(c, now);
	c->judged_at = now;
	struct publish_in in = {.ev = &c->ev,
	    .conf = c->conf,
	    .pol = &c->policy,
	    .verdict = &c->verdict,
	    .reads = &c->reads,
	    .site = &site,
	    .observe = is_cluster_observing(c) || is_cluster_classic(c),
	    .addr = (const char(*)[LIM_ADDR])c->addr};

	if (!is_silence_right(c, now) && publish(&in, now, &c->snap))
		feed_cluster_changed(c->app->feed, c->index);
	tell_haproxy(c, old.write, now);
	if (old.write != c->verdict.write || old.why != c->verdict.why) {
		c->changes++;
		cluster_tell_verdict(c, &old, now);
	}
	cluster_tell_reads(c, &old_reads, now);
	cluster_tell_read_only(c, now);
	cluster_tell_dcs(c, now);
	cluster_tell_members(c, now);
	cluster_tell_observe(c, now);
	count_transition(c, now);
	reports_note(c, now);
	set_pace(c, now);
}

void cluster_judge(struct cluster *c, struct mono now)
{
	assert(c != NULL && c->magic == CLUSTER_MAGIC);
	judge(c, now);
}

static void member_tick(struct cluster_member *m)
{
	struct cluster *c = m->cluster;
	struct mono now = mono_now();
	struct tick_in in = {
	    .sql_busy = m->sql == NULL || is_pg_probe_busy(m->sql),
	    .rest_busy = is_patroni_probe_busy(m->rest),
	};

	/* One that left long ago is looked for in the DCS only. */
	if (!is_ev_member(&c->ev, m->i, now))
		in.sql_busy = in.rest_busy = true;
	tick_needs(&c->ev, m->i, &c->policy, now, &in);
	in.fast |= is_mono_before(now, c->wanted_till);
	struct tick_out out = tick_decide(&m->slot, &in, now);

	member_ask(m, &out, now);
	assert(out.next.us > 0);
	ev_timer_stop(c->app->loop, &m->tick);
	ev_timer_set(&m->tick, dur_to_s(out.next), 0.);
	ev_timer_start(c->app->loop, &m->tick);
}

static void tick_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct cluster_member *m = w->data;

	(void)loop, (void)revents;
	assert(m->magic == MEMBER_MAGIC);
	member_tick(m);
	judge(m->cluster, mono_now());
}

static void ask_all(struct cluster *c)
{
	for (int i = 0; i < c->ev.n; i++)
		if (c->member[i].name[0] != '\0')
			member_tick(&c->member[i]);
}

static void item_cb(void *arg, const struct ev_item *item)
{
	struct cluster *c = arg;
	struct cluster_member *m;

	assert(c->magic == CLUSTER_MAGIC && item->member < LIM_MEMBERS);
	m = &c->member[item->member];
	c->probes[item->src][item->rc]++;
	if (ev_put(&c->ev, item)) {
		cluster_tell_source(c, item);
		judge(c, mono_now());
	}
	/* A lost probe is a question: the answer is a new connection away. */
	if (item->rc != EV_RC_OK)
		member_tick(m);
}

static void member_stop(struct cluster_member *m)
{
	ev_timer_stop(m->cluster->app->loop, &m->tick);
	member_end(m);
	m->name[0] = '\0';
	memset(&m->slot, 0, sizeof(m->slot));
	m->cluster->closed &= ~(UINT32_C(1) << m->i);
	m->cluster->addr[m->i][0] = m->cluster->front[m->i][0] = '\0';
	/* What HAProxy allows of the one is nothing of the next. */
	m->cluster->site.routable[m->i] = false;
	m->cluster->site.drained[m->i] = false;
	m->cluster->site.classic_write[m->i] = false;
	m->cluster->site.classic_read[m->i] = false;
	haproxy_forget(m->cluster->app->haproxy, m->cluster->index, m->i);
	tell_forget(&m->cluster->tell, m->i);
}

static void member_start(struct cluster_member *m, const char *name)
{
	struct cluster *c = m->cluster;
	const struct sink sink = {item_cb, c};

	if (!member_make(m, &sink)) {
		log_warnx("drop cluster=%s member=%s why=memory", c->conf->name,
		    name);
		member_stop(m);
		return;
	}
	memcpy(m->name, name, sizeof(m->name));
	m->slot.phase = tick_phase(c->index, m->i);
	ev_timer_set(&m->tick, dur_to_s(m->slot.phase), 0.);
	ev_timer_start(c->app->loop, &m->tick);
	haproxy_look(c->app->haproxy);
}

/*
 * A slot that another member took over, or whose member's key is gone, loses
 * its probes. A member whose key expired is kept for as long as its slot says
 * so: its key goes when its Patroni dies, and PostgreSQL may well live.
 */
static void member_follow(struct cluster_member *m)
{
	const struct ev_dcs_member *d = &m->cluster->ev.m[m->i].dcs;

	if (strcmp(m->name, d->name) != 0) {
		member_stop(m);
		if (d->name[0] != '\0')
			member_start(m, d->name);
	}
	if (m->name[0] != '\0')
		member_point(m);
}

void cluster_retarget(struct cluster *c)
{
	assert(c != NULL && c->magic == CLUSTER_MAGIC);
	for (int i = 0; i < c->ev.n; i++)
		member_follow(&c->member[i]);
}

void cluster_etcd_view_cb(void *arg, const struct ev_view *view, struct mono at)
{
	struct cluster *c = arg;

	assert(c->magic == CLUSTER_MAGIC);
	bool moved = ev_put_dcs(&c->ev, view, at);

	/* It knows the members better, from now on. */
	roster_free(c->roster);
	c->roster = NULL;
	cluster_retarget(c);
	judge(c, mono_now());
	/* The new holder may be one that was not asked fast until now. */
	if (moved)
		ask_all(c);
}

/* Members by Patroni's word, where no DCS gives it. */
static void roster_cb(void *arg, const struct ev_view *view, struct mono at)
{
	struct cluster *c = arg;

	assert(c->magic == CLUSTER_MAGIC);
	if (c->roster == NULL)
		return; /* asked before the DCS was read */
	roster_heard(c->roster, at);
	ev_put_roster(&c->ev, view, at);
	cluster_retarget(c);
	judge(c, mono_now());
}

void cluster_etcd_alive_cb(void *arg, struct mono at)
{
	struct cluster *c = arg;

	assert(c->magic == CLUSTER_MAGIC);
	ev_dcs_alive(&c->ev, at);
	judge(c, mono_now());
}

void cluster_refresh(struct cluster *c, struct mono now)
{
	assert(c != NULL && c->magic == CLUSTER_MAGIC);
	if (mono_sub(now, c->judged_at).us > dur_ms(REFRESH_MS).us)
		judge(c, now);
}

void cluster_want(struct cluster *c, struct mono now)
{
	assert(c != NULL && c->magic == CLUSTER_MAGIC);
	c->wanted_till = mono_add(now, dur_ms(WANT_MS));
	set_pace(c, now);
}

void cluster_set_site(struct cluster *c, const struct publish_site *site)
{
	assert(c != NULL && c->magic == CLUSTER_MAGIC && site != NULL);
	if (is_publish_site_same(&c->site, site))
		return;
	c->site = *site;
	judge(c, mono_now());
}

const struct snapshot *cluster_snapshot(const struct cluster *c)
{
	assert(c != NULL && c->magic == CLUSTER_MAGIC);
	return &c->snap;
}

bool is_cluster_usable(struct cluster *c, struct mono now)
{
	cluster_refresh(c, now);
	return !c->learning && !is_cluster_classic(c) &&
	    c->verdict.why != SNAP_WHY_NONE && c->verdict.why != SNAP_WHY_STALE;
}

bool is_cluster_routing(struct cluster *c, struct mono now)
{
	return is_cluster_usable(c, now) && !is_cluster_observing(c);
}

uint32_t cluster_age_ms(struct cluster *c, struct mono now)
{
	/* Forced to the classic way, which needs no verdict: agents answer so
	   in every configuration, be there a way without them or not. */
	if (!is_cluster_usable(c, now) && !is_cluster_classic(c))
		return FEED_AGE_STALE;
	int64_t ms = dur_to_ms(c->verdict.oldest) +
	    dur_to_ms(mono_sub(now, c->judged_at));
	return ms < FEED_AGE_STALE ? (uint32_t)ms : FEED_AGE_STALE - 1;
}

/* Who has no leader key to see says so once. */
static bool start_roster(struct cluster *c)
{
	if (c->conf->patroni_n == 0)
		return true;
	c->patroni.roster = roster_cb;
	c->patroni.arg = c;
	c->roster = roster_new(c->app, c->conf, &c->patroni);
	if (c->conf->etcd_n == 0)
		log_info("start cluster=%s dcs=none members=patroni "
			 "proof=\"no leader key: the leader is the one member "
			 "whose Patroni says primary%s\"",
		    c->conf->name,
		    c->ev.sql_configured ? " and whose PostgreSQL agrees" : "");
	return c->roster != NULL;
}

struct cluster *cluster_new(struct app *app, uint16_t index)
{
	struct cluster *c = calloc(1, sizeof(*c));

	assert(app != NULL && index < app->conf->cluster_n);
	if (c == NULL)
		return NULL;
	c->magic = CLUSTER_MAGIC;
	c->app = app;
	c->index = index;
	c->conf = &app->conf->cluster[index];
	c->policy = policy_of(c->conf);
	c->policy.early_hold = app->conf->agent.early_hold;
	c->site.unknown = true;
	(void)order_prefix(c->conf->namespace, c->conf->scope, c->order_prefix);
	c->verdict.write = -1;
	c->snap.boot_id = app->boot_id;
	ev_reset(&c->ev, c->conf->name, c->conf->etcd_n > 0,
	    c->conf->probe_user[0] != '\0');
	for (uint8_t i = 0; i < LIM_MEMBERS; i++) {
		struct cluster_member *m = &c->member[i];

		m->magic = MEMBER_MAGIC;
		m->cluster = c;
		m->i = i;
		ev_timer_init(&m->tick, tick_cb, 0., 0.);
		m->tick.data = m;
	}
	if (!creds_read(c->conf, &c->creds)) {
		cluster_free(c);
		return NULL;
	}
	c->patroni.creds = &c->creds;
	if (!start_roster(c)) {
		cluster_free(c);
		return NULL;
	}
	judge(c, mono_now());
	return c;
}

void cluster_free(struct cluster *c)
{
	if (c == NULL)
		return;
	assert(c->magic == CLUSTER_MAGIC);
	for (uint8_t i = 0; i < LIM_MEMBERS; i++)
		member_stop(&c->member[i]);
	roster_free(c->roster);
	cluster_orders_free(c);
	creds_free(&c->creds);
	c->magic = 0;
	free(c);
}
