/*
 * haproxy.c - a move of the leader is carried out at once, in design's order,
 * and what was still being placed on the former one goes too.
 *
 * Three conversations, each with connections of its own, so that none waits
 * for another: the pass (happass: states and repairs), the move (server states,
 * closing of sessions), and hapold's with the master socket. HAProxy may be
 * away, frozen or reloaded at any time; what is due stays due until it is done.
 * Source: design, "HAProxy"; facts measured on 2.6.12.
 */
#include "haproxy.h"

#include <assert.h>
#include <ev.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "cluster.h"
#include "feed.h"
#include "hapcli.h"
#include "hapold.h"
#include "happass.h"
#include "hapsync.h"
#include "haptext.h"
#include "log.h"

#define HAPROXY_MAGIC 0x68617078u
#define DEADLINE_MS 1000
#define SEEN_MS 50  /* agents are waited for at most this long */
#define AGAIN_MS 30 /* sessions that were being placed meanwhile */
#define RETRY_MS 200
/* An agent that stood still may decide by its old snapshot until that is
   stale (4 s): until then each pass closes what came after the move. */
#define SWEEP_MS 5000

/* A move of one cluster, from the verdict to the last session closed. */
enum move_step {
	MOVE_NONE = 0,
	MOVE_WAIT,  /* for the agents to have seen the snapshot */
	MOVE_SENT,  /* the batch is with HAProxy */
	MOVE_AGAIN, /* the sessions go once more, a little later */
};

struct hap_cluster {
	enum move_step step;
	bool again;        /* the next batch is the second one */
	bool anew;         /* another move came while this one was sent */
	uint64_t seq;      /* the snapshot that the agents must have seen */
	struct mono began; /* of the move */
	struct mono due;   /* at the latest */
	struct mono retry; /* not before */
	struct mono sweep_till;
	uint32_t closing; /* evidence indices */
};

struct haproxy {
	unsigned magic;
	struct app *app;
	struct happass pass;
	struct hapcli move;
	struct hapold old;
	ev_timer move_timer;
	uint16_t moving;      /* the cluster that `move` is busy with */
	struct hap_cmds cmds; /* scratch */
	struct hap_cluster cluster[LIM_CLUSTERS];
	struct haproxy_state state;
	bool said_old_away;
	struct log_rate rate; /* of reloads: who asks may name any pid */
};

static const char *server_of(const struct cluster *c, int member)
{
	return conf_server_of(c->conf, c->ev.m[member].dcs.name);
}

static void move_kick(struct haproxy *h);

/* What is still being placed on a former leader goes, for a while. */
static void sweep(struct haproxy *h)
{
	struct mono now = mono_now();

	for (uint16_t i = 0; i < h->app->cluster_n; i++) {
		struct hap_cluster *hc = &h->cluster[i];

		if (hc->step != MOVE_NONE || hc->closing == 0)
			continue;
		if (!is_mono_before(now, hc->sweep_till)) {
			hc->closing = 0;
			continue;
		}
		hc->step = MOVE_AGAIN;
		hc->due = now;
	}
	move_kick(h);
}

static void pass_begins_cb(void *arg)
{
	struct haproxy *h = arg;

	assert(h->magic == HAPROXY_MAGIC);
	sweep(h);
}

/* ---- a move ------------------------------------------------------------ */

/* Whose sessions go now: proved at this moment, and not the target. */
static uint32_t closing_now(const struct haproxy *h, uint16_t index)
{
	return h->cluster[index].closing & h->app->cluster[index]->closed;
}

static bool is_in_line(const struct hapcli *c, const char *command)
{
	size_t len = strlen(command);
	const char *at = c->out;
	size_t left = c->out_len;

	while (left > 0) {
		const char *end = memchr(at, ';', left);
		size_t n = end == NULL ? left : (size_t)(end - at);

		if (n == len && memcmp(at, command, n) == 0)
			return true;
		at += end == NULL ? n : n + 1;
		left -= end == NULL ? n : n + 1;
	}
	return false;
}

static void add_move(struct haproxy *h, const struct cluster *c,
    const char *from, bool sessions_only)
{
	memset(&h->cmds, 0, sizeof(h->cmds));
	hap_move(cluster_snapshot(c), from, &h->cmds);
	for (unsigned i = 0; i < h->cmds.n; i++) {
		const char *line = h->cmds.line[i];

		if ((sessions_only && strncmp(line, "shutdown ", 9) != 0) ||
		    is_in_line(&h->move, line))
			continue;
		if (!hapcli_add(&h->move, line))
			log_warnx("drop haproxy cluster=%s why=line-full",
			    c->conf->name);
	}
}

