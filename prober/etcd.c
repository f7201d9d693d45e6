/*
 * etcd.c - see etcd.h and etcd_int.h. Called by app.c; reports to each
 * cluster's sink.
 *
 * Owns the client: which endpoint is spoken with, when the next one is dialled
 * and the pulse that asks for heartbeats, so that a watch which is silent,
 * stale or cut from its quorum is found out. Nothing blocks.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "etcd_apart.h"

#define ETCD_MAGIC 0x45746364u
#define CLUSTER_MAGIC 0x45746343u
#define BEAT_MS 1000
#define DIAL_MS 200 /* at least, between two dials: at most 5 a second */
#define JITTER_MS 50
#define ROUND_MS 500 /* after all endpoints have failed in turn */
#define ROUND_MAX_MS 2000
/* In pulses, while there is no leader key, or a cluster is left out. */
#define LOOK_EVERY 5
/* While it goes on: 600 watches take 0.1 s; what was read is fresh for 3. */
#define OPEN_PULSES 3
#define UNREAD_EVERY 10

static const char *const state_name[] = {
    "away", "finding", "reading", "opening", "following"};

struct etcd *etcd_of(void *p)
{
	struct etcd *e = p;

	assert(e != NULL && e->magic == ETCD_MAGIC);
	return e;
}

struct etcd_cluster *etcd_cluster_of(void *p)
{
	struct etcd_cluster *c = p;

	assert(c != NULL && c->magic == CLUSTER_MAGIC);
	return c;
}

static const struct conf_endpoint *endpoint_of(const struct etcd *e)
{
	return &e->conf->etcd[e->at];
}

void etcd_move(struct etcd *e, enum etcd_state to, const char *why)
{
	const struct conf_endpoint *ep = endpoint_of(e);
	char text[LOG_TEXT];
	uint32_t more;

	if (e->state != to && (to == ETCD_FOLLOWING || to == ETCD_AWAY) &&
	    log_rate_ok(&e->rate, 5, dur_ms(10000), mono_now(), &more))
		log_info("change etcd=%s:%u state=%s was=%s why=%s "
			 "suppressed=%u",
		    ep->host, (unsigned)ep->port, state_name[to],
		    state_name[e->state], log_text(slice_str(why), text), more);
	if (to == ETCD_FOLLOWING) {
		e->failed = 0;
		e->is_token_new = false;
	}
	e->state = to;
	if (to == ETCD_FOLLOWING)
		etcd_orders_pulse(e);
}

static void hang_up(struct etcd *e)
{
	uint16_t i;

	http_client_cancel(&e->ask);
	http_client_cancel(&e->login);
	http_client_cancel(&e->watch);
	http_client_cancel(&e->beat);
	etcd_orders_hang_up(e);
	for (i = 0; i < e->n; i++)
		http_client_cancel(&e->cluster[i]->wait);
	ev_timer_stop(e->loop, &e->pulse);
	ev_timer_stop(e->loop, &e->grace);
	ev_timer_stop(e->loop, &e->dial);
	e->is_aside = false;
}

static struct dur jitter(struct etcd *e, int64_t most_ms)
{
	return dur_ms(rand_r(&e->seed) % (most_ms + 1));
}

/* Dials when the pace allows it, in `least_ms` at the earliest. */
static void dial_later(struct etcd *e, int64_t least_ms)
{
	struct dur wait = dur_us(0);
	struct dur least =
	    dur_us(dur_ms(least_ms).us + jitter(e, least_ms / 4).us);

	if (is_mono_set(e->dialed))
		wait.us = dur_ms(DIAL_MS).us + jitter(e, JITTER_MS).us -
		    mono_sub(mono_now(), e->dialed).us;
	if (wait.us < least.us)
		wait = least;
	ev_now_update(e->loop);
	ev_timer_stop(e->loop, &e->dial);
	if (e->n == 0)
		return; /* each cluster has its own client by now */
	ev_timer_set(&e->dial, dur_to_s(wait), 0.0);
	ev_timer_start(e->loop, &e->dial);
}

/* One endpoint that broke is dialled again at once, the first time. */
static int64_t back_off_ms(const struct etcd *e)
{
	unsigned n = e->conf->etcd_n;
	unsigned rounds = e->failed / n - (n == 1 && e->failed > 0 ? 1 : 0);
	int64_t ms = ROUND_MS;

	if (e->failed % n != 0 || rounds == 0)
		return 0;
	while (--rounds > 0 && ms < ROUND_MAX_MS)
		ms *= 2;
	return ms;
}

