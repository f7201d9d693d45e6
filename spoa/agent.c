/*
 * agent.c - what is done with a NOTIFY; see agent.h.
 *
 * Called by conn.c with each NOTIFY, by the feed with each snapshot, and by its
 * own timer while streams are held. The answers are session variables, which
 * haproxy/patroute.cfg reads.
 */
#include "agent.h"

#include <assert.h>

#include "app.h"

/* While somebody waits, what may change with time is looked at this often. */
#define TICK_S 0.02
/* Released at most every 2 ms: a wake-up for one stream each would be dear. */
#define PACE_MIN_S 0.002
/* Whose LSN has come goes at once: they are reads, and each waits briefly. */
#define LSN_RATE 1000000
#define LOST_LOG_MS 10000

/* Which of the three variables of HAProxy's side an answer sets. */
struct answer {
	const char *action; /* NULL: none of them */
	const char *server; /* NULL: not set */
	const char *reason;
	bool unset; /* takes back an action `hold` */
};

static bool reply(
    struct conn *c, uint64_t stream_id, uint64_t frame_id, struct answer a)
{
	struct spop_var var[3];
	struct spop_ack ack = {stream_id, frame_id, var, 0};

	if (a.unset)
		var[ack.n++] = (struct spop_var){.scope = SPOP_SCOPE_SESS,
		    .name = slice_str("action"),
		    .unset = true};
	if (a.action != NULL)
		var[ack.n++] = (struct spop_var){SPOP_SCOPE_SESS,
		    slice_str("action"), slice_str(a.action), false};
	if (a.server != NULL)
		var[ack.n++] = (struct spop_var){SPOP_SCOPE_SESS,
		    slice_str("server"), slice_str(a.server), false};
	if (a.reason != NULL)
		var[ack.n++] = (struct spop_var){SPOP_SCOPE_SESS,
		    slice_str("reason"), slice_str(a.reason), false};
	return conn_ack(c, &ack);
}

/* What the ruling means for HAProxy; a wait is an action too. */
static struct answer answer_of(const struct ruling *r)
{
	struct answer a = {
	    .action = route_action_name((enum route_action)r->d.action),
	    .reason = snap_why_name((enum snap_why)r->d.why),
	};

	assert(r->snap != NULL && r->d.action != ROUTE_ACT_NONE);
	if (r->d.kind == ROUTE_TO)
		a.server = r->snap->m[r->d.member].server;
	if (r->snap->observe)
		a.action = "observe"; /* and what was decided, for the log */
	return a;
}

/* Held no longer, or never: the desk says why. */
static void send_to_desk(struct ruling *r)
{
	r->d.kind = ROUTE_REFUSE;
	r->d.action = ROUTE_ACT_DESK;
	r->d.member = -1;
}

/* When this hold has something to give, at most TICK_S from now. */
static double soon(const struct hold *h, struct mono now)
{
	struct dur pause = hold_pause(h, now);

	return pause.us >= 0 && dur_to_s(pause) < TICK_S ? dur_to_s(pause)
							 : TICK_S;
}

static void arm(struct agent *a, struct mono now)
{
	struct ev_loop *loop = a->app->loop;
	double after = soon(&a->hold, now), lsn = soon(&a->lsn, now);

	if (a->hold.n == 0 && a->lsn.n == 0) {
		ev_timer_stop(loop, &a->tick);
		return;
	}
	if (lsn < after)
		after = lsn;
	if (after < PACE_MIN_S)
		after = PACE_MIN_S;
	/* The next tick counts from now on, not from the last. */
	a->tick.repeat = after;
	ev_timer_again(loop, &a->tick);
}

/* Asks the prober to look at this cluster more often. */
static void want(struct app *app, uint16_t slot, uint64_t min_lsn)
{
	struct feed_want w = {.min_lsn = min_lsn};

	memcpy(w.cluster, app->decide.cluster[slot].name, LIM_NAME);
	feed_client_want(app->feed, &w, app->decide.now);
}

static bool has_waiting(struct agent *a, uint16_t slot)
{
	return hold_first(&a->hold, slot) != NULL ||
	    hold_first(&a->lsn, slot) != NULL;
}

