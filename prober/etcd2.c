/*
 * etcd2.c - v2: reading, watching and the heartbeat.
 *
 * Keys are read one by one, so that one that is too large spoils no other; the
 * watch begins behind the first answer's X-Etcd-Index, so nothing between is
 * lost. A watch answers with one event and is asked again behind it; each
 * cluster has its own. The heartbeat reads the leader key through the quorum:
 * Patroni renews it each loop, so a watch that is silent is soon behind it.
 * Source: etcd's Documentation/v2/api.md.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "etcd_apart.h"
#include "num.h"

#define PATH_ROOM (3 * LIM_TEXT + 128)

/* members is a directory; history is last, it is done without if need be. */
static const char *const wanted[] = {
    "leader", "initialize", "config", "failover", "sync", "members", "history"};
enum {
	WANTED_N = sizeof(wanted) / sizeof(wanted[0])
};

static void wait_on(struct etcd_cluster *c);
static void beat_ask(struct etcd *e, uint16_t from);

static int64_t index_of(const struct http_answer *a)
{
	uint64_t n;

	return num_u64(slice_str(a->kept[0]), 0, INT64_MAX, &n) ? (int64_t)n
								: 0;
}

static uint64_t cluster_id_of(const struct http_answer *a)
{
	return etcd2_cluster_id(slice_str(a->kept[1]));
}

bool etcd2_send(
    struct etcd *e, struct http_req **slot, const struct etcd2_ask *q)
{
	char path[PATH_ROOM];
	struct etcd_text t = {.p = path, .size = sizeof(path)};
	struct http_ask a;

	etcd_text_add(&t, "/v2/keys");
	/* A directory, too, has its slash: etcd matches a role with the path as
	   it is asked for, and without it one for "/service/main/" and what is
	   below would not do. */
	etcd_text_path(&t, q->prefix);
	etcd_text_path(&t, q->name);
	etcd_text_add(&t, "?recursive=true");
	if (q->wait > 0) {
		etcd_text_add(&t, "&wait=true&waitIndex=");
		etcd_text_number(&t, q->wait);
	} else {
		etcd_text_add(&t, "&quorum=true");
	}
	a = etcd_question(e, path, NULL, q->done);
	if (q->wait > 0)
		a.deadline = dur_us(0);
	a.arg = q->arg;
	a.keep[0] = "X-Etcd-Index";
	a.keep[1] = "X-Etcd-Cluster-Id";
	return etcd_send(e, slot, &a, !t.full);
}

static void node_cb(void *arg, const struct etcd2_kv *kv)
{
	etcd_cluster_node(arg, kv);
}

/* ---- reading ---- */

static struct etcd_cluster *reading(struct etcd *e)
{
	assert(e->reading < e->n);
	return e->cluster[e->reading];
}

static void next_cluster(struct etcd *e)
{
	e->reading++;
	e->key = 0;
	etcd2_read_next(e);
}

static void leave_out(struct etcd *e, const char *why)
{
	etcd_leave_out(reading(e), why);
	if (e->is_aside)
		e->is_aside = false;
	else
		next_cluster(e);
}

static void next_key(struct etcd *e)
{
	struct etcd_cluster *c = reading(e);

	e->key++;
	if (e->key < WANTED_N) {
		etcd2_read_next(e);
		return;
	}
	/* What happened since the leader key was read comes by the watch. */
	c->leader_seen = c->index_seen;
	if (etcd_read_done(c, e->read_asked))
		next_cluster(e);
}

/* Gives: false if there is no going on with this endpoint. */
static bool begin_cluster(struct etcd *e, const struct http_answer *a)
{
	struct etcd_cluster *c = reading(e);
	int64_t index = index_of(a);

	if (index == 0) {
		etcd_ask_failed(e, "parse");
		return false;
	}
	if (!is_etcd_same(e, cluster_id_of(a)) &&
	    (e->is_aside || e->reading > 0)) {
		etcd_give_up(e, "another cluster");
		return false;
	}
	if (index < c->index_seen)
		log_warnx("change etcd=%s index=%lld was=%lld", e->addr,
		    (long long)index, (long long)c->index_seen);
	/* Of v3, if that was it before. */
	memset(c->part, 0, sizeof(c->part));
	c->index_seen = index;
	e->read_asked = a->asked;
	etcd_cluster_clear(c);
	return true;
}

static void skip_history(struct etcd *e)
{
	struct etcd_cluster *c = reading(e);

	if (c->history_skipped == 0)
		log_warnx("drop etcd=%s prefix=%s key=history why=\"it has "
			  "outgrown %d bytes: who led before our start is "
			  "unknown\"",
		    e->addr, c->keys.prefix, LIM_HTTP_BODY);
	c->history_skipped = 1;
	next_key(e);
}

static void take_key(struct etcd *e, const struct http_answer *a)
{
	const struct etcd2_sink sink = {.kv = node_cb, .arg = reading(e)};
	struct etcd2_answer got;

	if (e->key == 0 && !begin_cluster(e, a))
		return;
	got = etcd2_decode(a->body, &sink);
	switch (got.kind) {
	case ETCD2_NODES:
	case ETCD2_ABSENT:
		next_key(e);
		return;
	case ETCD2_DENIED:
		leave_out(e, got.text);
		return;
	case ETCD2_BAD:
	case ETCD2_EVENT:
	case ETCD2_CLEARED:
	case ETCD2_ERROR:
		etcd_ask_failed(e, got.text[0] != '\0' ? got.text : "parse");
		return;
	}
	abort();
}