void etcd_give_up(struct etcd *e, const char *why)
{
	hang_up(e);
	etcd_move(e, ETCD_AWAY, why);
	e->at = (uint8_t)((e->at + 1u) % e->conf->etcd_n);
	e->failed++;
	dial_later(e, back_off_ms(e));
}

void etcd_read_again(struct etcd *e, const char *why)
{
	hang_up(e);
	etcd_move(e, ETCD_AWAY, why);
	dial_later(e, 0);
}

void etcd_leave_out(struct etcd_cluster *c, const char *why)
{
	char text[LOG_TEXT];

	c->is_unread = true;
	if (c->is_told)
		return;
	c->is_told = true;
	log_warnx("drop etcd=%s prefix=%s why=%s", c->etcd->addr,
	    c->keys.prefix, log_text(slice_str(why), text));
}

bool etcd_read_done(struct etcd_cluster *c, struct mono asked)
{
	if (c->etcd->is_aside) {
		log_info(
		    "change etcd=%s prefix=%s why=\"it can be read again\"",
		    c->etcd->addr, c->keys.prefix);
		c->is_told = false;
		etcd_read_again(c->etcd, "a cluster can be read again");
		return false;
	}
	c->is_unread = c->is_told = false;
	c->is_held = is_etcd_mixed(c->etcd) && is_etcd_lost(c);
	c->held_asked = asked;
	if (!c->is_held)
		etcd_cluster_show(c, asked);
	return true;
}

uint16_t etcd_next(const struct etcd *e, unsigned i)
{
	while (i < e->n && e->cluster[i]->is_unread)
		i++;
	return (uint16_t)i;
}

bool is_etcd_any_read(struct etcd *e)
{
	if (etcd_next(e, 0) < e->n)
		return true;
	etcd_give_up(e, "no cluster can be read");
	return false;
}

bool is_etcd_same(struct etcd *e, uint64_t cluster_id)
{
	uint64_t was = e->cluster_id;

	e->cluster_id = cluster_id;
	if (was == 0 || was == cluster_id)
		return true;
	log_warnx("change etcd=%s cluster_id=%llx was=%llx", e->addr,
	    (unsigned long long)cluster_id, (unsigned long long)was);
	return false;
}

bool is_etcd_bad(struct etcd *e, const struct http_answer *a)
{
	struct etcd3_error err;

	if (a->rc != EV_RC_OK) {
		etcd_give_up(e, ev_rc_name(a->rc));
		return true;
	}
	if (a->status == 200)
		return false;
	err = etcd3_error(a->body);
	if (err.code == ETCD3_CODE_TOKEN && e->token[0] != '\0') {
		e->token[0] = '\0';
		if (!e->is_token_new) {
			etcd_read_again(e, err.text);
			return true;
		}
	}
	etcd_give_up(e, err.text[0] != '\0' ? err.text : "status");
	return true;
}

void etcd_ask_failed(struct etcd *e, const char *why)
{
	if (e->is_aside)
		e->is_aside = false;
	else
		etcd_give_up(e, why);
}

bool is_etcd_ask_bad(struct etcd *e, const struct http_answer *a)
{
	if (!e->is_aside)
		return is_etcd_bad(e, a);
	if (a->rc == EV_RC_OK && a->status == 200)
		return false;
	/* The next look logs in anew; v3's heartbeat does so by itself. */
	if (e->found.api == CONF_ETCD_V2 && a->rc == EV_RC_OK &&
	    etcd3_error(a->body).code == ETCD3_CODE_TOKEN)
		e->token[0] = '\0';
	e->is_aside = false;
	return true;
}

/* ---- asking ---- */

const char *etcd3_path(
    const struct etcd *e, const char *name, char buf[static ETCD_PATH])
{
	assert(e->found.root != NULL);
	(void)snprintf(buf, ETCD_PATH, "%s%s", e->found.root, name);
	return buf;
}

/* v3 has tokens, v2 HTTP's basic authentication. */
static const char *header_of(struct etcd *e, bool is_v2)
{
	struct etcd_text t = {.p = e->header, .size = sizeof(e->header)};

	if (is_v2 ? e->cred.auth[0] == '\0' : e->token[0] == '\0')
		return NULL;
	etcd_text_add(&t, "Authorization: ");
	if (!is_v2) {
		etcd_text_add(&t, e->token);
		return e->header;
	}
	etcd_text_add(&t, "Basic ");
	etcd_text_base64(&t, slice_str(e->cred.auth));
	return e->header;
}