static void keep(struct app *app, struct hold *h, const struct hold_stream *s,
    struct dur timeout)
{
	struct agent *a = &app->agent;
	uint16_t slot = decide_slot(&app->decide, &s->it);

	if (!has_waiting(a, slot))
		a->phase[slot] = decide_phase(&app->decide, slot);
	hold_add(h, slot, s, app->decide.now, timeout);
	want(app, slot, h == &a->lsn ? s->it.min_lsn : 0);
	if (!ev_is_active(&a->tick))
		arm(a, app->decide.now);
}

/* Is there a place for one more who waits for a server at this listener? */
static bool has_place(const struct app *app, const struct intent *it)
{
	const struct hold *h = &app->agent.hold;

	return !app->is_stopping && !is_hold_full(h) &&
	    hold_at(h, it->listen) < app->conf->listen[it->listen].hold_max;
}

static void keep_for_server(struct app *app, struct conn *c,
    const struct spop_frame *f, const struct intent *it, struct dur timeout)
{
	struct hold_stream s = {c->ref, f->stream_id, f->frame_id, *it};

	/* Who has waited here need not wait for its LSN as well. */
	s.it.flags |= INTENT_F_WAITED;
	keep(app, &app->agent.hold, &s, timeout);
	c->held++;
	app->agent.stats.held++;
}

static void keep_for_lsn(struct app *app, struct conn *c,
    const struct spop_frame *f, const struct intent *it)
{
	struct hold_stream s = {c->ref, f->stream_id, f->frame_id, *it};

	keep(app, &app->agent.lsn, &s, app->conf->agent.min_lsn_wait);
	c->held++;
	app->agent.stats.lsn_waited++;
}

/* Decided, but HAProxy does not hear of it, and goes its second way. */
static void lose(struct agent *a, const struct conn *c)
{
	uint32_t suppressed;

	a->stats.answers_lost++;
	if (c != NULL && c->state == CONN_READY &&
	    log_rate_ok(
		&a->lost_rate, 1, dur_ms(LOST_LOG_MS), mono_now(), &suppressed))
		log_warnx("drop answer conn=%u.%u why=room suppressed=%u",
		    c->ref.index, c->ref.gen, suppressed);
}

/* Undecided sets nothing; an action `hold` of the first engine goes back. */
static void finish(struct app *app, struct conn *c, const struct spop_frame *f,
    const struct ruling *r, enum notify_engine engine)
{
	struct answer none = {.unset = engine == NOTIFY_HOLD};

	app->agent.answered++;
	/* Without room nothing is decoded, so there is room. */
	if (reply(c, f->stream_id, f->frame_id,
		r->snap != NULL ? answer_of(r) : none))
		stats_ruling(&app->agent.stats, r);
	else
		lose(&app->agent, c);
}

/*
 * Must this stream of the engine `hold` stand behind those who wait already?
 * While they are being released, at the pace that is set, it must.
 */
static bool must_queue(
    struct app *app, const struct notify *n, const struct intent *it)
{
	return n->engine == NOTIFY_HOLD &&
	    is_hold_scanning(&app->agent.hold, decide_slot(&app->decide, it));
}

/* The engine `hold` waits for freshness too; `route` says at once that it
   knows nothing. */
static bool is_wait(const struct ruling *r, enum notify_engine engine)
{
	if (r->snap == NULL)
		return engine == NOTIFY_HOLD;
	return r->d.kind == ROUTE_WAIT && !r->snap->observe;
}

static bool is_lsn_wait(const struct ruling *r)
{
	return r->snap != NULL && !r->snap->observe &&
	    r->d.kind == ROUTE_WAIT && r->d.why == SNAP_WHY_MIN_LSN;
}

/* The ruling; whoever may not wait for its LSN gets one that needs no wait. */
static struct ruling rule(struct app *app, struct intent *it)
{
	struct ruling r = decide_route(&app->decide, it);

	if (!is_lsn_wait(&r) ||
	    (!app->is_stopping && !is_hold_full(&app->agent.lsn) &&
		app->conf->agent.min_lsn_wait.us > 0))
		return r;
	it->flags |= INTENT_F_WAITED;
	app->agent.stats.lsn_late++;
	return decide_route(&app->decide, it);
}