static void move_failed(struct haproxy *h, uint16_t index, const char *why)
{
	struct hap_cluster *hc = &h->cluster[index];

	log_debug("drop haproxy move cluster=%s why=%s",
	    h->app->cluster[index]->conf->name, why);
	hc->again = hc->again && !hc->anew;
	hc->step = hc->again ? MOVE_AGAIN : MOVE_WAIT;
	hc->due = hc->retry = mono_add(mono_now(), dur_ms(RETRY_MS));
}

static void move_send(struct haproxy *h, uint16_t index)
{
	struct hap_cluster *hc = &h->cluster[index];
	const struct cluster *c = h->app->cluster[index];
	uint32_t closing = closing_now(h, index);

	hc->again = hc->step == MOVE_AGAIN;
	hc->anew = false;
	hc->step = MOVE_SENT;
	hapcli_begin(&h->move);
	if (!hc->again)
		add_move(h, c, NULL, false);
	for (int i = 0; i < c->ev.n; i++)
		if (closing & UINT32_C(1) << i)
			add_move(h, c, server_of(c, i), hc->again);
	if (closing != 0 && h->old.cli.path[0] != '\0')
		hapold_run(&h->old);
	if (!is_hapcli_filled(&h->move)) {
		hc->step = MOVE_NONE;
		return;
	}
	const char *why = hapcli_run(&h->move, dur_ms(DEADLINE_MS));
	if (why != NULL) {
		move_failed(h, index, why);
		return;
	}
	h->moving = index;
}

static bool is_move_pending(const struct hap_cluster *hc)
{
	return hc->step == MOVE_WAIT || hc->step == MOVE_AGAIN;
}

static bool is_move_ready(
    const struct haproxy *h, uint16_t index, struct mono now)
{
	const struct hap_cluster *hc = &h->cluster[index];

	if (!is_move_pending(hc) || is_mono_before(now, hc->retry))
		return false;
	return !is_mono_before(now, hc->due) ||
	    (hc->step == MOVE_WAIT &&
		is_feed_seen(h->app->feed, index, hc->seq));
}

/* Wakes when the first of those that wait is due, and may be tried again. */
static void move_arm(struct haproxy *h, struct mono now)
{
	struct dur wait = {INT64_MAX};

	for (uint16_t i = 0; i < h->app->cluster_n; i++) {
		const struct hap_cluster *hc = &h->cluster[i];
		struct mono at =
		    is_mono_before(hc->due, hc->retry) ? hc->retry : hc->due;

		if (is_move_pending(hc) && mono_sub(at, now).us < wait.us)
			wait = mono_sub(at, now);
	}
	ev_timer_stop(h->app->loop, &h->move_timer);
	if (wait.us == INT64_MAX)
		return;
	ev_timer_set(&h->move_timer, wait.us > 0 ? dur_to_s(wait) : 0., 0.);
	ev_timer_start(h->app->loop, &h->move_timer);
}

/* Sends the batch of the first cluster that is ready, or waits for one. */
static void move_kick(struct haproxy *h)
{
	struct mono now = mono_now();

	for (uint16_t i = 0; i < h->app->cluster_n; i++) {
		if (is_hapcli_busy(&h->move))
			return; /* its end kicks again */
		if (is_move_ready(h, i, now))
			move_send(h, i);
	}
	move_arm(h, now);
}

static void move_timer_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct haproxy *h = w->data;

	(void)loop, (void)revents;
	assert(h->magic == HAPROXY_MAGIC);
	move_kick(h);
}

static void log_move(struct haproxy *h, uint16_t index, struct mono now)
{
	const struct hap_cluster *hc = &h->cluster[index];
	const struct cluster *c = h->app->cluster[index];
	const struct snapshot *s = cluster_snapshot(c);

	h->state.moves++;
	h->state.last_move = mono_sub(now, hc->began);
	log_info("change haproxy cluster=%s write=%s closing=%#x took_us=%lld",
	    c->conf->name, s->write < 0 ? "none" : s->m[s->write].server,
	    closing_now(h, index), (long long)h->state.last_move.us);
}

static void move_done_cb(void *arg, const char *why)
{
	struct haproxy *h = arg;
	struct hap_cluster *hc = &h->cluster[h->moving];
	struct mono now = mono_now();

	assert(h->magic == HAPROXY_MAGIC && hc->step == MOVE_SENT);
	if (why != NULL) {
		move_failed(h, h->moving, why);
	} else if (hc->anew) {
		hc->step = MOVE_WAIT;
		hc->again = false;
	} else if (hc->again) {
		hc->step = MOVE_NONE;
	} else {
		log_move(h, h->moving, now);
		hc->step = MOVE_AGAIN;
		hc->due = mono_add(now, dur_ms(AGAIN_MS));
	}
	move_kick(h);
}

static void move_line_cb(void *arg, struct slice line)
{
	struct haproxy *h = arg;

	assert(h->magic == HAPROXY_MAGIC);
	happass_log_answer(&h->pass, line);
}

