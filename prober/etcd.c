/*
 * etcd.c - see etcd.h. Called by cluster.c; reports to each cluster's sink.
 *
 *   AWAY --dial--> READING (each prefix) --> OPENING (one watch stream for
 *   all of them, until each says created) --> FOLLOWING
 *
 * From OPENING on, a heartbeat each second asks linearizably for every
 * prefix's newest revision and number of keys, so that a stream which is
 * silent, stale or cut from its quorum is found out. Whatever fails leads to
 * the next endpoint and a whole new read: there is one way to be right.
 * Nothing blocks.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "etcd.h"
#include "etcd3_json.h"
#include "etcd_cluster.h"
#include "evidence.h"
#include "log.h"

#define ETCD_MAGIC 0x45746364u
#define DEADLINE_MS 1000 /* of each read and heartbeat */
#define BEAT_MS 1000
#define GRACE_MS 200 /* an event may be behind the heartbeat's answer */
#define DIAL_MS 200  /* at least, between two dials: at most 5 a second */
#define JITTER_MS 50
#define ROUND_MS 1000 /* after all endpoints have failed in turn */
#define BEAT_OPS 100  /* etcd's --max-txn-ops is 128 */
#define ASK_HEAD 64

enum etcd_state {
	ETCD_AWAY = 0,
	ETCD_READING,
	ETCD_OPENING,
	ETCD_FOLLOWING
};

struct etcd {
	unsigned magic;
	struct ev_loop *loop;
	struct http_client *http;
	struct resolve *resolve;
	struct conf_endpoint endpoint[LIM_ENDPOINTS];
	uint8_t endpoint_n, at; /* at: the endpoint in use */
	uint8_t failed;         /* in turn, since one worked */
	enum etcd_state state;
	struct etcd_cluster **cluster;
	uint16_t n, reading; /* reading: the cluster whose turn it is */
	uint16_t beat_from;  /* the first cluster of the beat under way */
	uint16_t beat_n;
	ev_timer dial, pulse, grace;
	struct http_req *read, *watch, *beat;
	struct mono dialed, opened, beat_asked;
	int64_t beat_revision; /* the heartbeat's answer is of this revision */
	int64_t beat_floor;    /* and must not be of an earlier one than this */
	uint64_t cluster_id;
	struct etcd3_lines lines;
	char addr[LIM_ADDR];
	struct log_rate rate;
	unsigned seed;
};

static const char *const state_name[] = {
    "away", "reading", "opening", "following"};

static struct etcd *etcd_of(void *p)
{
	struct etcd *e = p;

	assert(e != NULL && e->magic == ETCD_MAGIC);
	return e;
}

static void read_next(struct etcd *e);

static void move(struct etcd *e, enum etcd_state to, const char *why)
{
	const struct conf_endpoint *ep = &e->endpoint[e->at];
	char text[LOG_TEXT];
	uint32_t more;

	if (e->state != to && (to == ETCD_FOLLOWING || to == ETCD_AWAY) &&
	    log_rate_ok(&e->rate, 5, dur_ms(10000), mono_now(), &more))
		log_info("change etcd=%s:%u state=%s was=%s why=%s "
			 "suppressed=%u",
		    ep->host, (unsigned)ep->port, state_name[to],
		    state_name[e->state], log_text(slice_str(why), text), more);
	e->state = to;
}

static void hang_up(struct etcd *e)
{
	http_client_cancel(&e->read);
	http_client_cancel(&e->watch);
	http_client_cancel(&e->beat);
	ev_timer_stop(e->loop, &e->pulse);
	ev_timer_stop(e->loop, &e->grace);
	ev_timer_stop(e->loop, &e->dial);
}

/* Dials when the pace allows it, in `least` at the earliest. */
static void dial_later(struct etcd *e, struct dur least)
{
	struct mono now = mono_now();
	struct dur wait = dur_ms(DIAL_MS + rand_r(&e->seed) % JITTER_MS);

	if (is_mono_set(e->dialed))
		wait.us -= mono_sub(now, e->dialed).us;
	else
		wait.us = 0;
	if (wait.us < least.us)
		wait = least;
	ev_now_update(e->loop);
	ev_timer_stop(e->loop, &e->dial);
	ev_timer_set(&e->dial, dur_to_s(wait), 0.0);
	ev_timer_start(e->loop, &e->dial);
}

/* The endpoint, or what it told, is no good: the next one, a new read. */
static void give_up(struct etcd *e, const char *why)
{
	bool is_round;

	hang_up(e);
	move(e, ETCD_AWAY, why);
	e->at = (uint8_t)((e->at + 1) % e->endpoint_n);
	if (e->failed < UINT8_MAX)
		e->failed++;
	is_round = e->failed % e->endpoint_n == 0;
	dial_later(e, dur_ms(is_round && e->failed > 1 ? ROUND_MS : 0));
}

