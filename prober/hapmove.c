/*
 * hapmove.c - see hapmove.h. Called by haproxy.c, one for each HAProxy; what
 * is due stays due until it is done, whatever becomes of HAProxy meanwhile.
 */
#include "hapmove.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "cluster.h"
#include "feed.h"
#include "log.h"

#define DEADLINE_MS 1000
#define SEEN_MS 50  /* agents are waited for at most this long */
#define AGAIN_MS 30 /* sessions that were being placed meanwhile */
#define RETRY_MS 200
/* An agent that stood still may decide by its old snapshot until that is
   stale (4 s): until then each pass closes what came after the move. */
#define SWEEP_MS 5000

static const char *server_of(const struct cluster *c, int member)
{
	return conf_server_of(c->conf, c->ev.m[member].dcs.name);
}

uint32_t hapmove_closing(const struct hapmove *h, uint16_t index)
{
	assert(h != NULL && h->magic == HAPMOVE_MAGIC);
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

static void add_move(struct hapmove *h, const struct cluster *c,
    const char *from, bool sessions_only)
{
	hap_move(cluster_snapshot(c), from, &h->cmds);
	for (unsigned i = 0; i < h->cmds.n; i++) {
		const char *line = h->cmds.line[i];

		if ((sessions_only && strncmp(line, "shutdown ", 9) != 0) ||
		    is_in_line(&h->cli, line))
			continue;
		if (!hapcli_add(&h->cli, line))
			log_warnx("drop haproxy cluster=%s why=line-full",
			    c->conf->name);
	}
}

static void move_failed(struct hapmove *h, uint16_t index, const char *why)
{
	struct hap_cluster *hc = &h->cluster[index];

	log_debug("drop haproxy move cluster=%s why=%s",
	    h->app->cluster[index]->conf->name, why);
	hc->again = hc->again && !hc->anew;
	hc->step = hc->again ? MOVE_AGAIN : MOVE_WAIT;
	hc->due = hc->retry = mono_add(mono_now(), dur_ms(RETRY_MS));
}

static void move_send(struct hapmove *h, uint16_t index)
{
	struct hap_cluster *hc = &h->cluster[index];
	const struct cluster *c = h->app->cluster[index];
	uint32_t closing = hapmove_closing(h, index);

	hc->again = hc->step == MOVE_AGAIN;
	hc->anew = false;
	hc->step = MOVE_SENT;
	hapcli_begin(&h->cli);
	if (!hc->again)
		add_move(h, c, NULL, false);
	for (int i = 0; i < c->ev.n; i++)
		if (closing & UINT32_C(1) << i)
			add_move(h, c, server_of(c, i), hc->again);
	if (closing != 0)
		h->sink.closes(h->sink.arg);
	if (!is_hapcli_filled(&h->cli)) {
		hc->step = MOVE_NONE;
		return;
	}
	const char *why = hapcli_run(&h->cli, dur_ms(DEADLINE_MS));
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
    const struct hapmove *h, uint16_t index, struct mono now)
{
	const struct hap_cluster *hc = &h->cluster[index];

	if (!is_move_pending(hc) || is_mono_before(now, hc->retry))
		return false;
	return !is_mono_before(now, hc->due) ||
	    (hc->step == MOVE_WAIT &&
		is_feed_seen(h->app->feed, index, hc->seq));
}

/* Wakes when the first of those that wait is due, and may be tried again. */
static void move_arm(struct hapmove *h, struct mono now)
{
	struct dur wait = {INT64_MAX};

	for (uint16_t i = 0; i < h->app->cluster_n; i++) {
		const struct hap_cluster *hc = &h->cluster[i];
		struct mono at =
		    is_mono_before(hc->due, hc->retry) ? hc->retry : hc->due;

		if (is_move_pending(hc) && mono_sub(at, now).us < wait.us)
			wait = mono_sub(at, now);
	}
	ev_timer_stop(h->app->loop, &h->timer);
	if (wait.us == INT64_MAX)
		return;
	ev_timer_set(&h->timer, wait.us > 0 ? dur_to_s(wait) : 0., 0.);
	ev_timer_start(h->app->loop, &h->timer);
}

/* Sends the batch of the first cluster that is ready, or waits for one. */
void hapmove_kick(struct hapmove *h)
{
	struct mono now = mono_now();

	for (uint16_t i = 0; i < h->app->cluster_n; i++) {
		if (is_hapcli_busy(&h->cli))
			return; /* its end kicks again */
		if (is_move_ready(h, i, now))
			move_send(h, i);
	}
	move_arm(h, now);
}

static void move_timer_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct hapmove *h = w->data;

	(void)loop, (void)revents;
	assert(h->magic == HAPMOVE_MAGIC);
	hapmove_kick(h);
}

static void log_move(struct hapmove *h, uint16_t index, struct mono now)
{
	const struct hap_cluster *hc = &h->cluster[index];
	const struct cluster *c = h->app->cluster[index];
	const struct snapshot *s = cluster_snapshot(c);

	h->moves++;
	h->last = mono_sub(now, hc->began);
	log_info("change haproxy cluster=%s write=%s closing=%#x took_us=%lld",
	    c->conf->name, s->write < 0 ? "none" : s->m[s->write].server,
	    hapmove_closing(h, index), (long long)h->last.us);
}

static void move_done_cb(void *arg, const char *why)
{
	struct hapmove *h = arg;
	struct hap_cluster *hc = &h->cluster[h->moving];
	struct mono now = mono_now();

	assert(h->magic == HAPMOVE_MAGIC && hc->step == MOVE_SENT);
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
	hapmove_kick(h);
}

static void move_line_cb(void *arg, struct slice line)
{
	struct hapmove *h = arg;

	assert(h->magic == HAPMOVE_MAGIC);
	h->sink.answer(h->sink.arg, line);
}

void hapmove_sweep(struct hapmove *h)
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
	hapmove_kick(h);
}

void hapmove_begin(struct hapmove *h, uint16_t cluster, uint32_t closing)
{
	assert(h != NULL && h->magic == HAPMOVE_MAGIC);
	assert(cluster < h->app->cluster_n);
	struct hap_cluster *hc = &h->cluster[cluster];
	struct mono now = mono_now();
	hc->closing |= closing;
	hc->seq = cluster_snapshot(h->app->cluster[cluster])->seq;
	hc->began = now;
	hc->due = mono_add(now, dur_ms(SEEN_MS));
	hc->sweep_till = mono_add(now, dur_ms(SWEEP_MS));
	if (hc->step == MOVE_SENT) {
		hc->anew = true;
		return;
	}
	hc->step = MOVE_WAIT;
	hc->again = false;
	hapmove_kick(h);
}

void hapmove_init(struct hapmove *h, struct app *app, const char *path,
    const struct hapmove_sink *sink)
{
	assert(h != NULL && app != NULL && sink->closes != NULL);
	assert(sink->answer != NULL);
	memset(h, 0, sizeof(*h));
	h->magic = HAPMOVE_MAGIC;
	h->app = app;
	h->sink = *sink;
	hapcli_init(&h->cli, app->loop, path,
	    &(struct hapcli_sink){move_line_cb, move_done_cb, h});
	ev_timer_init(&h->timer, move_timer_cb, 0., 0.);
	h->timer.data = h;
}

void hapmove_stop(struct hapmove *h)
{
	assert(h != NULL && h->magic == HAPMOVE_MAGIC);
	hapcli_stop(&h->cli);
	ev_timer_stop(h->app->loop, &h->timer);
	h->magic = 0;
}