static void take(struct app *app, struct conn *c, const struct spop_frame *f,
    const struct notify *n)
{
	struct agent *a = &app->agent;
	struct ruling r = {0};
	struct intent it;
	enum decide_startup startup = decide_intent(&app->decide, n, &it);

	if (startup == DECIDE_UNKNOWN) {
		finish(app, c, f, &r, n->engine);
		return;
	}
	if (n->engine == NOTIFY_ROUTE)
		stats_startup(&a->stats, startup, &it);
	if (must_queue(app, n, &it) && has_place(app, &it)) {
		keep_for_server(
		    app, c, f, &it, app->conf->listen[it.listen].hold_timeout);
		return;
	}
	r = rule(app, &it);
	if (is_lsn_wait(&r)) {
		if (n->engine == NOTIFY_HOLD) {
			keep_for_lsn(app, c, f, &it);
			return;
		}
	} else if (is_wait(&r, n->engine)) {
		if (app->is_stopping) {
			r = (struct ruling){0};
		} else if (!has_place(app, &it)) {
			send_to_desk(&r);
		} else if (n->engine == NOTIFY_HOLD) {
			keep_for_server(
			    app, c, f, &it, decide_hold(&app->decide, &it, &r));
			return;
		}
	}
	stats_observed(&a->stats, &app->decide, &r, &it);
	finish(app, c, f, &r, n->engine);
}

enum spop_status agent_notify(
    struct app *app, struct conn *c, const struct spop_frame *f)
{
	struct ruling nothing = {0};
	struct notify n;

	if (!notify_get(f->payload, &n))
		return SPOP_ST_INVALID;
	app->agent.stats.decisions++;
	if (n.engine != NOTIFY_NONE)
		take(app, c, f, &n);
	else
		finish(app, c, f, &nothing, NOTIFY_NONE);
	return SPOP_ST_NONE;
}

/*
 * The hold lets go of an entry; its connection has one fewer. Before the answer
 * goes: sending may end a connection, and with it any entry.
 */
static void let_go(struct agent *a, const struct hold_entry *e, struct mono now)
{
	struct conn *c = conn_find(&a->app->conns, e->s.conn);
	int64_t ms = dur_to_ms(mono_sub(now, e->since));

	if (c != NULL && c->held > 0)
		c->held--;
	agent_count_wait(a, ms, now);
}

/* Answers a stream that was held, if its connection still is and takes it; that
   is counted as the ruling. */
static void answer_held(struct agent *a, const struct hold_entry *was,
    const struct ruling *r, struct answer answer)
{
	struct conns *cs = &a->app->conns;
	struct conn *c = conn_find(cs, was->s.conn);

	if (c != NULL && !reply(c, was->s.stream_id, was->s.frame_id, answer)) {
		/* Many leave at once: what fills the buffer goes first. */
		conn_mark(c);
		conns_flush(cs);
		c = conn_find(cs, was->s.conn);
		if (c == NULL ||
		    !reply(c, was->s.stream_id, was->s.frame_id, answer)) {
			lose(a, c);
			return;
		}
	}
	stats_ruling(&a->stats, r);
	stats_observed(&a->stats, &a->app->decide, r, &was->s.it);
	if (c != NULL)
		conn_mark(c);
}

/* In order of arrival and at the pace of the bucket. */
static void release_from(struct agent *a, struct hold *h, struct mono now)
{
	struct hold_entry *e;

	while ((e = hold_look(h, now)) != NULL) {
		struct ruling r = decide_route(&a->app->decide, &e->s.it);
		struct hold_entry was = *e;

		if (r.snap == NULL ||
		    (r.d.kind == ROUTE_WAIT && !is_ruling_observed(&r))) {
			hold_pass(h, e);
			continue;
		}
		hold_done(h, e);
		let_go(a, &was, now);
		answer_held(a, &was, &r, answer_of(&r));
	}
}

static void release(struct agent *a, struct mono now)
{
	release_from(a, &a->hold, now);
	release_from(a, &a->lsn, now);
}