/* The same endpoint again: it is well, what we know of it is not. */
static void read_again(struct etcd *e, const char *why)
{
	hang_up(e);
	move(e, ETCD_AWAY, why);
	dial_later(e, dur_ms(0));
}

/* Gives: false, and a new read is under way, if this is another cluster. */
static bool is_same_cluster(struct etcd *e, const struct etcd3_head *head)
{
	if (e->cluster_id == 0 || e->cluster_id == head->cluster_id)
		return true;
	log_warnx("change etcd=%s cluster_id=%llx was=%llx", e->addr,
	    (unsigned long long)head->cluster_id,
	    (unsigned long long)e->cluster_id);
	e->cluster_id = 0;
	return false;
}

/* The text must live until it is asked. */
static struct http_ask question(struct etcd *e, const char *path,
    const struct etcd3_text *text,
    void (*done)(void *, const struct http_answer *))
{
	const struct conf_endpoint *ep = &e->endpoint[e->at];

	return (struct http_ask){.addr = e->addr,
	    .name = ep->host,
	    .port = ep->port,
	    .tls = ep->tls,
	    .path = path,
	    .post = text->p,
	    .deadline = dur_ms(DEADLINE_MS),
	    .done = done,
	    .arg = e};
}

static const char *why_of(const struct http_answer *a)
{
	return a->rc != EV_RC_OK ? ev_rc_name(a->rc) : "status";
}

/* ---- heartbeat ---- */

/* Gives: whether every cluster of this beat is proven by now. */
static bool prove(struct etcd *e)
{
	bool all = true;
	uint16_t i;

	for (i = e->beat_from; i < e->beat_from + e->beat_n; i++) {
		if (!etcd_cluster_prove(
			e->cluster[i], e->beat_revision, e->beat_asked))
			all = false;
	}
	return all;
}

static void beat_ask(struct etcd *e, uint16_t from);

/* The next part of the beat, or the next beat. */
static void beat_on(struct etcd *e)
{
	uint16_t next = (uint16_t)(e->beat_from + e->beat_n);

	ev_timer_stop(e->loop, &e->grace);
	if (next < e->n)
		beat_ask(e, next);
}

static void grace_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct etcd *e = etcd_of(w->data);

	(void)loop;
	(void)revents;
	give_up(e, "the watch is silent");
}

static void beat_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);
	struct etcd3_beat beat[BEAT_OPS];
	struct etcd3_head head;
	uint16_t i;

	e->beat = NULL;
	if (a->rc != EV_RC_OK || a->status != 200) {
		give_up(e, why_of(a));
		return;
	}
	if (!etcd3_beat(a->body, &head, beat, e->beat_n)) {
		give_up(e, "parse");
		return;
	}
	if (!is_same_cluster(e, &head)) {
		read_again(e, "another cluster");
		return;
	}
	if (head.revision < e->beat_floor) {
		read_again(e, "its revision went back");
		return;
	}
	e->beat_asked = a->asked;
	e->beat_revision = head.revision;
	for (i = 0; i < e->beat_n; i++) {
		struct etcd_cluster *c = e->cluster[e->beat_from + i];

		c->beat = beat[i];
		c->is_unproven = c->seen > 0;
	}
	if (prove(e)) {
		beat_on(e);
		return;
	}
	ev_now_update(e->loop);
	ev_timer_set(&e->grace, GRACE_MS / 1000.0, 0.0);
	ev_timer_start(e->loop, &e->grace);
}

static void beat_ask(struct etcd *e, uint16_t from)
{
	struct etcd3_text t = {0};
	struct http_ask a;
	uint16_t i;

	e->beat_from = from;
	e->beat_n = (uint16_t)(e->n - from);
	if (e->beat_n > BEAT_OPS)
		e->beat_n = BEAT_OPS;
	t.size = ASK_HEAD + (size_t)e->beat_n * ETCD3_ASK_ROOM;
	t.p = malloc(t.size);
	if (t.p == NULL)
		return; /* our own lack: the proof ages, nothing else */
	etcd3_ask_beat_begin(&t);
	e->beat_floor = 0;
	for (i = 0; i < e->beat_n; i++) {
		const struct etcd_cluster *c = e->cluster[from + i];

		etcd3_ask_beat_add(&t, c->keys.prefix);
		if (e->beat_floor < c->seen)
			e->beat_floor = c->seen;
	}
	etcd3_ask_beat_end(&t);
	a = question(e, "/v3/kv/txn", &t, beat_cb);
	e->beat = t.full ? NULL : http_client_ask(e->http, &a);
	free(t.p);
}