static void read_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);

	e->ask = NULL;
	if (a->rc == EV_RC_LIMIT && e->key == WANTED_N - 1)
		skip_history(e);
	else if (a->rc == EV_RC_LIMIT)
		leave_out(e, "its keys are larger than an answer may be");
	else if (a->rc == EV_RC_OK && (a->status == 401 || a->status == 403))
		leave_out(e, "insufficient credentials");
	else if (a->rc == EV_RC_OK && a->status == 404 && index_of(a) == 0)
		etcd_ask_failed(e, "it does not speak v2");
	else if ((a->rc == EV_RC_OK && a->status == 404) ||
	    !is_etcd_ask_bad(e, a))
		take_key(e, a);
}

void etcd2_read_next(struct etcd *e)
{
	struct etcd2_ask q = {.done = read_cb, .arg = e};

	if (e->reading == e->n) {
		etcd_apart_read(e);
		return;
	}
	q.prefix = reading(e)->keys.prefix;
	q.name = wanted[e->key];
	(void)etcd2_send(e, &e->ask, &q);
}

void etcd2_follow(struct etcd *e)
{
	uint16_t i;

	etcd_move(e, ETCD_FOLLOWING, "the watch is open");
	etcd_pulse_start(e);
	for (i = etcd_next(e, 0); i < e->n && e->state == ETCD_FOLLOWING;
	     i = etcd_next(e, i + 1u))
		wait_on(e->cluster[i]);
}

void etcd2_read_aside(struct etcd *e)
{
	assert(e->ask == NULL);
	do {
		e->reading =
		    (uint16_t)(e->reading + 1 < e->n ? e->reading + 1 : 0);
	} while (!reading(e)->is_unread);
	e->key = 0;
	e->is_aside = true;
	etcd2_read_next(e);
}

/* ---- watching ---- */

/* What the heartbeat waited for may have come. */
static void go_on(struct etcd *e)
{
	if (!etcd_cluster_prove2(e->cluster[e->beat_from], &e->proof))
		return;
	ev_timer_stop(e->loop, &e->grace);
	if (etcd_next(e, e->beat_from + 1u) < e->n)
		beat_ask(e, etcd_next(e, e->beat_from + 1u));
}

static void take_event(struct etcd_cluster *c, const struct http_answer *a)
{
	const struct etcd2_sink sink = {.kv = node_cb, .arg = c};
	struct etcd2_answer got = etcd2_decode(a->body, &sink);
	struct etcd *e = c->etcd;

	if (got.kind == ETCD2_CLEARED) {
		etcd_read_again(e, "the events between are forgotten");
		return;
	}
	if (got.kind != ETCD2_EVENT || got.modified <= c->index_seen) {
		etcd_give_up(e, got.text[0] != '\0' ? got.text : "parse");
		return;
	}
	c->index_seen = got.modified;
	if (c->is_changed)
		etcd_cluster_show(c, a->at);
	if (ev_is_active(&e->grace) && c->index == e->beat_from)
		go_on(e);
	if (e->state == ETCD_FOLLOWING)
		wait_on(c);
}

static void wait_cb(void *arg, const struct http_answer *a)
{
	struct etcd_cluster *c = etcd_cluster_of(arg);
	struct etcd *e = c->etcd;

	c->wait = NULL;
	if (a->rc == EV_RC_LOCAL && is_http_client_gap(e->http, a->asked))
		etcd_read_again(e, "the loop stood still");
	else if (a->rc == EV_RC_LIMIT)
		etcd_read_again(e, "an event is larger than an answer may be");
	else if (a->rc != EV_RC_OK)
		(void)is_etcd_bad(e, a);
	else if (a->body.len == 0)
		etcd_give_up(e, "the watch ended");
	else
		take_event(c, a);
}

static void wait_on(struct etcd_cluster *c)
{
	struct etcd2_ask q = {.prefix = c->keys.prefix,
	    .name = "",
	    .wait = c->index_seen + 1,
	    .done = wait_cb,
	    .arg = c};

	(void)etcd2_send(c->etcd, &c->wait, &q);
}

/* ---- heartbeat ---- */

static void proof_cb(void *arg, const struct etcd2_kv *kv)
{
	struct etcd2_proof *proof = arg;

	proof->modified = kv->modified;
}

static void prove(struct etcd *e, const struct http_answer *a)
{
	struct etcd_cluster *c = e->cluster[e->beat_from];
	const struct etcd2_sink sink = {.kv = proof_cb, .arg = &e->proof};
	struct etcd2_answer got;

	e->proof =
	    (struct etcd2_proof){.index = index_of(a), .asked = a->asked};
	got = etcd2_decode(a->body, &sink);
	if (e->proof.index == 0 ||
	    (got.kind != ETCD2_NODES && got.kind != ETCD2_ABSENT)) {
		etcd_give_up(e, got.text[0] != '\0' ? got.text : "parse");
	} else if (!is_etcd_same(e, cluster_id_of(a))) {
		etcd_read_again(e, "another cluster");
	} else if (e->proof.index < e->beat_floor) {
		etcd_read_again(e, "its index went back");
	} else {
		c->is_unproven = true;
		etcd_grace_start(e);
		go_on(e);
	}
}

static void beat_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);

	e->beat = NULL;
	/* "No such key" is an answer. */
	if ((a->rc == EV_RC_OK && a->status == 404) || !is_etcd_bad(e, a))
		prove(e, a);
}

static void beat_ask(struct etcd *e, uint16_t from)
{
	struct etcd_cluster *c = e->cluster[from];
	struct etcd2_ask q = {.prefix = c->keys.prefix,
	    .name = "leader",
	    .done = beat_cb,
	    .arg = e};

	e->beat_from = from;
	e->beat_floor = c->index_seen;
	(void)etcd2_send(e, &e->beat, &q);
}

void etcd2_beat_start(struct etcd *e)
{
	beat_ask(e, etcd_next(e, 0));
}