struct http_ask etcd_question(struct etcd *e, const char *path,
    const struct etcd_text *post,
    void (*done)(void *, const struct http_answer *))
{
	const struct conf_endpoint *ep = endpoint_of(e);

	return (struct http_ask){.addr = e->addr,
	    .name = ep->host,
	    .port = ep->port,
	    .tls = ep->tls,
	    .pem = &e->cred.tls,
	    .path = path,
	    .post = post != NULL ? post->p : NULL,
	    .auth = header_of(e, strncmp(path, "/v2/", 4) == 0),
	    .deadline = dur_ms(ETCD_DEADLINE_MS),
	    .done = done,
	    .arg = e};
}

bool etcd_send(
    struct etcd *e, struct http_req **slot, const struct http_ask *a, bool fits)
{
	assert(*slot == NULL);
	*slot = fits ? http_client_ask(e->http, a) : NULL;
	if (*slot == NULL &&
	    (slot == &e->ask || (slot == &e->login && e->is_login_aside)))
		etcd_ask_failed(e, "local");
	else if (*slot == NULL)
		etcd_give_up(e, "local");
	return *slot != NULL;
}

/* ---- timers ---- */

static void grace_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	etcd_give_up(etcd_of(w->data), "the watch is silent");
}

void etcd_grace_start(struct etcd *e)
{
	ev_now_update(e->loop);
	ev_timer_set(&e->grace, ETCD_GRACE_MS / 1000.0, 0.0);
	ev_timer_start(e->loop, &e->grace);
}

/* What is done beside the watch: one thing at a time, and seldom. */
static void look_aside(struct etcd *e)
{
	bool is_unread = false, is_lost = false;
	uint16_t i;

	if (e->ask != NULL || e->login != NULL)
		return;
	for (i = 0; i < e->n; i++) {
		is_unread |= e->cluster[i]->is_unread;
		is_lost |= is_etcd_lost(e->cluster[i]);
	}
	if (is_unread && e->pulses % UNREAD_EVERY == 0)
		e->found.api == CONF_ETCD_V2 ? etcd2_read_aside(e)
					     : etcd3_read_aside(e);
	else if (is_lost && e->conf->etcd_api == CONF_ETCD_AUTO &&
	    e->pulses % LOOK_EVERY == 0)
		etcd_apart_aside(e);
}

static void pulse_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct etcd *e = etcd_of(w->data);

	(void)loop;
	(void)revents;
	e->pulses++;
	if (is_http_client_gap(e->http, e->opened)) {
		etcd_read_again(e, "the loop stood still");
		return;
	}
	if (e->state == ETCD_OPENING) {
		if (!e->is_opening || e->pulses >= OPEN_PULSES)
			etcd_give_up(e, "the watch does not open");
		e->is_opening = false;
		return;
	}
	look_aside(e);
	etcd_orders_pulse(e);
	/* A beat in flight, or in its grace, has its own end. */
	if (e->beat != NULL || e->login != NULL || ev_is_active(&e->grace))
		return;
	if (e->found.api == CONF_ETCD_V2)
		etcd2_beat_start(e);
	else
		etcd3_beat_start(e);
}

void etcd_pulse_start(struct etcd *e)
{
	e->opened = mono_now();
	e->is_opening = false;
	e->pulses = 0;
	ev_now_update(e->loop);
	ev_timer_stop(e->loop, &e->pulse);
	ev_timer_set(&e->pulse, BEAT_MS / 1000.0, BEAT_MS / 1000.0);
	ev_timer_start(e->loop, &e->pulse);
}

static void dial_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct etcd *e = etcd_of(w->data);

	(void)loop;
	(void)revents;
	hang_up(e);
	e->dialed = mono_now();
	if (!resolve_get(e->resolve, endpoint_of(e)->host, e->addr)) {
		etcd_give_up(e, "its name is not known yet");
		return;
	}
	etcd_move(e, ETCD_FINDING, "");
	etcd_find(e);
}

/* ---- the client ---- */

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
	c->magic = CLUSTER_MAGIC;
	c->etcd = e;
	c->index = e->n;
	c->sink = *sink;
	e->cluster[e->n++] = c;
	/* One stream follows all: it is opened anew, with this one in it. */
	dial_later(e, 0);
	return true;
}