static void pulse_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct etcd *e = etcd_of(w->data);

	(void)loop;
	(void)revents;
	if (is_http_client_gap(e->http, e->opened))
		read_again(e, "the loop stood still");
	else if (e->state == ETCD_OPENING)
		give_up(e, "the watch does not open");
	/* A beat in flight, or in its grace, has its own end. */
	else if (e->beat == NULL && !ev_is_active(&e->grace))
		beat_ask(e, 0);
}

/* ---- watch ---- */

static struct etcd_cluster *cluster_of_id(struct etcd *e, int64_t watch_id)
{
	return watch_id >= 1 && watch_id <= e->n ? e->cluster[watch_id - 1]
						 : NULL;
}

static void event_cb(void *arg, const struct etcd3_kv *kv)
{
	struct etcd_cluster *c = cluster_of_id(etcd_of(arg), kv->watch_id);

	if (c != NULL)
		etcd_cluster_event(c, kv);
}

static void created(struct etcd *e, const struct etcd3_watch *w)
{
	struct etcd_cluster *c = cluster_of_id(e, w->watch_id);
	uint16_t i;

	if (c != NULL)
		c->is_created = true;
	for (i = 0; i < e->n; i++) {
		if (!e->cluster[i]->is_created)
			return;
	}
	if (e->state != ETCD_OPENING)
		return;
	e->failed = 0;
	move(e, ETCD_FOLLOWING, "the watch is open");
}

/* Gives: false once the stream has been given up. */
static bool take_line(struct etcd *e, struct slice line)
{
	const struct etcd3_sink sink = {.kv = event_cb, .arg = e};
	struct etcd3_watch w = etcd3_watch_line(line, &sink);

	switch (w.kind) {
	case ETCD3_CREATED:
		created(e, &w);
		return true;
	case ETCD3_EVENTS:
	case ETCD3_PROGRESS:
		return true;
	case ETCD3_COMPACTED:
		read_again(e, "compacted");
		return false;
	case ETCD3_CANCELED:
	case ETCD3_ERROR:
		give_up(e, w.text);
		return false;
	case ETCD3_BAD:
		break;
	}
	give_up(e, "parse");
	return false;
}

static void show_changed(struct etcd *e)
{
	struct mono now = mono_now();
	uint16_t i;

	for (i = 0; i < e->n; i++) {
		if (e->cluster[i]->is_changed)
			etcd_cluster_show(e->cluster[i], now);
	}
}

/* Called from inside of curl: http_client.c puts off what must not be there. */
static bool piece_cb(void *arg, struct slice bytes)
{
	struct etcd *e = etcd_of(arg);
	enum etcd3_cut cut;
	struct slice line;

	if (is_http_client_gap(e->http, e->opened)) {
		read_again(e, "the loop stood still");
		return false;
	}
	while ((cut = etcd3_lines_next(&e->lines, &bytes, &line)) ==
	    ETCD3_CUT_LINE) {
		if (!take_line(e, line))
			return false;
	}
	if (cut == ETCD3_CUT_LONG) {
		give_up(e, "limit");
		return false;
	}
	show_changed(e);
	if (ev_is_active(&e->grace) && prove(e))
		beat_on(e);
	return true;
}

/* An error is the stream's last line, and has no newline behind it. */
static void watch_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);
	struct slice in = slice_str("\n"), line;

	e->watch = NULL;
	if (a->rc != EV_RC_OK)
		give_up(e, why_of(a));
	else if (etcd3_lines_next(&e->lines, &in, &line) != ETCD3_CUT_LINE ||
	    take_line(e, line))
		give_up(e, "the watch ended");
}

static void open_watch(struct etcd *e)
{
	struct etcd3_text t = {0};
	struct http_ask a;
	uint16_t i;

	t.size = ASK_HEAD + (size_t)e->n * ETCD3_ASK_ROOM;
	t.p = malloc(t.size);
	if (t.p == NULL) {
		give_up(e, "local");
		return;
	}
	for (i = 0; i < e->n; i++) {
		etcd3_ask_watch(&t, e->cluster[i]->keys.prefix,
		    e->cluster[i]->seen + 1, i + 1);
	}
	a = question(e, "/v3/watch", &t, watch_cb);
	/* Without it the stream stays open, and silent, without a quorum. */
	a.header = "Grpc-Metadata-hasleader: true";
	a.deadline = dur_us(0);
	a.piece = piece_cb;
	e->lines.used = 0;
	e->lines.handed_out = false;
	e->opened = mono_now();
	move(e, ETCD_OPENING, "");
	e->watch = t.full ? NULL : http_client_ask(e->http, &a);
	free(t.p);
	if (e->watch == NULL) {
		give_up(e, "local");
		return;
	}
	ev_now_update(e->loop);
	ev_timer_set(&e->pulse, BEAT_MS / 1000.0, BEAT_MS / 1000.0);
	ev_timer_start(e->loop, &e->pulse);
}