void haproxy_move(struct haproxy *h, uint16_t cluster, uint32_t closing)
{
	if (h == NULL) /* the first verdict comes before HAProxy's part */
		return;
	assert(h->magic == HAPROXY_MAGIC && cluster < h->app->cluster_n);
	struct hap_cluster *hc = &h->cluster[cluster];
	struct mono now = mono_now();
	hc->closing |= closing;
	hc->seq = cluster_snapshot(h->app->cluster[cluster])->seq;
	hc->began = now;
	hc->due = mono_add(now, dur_ms(SEEN_MS));
	hc->sweep_till = mono_add(now, dur_ms(SWEEP_MS));
	happass_now(
	    &h->pass); /* the servers' states follow before their next checks */
	if (hc->step == MOVE_SENT) {
		hc->anew = true;
		return;
	}
	hc->step = MOVE_WAIT;
	hc->again = false;
	move_kick(h);
}

void haproxy_seen(struct haproxy *h)
{
	if (h == NULL) /* the feed lives a little longer */
		return;
	assert(h->magic == HAPROXY_MAGIC);
	move_kick(h);
}

/* ---- old processes ------------------------------------------------------ */

static bool closes_cb(void *arg, struct slice backend, struct slice server)
{
	const struct haproxy *h = arg;

	assert(h->magic == HAPROXY_MAGIC);
	for (uint16_t i = 0; i < h->app->cluster_n; i++) {
		const struct cluster *c = h->app->cluster[i];
		uint32_t closing = closing_now(h, i);
		enum hap_backend b = HAP_READ;

		if (closing == 0 ||
		    !haptext_backend(backend, c->conf->name, &b) ||
		    b == HAP_READ || b > HAP_CLASSIC_WRITE)
			continue;
		for (int m = 0; m < c->ev.n; m++)
			if ((closing & UINT32_C(1) << m) &&
			    is_slice_eq(server, server_of(c, m)))
				return true;
	}
	return false;
}

static void old_done_cb(void *arg, const char *why)
{
	struct haproxy *h = arg;

	assert(h->magic == HAPROXY_MAGIC);
	if (why != NULL && !h->said_old_away)
		log_warnx("drop haproxy master_socket=%s why=%s",
		    h->old.cli.path, why);
	else if (why == NULL && h->said_old_away)
		log_info("ready haproxy master_socket=%s", h->old.cli.path);
	h->said_old_away = why != NULL;
	h->state.old_n = h->old.pid_n;
	h->state.closed_old = h->old.shut;
}

/* ---- the rest ------------------------------------------------------------ */

void haproxy_checked(struct haproxy *h, uint64_t pid)
{
	assert(h != NULL && h->magic == HAPROXY_MAGIC);
	if (pid == h->state.pid)
		return;
	uint32_t suppressed = 0;
	if (h->state.pid != 0 &&
	    log_rate_ok(&h->rate, 5, dur_ms(1000), mono_now(), &suppressed))
		log_info("reload haproxy pid=%" PRIu64 " was=%" PRIu64
			 " suppressed=%u",
		    pid, h->state.pid, suppressed);
	h->state.pid = pid;
	happass_now(&h->pass);
}

void haproxy_look(struct haproxy *h)
{
	if (h == NULL) /* the first members may come before HAProxy's part */
		return;
	assert(h->magic == HAPROXY_MAGIC);
	happass_now(&h->pass);
}

void haproxy_state(const struct haproxy *h, struct haproxy_state *out)
{
	assert(h != NULL && h->magic == HAPROXY_MAGIC && out != NULL);
	*out = h->state;
	out->reachable = h->pass.reachable;
	out->heard_at = h->pass.heard_at;
	out->repairs = h->pass.repaired;
}

struct haproxy *haproxy_new(struct app *app)
{
	struct haproxy *h = calloc(1, sizeof(*h));
	const struct conf_prober *p = &app->conf->prober;

	if (h == NULL)
		return NULL;
	h->magic = HAPROXY_MAGIC;
	h->app = app;
	happass_init(&h->pass, app, p->haproxy_socket, pass_begins_cb, h);
	hapcli_init(&h->move, app->loop, p->haproxy_socket,
	    &(struct hapcli_sink){move_line_cb, move_done_cb, h});
	hapold_init(&h->old, app->loop, p->haproxy_master_socket,
	    &(struct hapold_sink){closes_cb, old_done_cb, h});
	ev_timer_init(&h->move_timer, move_timer_cb, 0., 0.);
	h->move_timer.data = h;
	return h;
}

void haproxy_free(struct haproxy *h)
{
	if (h == NULL)
		return;
	assert(h->magic == HAPROXY_MAGIC);
	happass_stop(&h->pass);
	hapcli_stop(&h->move);
	hapold_stop(&h->old);
	ev_timer_stop(h->app->loop, &h->move_timer);
	h->magic = 0;
	free(h);
}