/*
 * Whose time is over goes to the desk, which says why; where nothing is known
 * nothing is decided, and the action `hold` is taken back for the second way.
 */
static void end_wait(struct agent *a, const struct hold_entry *was,
    struct ruling *r, struct mono now)
{
	struct answer answer = {.unset = true};

	if (r->snap != NULL && r->d.kind == ROUTE_WAIT &&
	    !is_ruling_observed(r))
		send_to_desk(r);
	if (r->snap != NULL)
		answer = answer_of(r);
	let_go(a, was, now);
	answer_held(a, was, r, answer);
}

static void expire(struct agent *a, struct mono now)
{
	struct hold_entry *e;

	while ((e = hold_expired(&a->hold, now)) != NULL) {
		struct hold_entry was = *e;
		struct ruling r = decide_route(&a->app->decide, &was.s.it);

		hold_drop(&a->hold, e);
		end_wait(a, &was, &r, now);
	}
}

/* What is left of the time for which a listener's connections may wait. */
static struct dur time_left(const struct agent *a, const struct hold_entry *e)
{
	const struct conf *conf = a->app->conf;

	return dur_us(conf->listen[e->s.it.listen].hold_timeout.us -
	    conf->agent.min_lsn_wait.us);
}

/*
 * Nobody has replayed the LSN in time: the primary will do. Where there is none
 * either, the rest of the wait is for a server.
 */
static void expire_lsn(struct agent *a, struct mono now)
{
	struct hold_entry *e;

	while ((e = hold_expired(&a->lsn, now)) != NULL) {
		struct hold_entry was = *e;
		struct ruling r;

		hold_drop(&a->lsn, e);
		was.s.it.flags |= INTENT_F_WAITED;
		a->stats.lsn_late++;
		r = decide_route(&a->app->decide, &was.s.it);
		if ((r.snap == NULL || r.d.kind == ROUTE_WAIT) &&
		    time_left(a, &was).us > 0 && has_place(a->app, &was.s.it)) {
			keep(a->app, &a->hold, &was.s, time_left(a, &was));
			a->stats.held++;
		} else {
			end_wait(a, &was, &r, now);
		}
	}
}

/* Freshness and the decider's own waits change without a new snapshot. */
static void follow_phases(struct agent *a)
{
	struct decider *d = &a->app->decide;

	for (uint16_t i = 0; i < LIM_CLUSTERS; i++) {
		struct hold_entry *e;
		unsigned phase;

		if (!has_waiting(a, i))
			continue;
		phase = decide_phase(d, i);
		if (phase != a->phase[i]) {
			hold_scan(&a->hold, i);
			hold_scan(&a->lsn, i);
		}
		a->phase[i] = phase;
		e = hold_first(&a->lsn, i);
		want(a->app, i, e != NULL ? e->s.it.min_lsn : 0);
	}
}

static void tick_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct agent *a = w->data;
	struct mono now;

	(void)loop;
	(void)revents;
	/* After a pause of this process timers run before what has arrived:
	   nobody is released by the snapshot before it. What it wakes is this
	   very callback, which arm() takes back. */
	feed_client_read(a->app->feed);
	now = mono_now();
	decide_pass(&a->app->decide, now);
	follow_phases(a);
	release(a, now);
	expire_lsn(a, now);
	expire(a, now);
	conns_flush(&a->app->conns);
	arm(a, now);
}

void agent_snapshot_cb(void *arg, const struct snapshot *snap)
{
	struct app *app = app_of(arg);
	struct agent *a = &app->agent;
	struct mono now = mono_now();
	int slot;

	decide_pass(&app->decide, now);
	slot = decide_snapshot(&app->decide, snap, now);
	if (slot == -1 || !has_waiting(a, (uint16_t)slot))
		return;
	hold_scan(&a->hold, (uint16_t)slot);
	hold_scan(&a->lsn, (uint16_t)slot);
	/* Released in this turn of the loop, but not before the socket is
	   empty: after a pause what is behind this one supersedes it. */
	ev_feed_event(app->loop, &a->tick, EV_TIMER);
}

void agent_forget(struct app *app, struct conn *c)
{
	hold_drop_conn(&app->agent.hold, c->ref);
	hold_drop_conn(&app->agent.lsn, c->ref);
	c->held = 0;
}