/* ---- whole read ---- */

static void read_kv_cb(void *arg, const struct etcd3_kv *kv)
{
	struct etcd *e = etcd_of(arg);

	etcd_cluster_read(e->cluster[e->reading], kv);
}

static void read_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);
	const struct etcd3_sink sink = {.kv = read_kv_cb, .arg = e};
	struct etcd_cluster *c = e->cluster[e->reading];
	struct etcd3_range range;

	e->read = NULL;
	if (a->rc != EV_RC_OK || a->status != 200) {
		give_up(e, why_of(a));
		return;
	}
	etcd_cluster_clear(c);
	if (!etcd3_range(a->body, &sink, &range)) {
		give_up(e, "parse");
		return;
	}
	if (!is_same_cluster(e, &range.head) && e->reading > 0) {
		give_up(e, "another cluster");
		return;
	}
	e->cluster_id = range.head.cluster_id;
	if (range.head.revision < c->seen)
		log_warnx("change etcd=%s revision=%lld was=%lld", e->addr,
		    (long long)range.head.revision, (long long)c->seen);
	etcd_cluster_take(c, &range);
	etcd_cluster_show(c, a->asked);
	e->reading++;
	read_next(e);
}

static void read_next(struct etcd *e)
{
	char body[ASK_HEAD + ETCD3_ASK_ROOM];
	struct etcd3_text t = {.p = body, .size = sizeof(body)};
	struct http_ask a;

	if (e->reading == e->n) {
		open_watch(e);
		return;
	}
	etcd3_ask_range(&t, e->cluster[e->reading]->keys.prefix);
	a = question(e, "/v3/kv/range", &t, read_cb);
	e->read = t.full ? NULL : http_client_ask(e->http, &a);
	if (e->read == NULL)
		give_up(e, "local");
}

static void dial_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct etcd *e = etcd_of(w->data);

	(void)loop;
	(void)revents;
	hang_up(e);
	e->dialed = mono_now();
	if (!resolve_get(e->resolve, e->endpoint[e->at].host, e->addr)) {
		give_up(e, "its name is not known yet");
		return;
	}
	move(e, ETCD_READING, "");
	e->reading = 0;
	read_next(e);
}

bool etcd_add(struct etcd *e, const char *prefix, const struct etcd_sink *sink)
{
	struct etcd_cluster **room, *c;

	(void)etcd_of(e);
	assert(prefix != NULL && sink != NULL);
	assert(sink->view != NULL && sink->alive != NULL);
	if (e->n == LIM_CLUSTERS)
		return false;
	room =
	    reallocarray(e->cluster, e->n + 1u, sizeof(struct etcd_cluster *));
	if (room == NULL)
		return false;
	e->cluster = room;
	c = calloc(1, sizeof(*c));
	if (c == NULL || !dcs_keys_init(&c->keys, prefix)) {
		free(c);
		return false;
	}
	c->sink = *sink;
	e->cluster[e->n++] = c;
	/* One stream follows all: it is opened anew, with this one in it. */
	dial_later(e, dur_ms(0));
	return true;
}

struct etcd *etcd_new(struct ev_loop *loop, struct http_client *http,
    struct resolve *r, const struct conf_endpoint *endpoint, uint8_t n)
{
	struct etcd *e = calloc(1, sizeof(*e));

	assert(loop != NULL && http != NULL && r != NULL);
	assert(n >= 1 && n <= LIM_ENDPOINTS);
	if (e == NULL)
		return NULL;
	e->lines.size = LIM_HTTP_BODY;
	e->lines.buf = malloc(e->lines.size);
	if (e->lines.buf == NULL) {
		free(e);
		return NULL;
	}
	e->magic = ETCD_MAGIC;
	e->loop = loop;
	e->http = http;
	e->resolve = r;
	memcpy(e->endpoint, endpoint, n * sizeof(*endpoint));
	e->endpoint_n = n;
	e->seed = (unsigned)mono_now().us;
	ev_init(&e->dial, dial_cb);
	ev_init(&e->pulse, pulse_cb);
	ev_init(&e->grace, grace_cb);
	e->dial.data = e->pulse.data = e->grace.data = e;
	return e;
}

void etcd_free(struct etcd *e)
{
	uint16_t i;

	if (e == NULL)
		return;
	hang_up(etcd_of(e));
	for (i = 0; i < e->n; i++)
		free(e->cluster[i]);
	free(e->cluster);
	free(e->lines.buf);
	e->magic = 0;
	free(e);
}