static bool is_same_text(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

bool is_etcd_shared(const struct conf_cluster *a, const struct conf_cluster *b)
{
	uint8_t i;

	assert(a != NULL && b != NULL);
	/* v2 has nothing to share, and one client asks one after the other. */
	if (a->etcd_n != b->etcd_n || a->etcd_api != b->etcd_api ||
	    a->etcd_api == CONF_ETCD_V2)
		return false;
	for (i = 0; i < a->etcd_n; i++) {
		if (a->etcd[i].tls != b->etcd[i].tls ||
		    a->etcd[i].port != b->etcd[i].port ||
		    !is_same_text(a->etcd[i].host, b->etcd[i].host))
			return false;
	}
	return is_same_text(a->etcd_auth, b->etcd_auth) &&
	    is_same_text(a->etcd_ca, b->etcd_ca) &&
	    is_same_text(a->etcd_cert, b->etcd_cert) &&
	    is_same_text(a->etcd_key, b->etcd_key);
}

/* Without what the files say. */
static struct etcd *new_client(struct ev_loop *loop, struct http_client *http,
    struct resolve *r, const struct conf_cluster *conf)
{
	struct etcd *e = calloc(1, sizeof(*e));

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
	e->conf = conf;
	e->seed = (unsigned)mono_now().us;
	ev_init(&e->dial, dial_cb);
	ev_init(&e->pulse, pulse_cb);
	ev_init(&e->grace, grace_cb);
	e->dial.data = e->pulse.data = e->grace.data = e;
	return e;
}

struct etcd *etcd_new(struct ev_loop *loop, struct http_client *http,
    struct resolve *r, const struct conf_cluster *conf)
{
	struct etcd *e;

	assert(loop != NULL && http != NULL && r != NULL && conf != NULL);
	assert(conf->etcd_n >= 1 && conf->etcd_n <= LIM_ENDPOINTS);
	e = new_client(loop, http, r, conf);
	/* It has said why; etcd will refuse us, and is asked on. */
	if (e != NULL)
		(void)!etcd_cred_load(&e->cred, conf);
	return e;
}

struct etcd *etcd_new_own(const struct etcd *e)
{
	struct etcd *own = new_client(e->loop, e->http, e->resolve, e->conf);

	if (own != NULL && !etcd_cred_copy(&own->cred, &e->cred)) {
		etcd_free(own);
		return NULL;
	}
	if (own != NULL)
		own->at = e->at;
	return own;
}

void etcd_reload(struct etcd *e)
{
	struct etcd_cred fresh = {.auth = ""};
	struct etcd *own;

	for (own = etcd_of(e)->own; own != NULL; own = own->next_own)
		etcd_reload(own);
	if (!etcd_cred_load(&fresh, etcd_of(e)->conf))
		return;
	if (is_etcd_cred_same(&fresh, &e->cred)) {
		etcd_cred_free(&fresh);
		return;
	}
	etcd_cred_free(&e->cred);
	e->cred = fresh;
	e->token[0] = '\0';
	etcd_read_again(e, "its password or certificates changed");
}

const char *etcd_api_text(enum conf_etcd_api api)
{
	switch (api) {
	case CONF_ETCD_V2:
		return "v2";
	case CONF_ETCD_V3:
		return "v3";
	case CONF_ETCD_AUTO:
		break;
	}
	return NULL;
}

const char *etcd_api_name(const struct etcd *e, const void *arg)
{
	const char *name = NULL;
	struct etcd *own;
	uint16_t i;

	for (i = 0; i < e->n; i++) {
		if (e->cluster[i]->sink.arg == arg)
			return etcd_api_text(e->said);
	}
	for (own = e->own; own != NULL && name == NULL; own = own->next_own)
		name = etcd_api_name(own, arg);
	return name;
}

void etcd_free(struct etcd *e)
{
	struct etcd *own;
	uint16_t i;

	if (e == NULL)
		return;
	while ((own = e->own) != NULL) {
		e->own = own->next_own;
		etcd_free(own);
	}
	hang_up(etcd_of(e));
	for (i = 0; i < e->n; i++)
		free(e->cluster[i]);
	free(e->cluster);
	free(e->lines.buf);
	etcd_cred_free(&e->cred);
	explicit_bzero(e->token, sizeof(e->token));
	explicit_bzero(e->header, sizeof(e->header));
	e->magic = 0;
	free(e);
}