void agent_abort(struct app *app, struct conn *c, const struct spop_frame *f)
{
	struct hold_stream s = {
	    .conn = c->ref, .stream_id = f->stream_id, .frame_id = f->frame_id};
	struct agent *a = &app->agent;
	uint32_t before = a->hold.n + a->lsn.n;

	if (c->held == 0)
		return;
	hold_drop_stream(&a->hold, &s);
	hold_drop_stream(&a->lsn, &s);
	c->held -= before - (a->hold.n + a->lsn.n);
}

/* Takes the action `hold` back: HAProxy decides by its second way. */
static void give_back(
    struct agent *a, struct hold *h, struct hold_entry *e, struct mono now)
{
	struct hold_entry was = *e;
	struct ruling nothing = {0};

	hold_drop(h, e);
	let_go(a, &was, now);
	answer_held(a, &was, &nothing, (struct answer){.unset = true});
}

static void give_all_back(struct agent *a, struct hold *h, struct mono now)
{
	struct hold_entry *e;

	for (uint16_t i = 0; i < LIM_CLUSTERS; i++) {
		while ((e = hold_first(h, i)) != NULL)
			give_back(a, h, e, now);
	}
}

void agent_stop(struct app *app)
{
	struct agent *a = &app->agent;
	struct mono now = mono_now();

	give_all_back(a, &a->hold, now);
	give_all_back(a, &a->lsn, now);
	conns_flush(&app->conns);
	arm(a, now);
}

/* The index of a listener in the new configuration, -1 if it is another. */
static int moved_to(
    const struct conf *old, const struct conf *new, uint16_t listen)
{
	const struct conf_listen *was = &old->listen[listen];
	int i = conf_listen_by_name(new, slice_str(was->name));

	if (i == -1 ||
	    strcmp(new->cluster[new->listen[i].cluster].name,
		old->cluster[was->cluster].name) != 0)
		return -1;
	return i;
}

/* Those who stay get their listener's new place, the others are marked. */
static void move_queue(
    struct agent *a, struct hold *h, uint16_t queue, const struct conf *conf)
{
	struct hold_entry *e = hold_first(h, queue);

	for (; e != NULL; e = hold_next(h, e)) {
		int listen = moved_to(a->app->conf, conf, e->s.it.listen);

		if (listen == -1)
			e->s.it.want = INTENT_NONE;
		else
			hold_move(h, e, (uint16_t)listen);
	}
}

/* The queue is looked through anew after each: an answer may end others. */
static void move_all(
    struct agent *a, struct hold *h, const struct conf *conf, struct mono now)
{
	for (uint16_t i = 0; i < LIM_CLUSTERS; i++) {
		struct hold_entry *e;

		move_queue(a, h, i, conf);
		e = hold_first(h, i);
		while (e != NULL) {
			if (e->s.it.want != INTENT_NONE) {
				e = hold_next(h, e);
				continue;
			}
			give_back(a, h, e, now);
			e = hold_first(h, i);
		}
	}
}

void agent_reload(struct agent *a, const struct conf *conf)
{
	struct mono now = mono_now();

	assert(a != NULL && conf != NULL);
	move_all(a, &a->hold, conf, now);
	move_all(a, &a->lsn, conf, now);
	hold_limit(
	    &a->hold, conf->agent.hold_max, conf->agent.hold_release_rate);
	hold_limit(&a->lsn, conf->agent.hold_max, LSN_RATE);
	conns_flush(&a->app->conns);
	arm(a, now);
}

void agent_init(struct agent *a, struct app *app)
{
	const struct conf_agent *conf = &app->conf->agent;

	assert(a != NULL && app != NULL);
	a->app = app;
	hold_init(&a->hold, conf->hold_max, conf->hold_release_rate);
	hold_init(&a->lsn, conf->hold_max, LSN_RATE);
	ev_init(&a->tick, tick_cb);
	a->tick.data = a;
}

void agent_free(struct agent *a)
{
	assert(a != NULL);
	if (a->app != NULL)
		ev_timer_stop(a->app->loop, &a->tick);
}
