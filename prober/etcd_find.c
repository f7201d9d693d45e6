/*
 * etcd_find.c - which of etcd's APIs holds Patroni's keys, and logging in.
 *
 * v3 is looked at first, and wins where both have as much: a cluster that
 * moved from v2 leaves old keys behind, but no leader key, which expires. Both
 * are looked at on each dial, for what some clusters have; etcd_apart.c sees to
 * those that differ.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "etcd_apart.h"

#define LOOK3_MAX (ETCD_BEAT_OPS / 2) /* clusters that speak for all */
#define LOOK2_MAX 8
#define LOGIN_MS 2000 /* etcd's bcrypt takes its time */

static void look2(struct etcd *e);

static void use(struct etcd *e, enum conf_etcd_api api)
{
	e->found.api = api;
	if (e->said != api) {
		e->said = api;
		log_info("change etcd=%s api=%s root=%s configured=%s", e->addr,
		    etcd_api_text(api),
		    api == CONF_ETCD_V2 ? "/v2" : e->found.root,
		    e->conf->etcd_api == CONF_ETCD_AUTO ? "auto"
							: etcd_api_text(api));
	}
	etcd_move(e, ETCD_READING, "");
	e->reading = 0;
	e->key = 0;
	if (api == CONF_ETCD_V2)
		etcd2_read_next(e);
	else
		etcd3_read_next(e);
}

static void use3(struct etcd *e)
{
	use(e, CONF_ETCD_V3);
}

/* Both were looked at, or the first has the leader key. */
static void decide(struct etcd *e)
{
	const struct etcd_found *f = &e->found;

	if (f->v2 > f->v3 && f->v2 > ETCD_TRACE_UNSPOKEN) {
		use(e, CONF_ETCD_V2);
	} else if (f->v3 > ETCD_TRACE_UNSPOKEN) {
		use(e, CONF_ETCD_V3);
	} else {
		etcd_give_up(e, "it speaks neither v3 nor v2");
	}
}

/* ---- v2 ---- */

static void look2_kv_cb(void *arg, const struct etcd2_kv *kv)
{
	(void)kv;
	*(bool *)arg = true;
}

enum etcd_trace etcd2_trace(
    const struct etcd_cluster *c, const struct http_answer *a)
{
	bool has_key = false;
	const struct etcd2_sink sink = {.kv = look2_kv_cb, .arg = &has_key};
	struct etcd2_answer got = etcd2_decode(a->body, &sink);

	if (a->status >= 500)
		return ETCD_TRACE_UNKNOWN;
	if (got.kind == ETCD2_BAD && a->status == 404)
		return ETCD_TRACE_UNSPOKEN;
	if (has_key)
		return ETCD_TRACE_LEADER;
	/* As with v3: or an empty v3 would be taken for Patroni's. */
	if (got.kind == ETCD2_DENIED)
		return ETCD_TRACE_KEYS;
	/* The directory is there: then the key itself is what is missing. */
	return is_dcs_keys_leader(&c->keys, slice_str(got.cause))
	    ? ETCD_TRACE_KEYS
	    : ETCD_TRACE_NONE;
}

void etcd2_look(struct etcd *e, uint16_t at,
    void (*done)(void *, const struct http_answer *))
{
	const struct etcd2_ask q = {.prefix = e->cluster[at]->keys.prefix,
	    .name = "leader",
	    .done = done,
	    .arg = e};

	(void)etcd2_send(e, &e->ask, &q);
}

static void look2_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);
	enum etcd_trace trace;

	e->ask = NULL;
	if (a->rc != EV_RC_OK) {
		(void)is_etcd_ask_bad(e, a);
		return;
	}
	trace = etcd2_trace(e->cluster[e->found.next++], a);
	if (trace == ETCD_TRACE_UNKNOWN)
		trace = ETCD_TRACE_NONE;
	if (trace == ETCD_TRACE_UNSPOKEN || e->found.v2 < trace)
		e->found.v2 = trace;
	if (trace == ETCD_TRACE_UNSPOKEN || trace == ETCD_TRACE_LEADER ||
	    e->found.next == e->n || e->found.next == LOOK2_MAX)
		decide(e);
	else
		look2(e);
}

static void look2(struct etcd *e)
{
	etcd2_look(e, e->found.next, look2_cb);
}

/* ---- v3 ---- */

static enum etcd_trace trace_of_beats(const struct etcd3_beat *beat, uint16_t n)
{
	enum etcd_trace trace = ETCD_TRACE_NONE;
	uint16_t i;

	for (i = 0; i < n; i++, beat += 2) {
		if (beat[0].count > 0)
			return ETCD_TRACE_LEADER;
		if (beat[1].count > 0)
			trace = ETCD_TRACE_KEYS;
	}
	return trace;
}

enum etcd_trace etcd3_trace(
    struct etcd *e, const struct http_answer *a, uint16_t n)
{
	struct etcd3_beat beat[ETCD_BEAT_OPS];
	struct etcd3_head head;

	assert(n <= LOOK3_MAX);
	if (a->rc == EV_RC_OK && a->status == 404)
		return ETCD_TRACE_UNSPOKEN;
	/* Who sets permissions uses it: not all of it is for us, and reading
	   tells which is. Only a leader in v2 says more. */
	if (a->rc == EV_RC_OK && etcd3_error(a->body).code == ETCD3_CODE_DENIED)
		return ETCD_TRACE_KEYS;
	if (is_etcd_ask_bad(e, a))
		return ETCD_TRACE_UNKNOWN;
	if (etcd3_beat(a->body, &head, beat, (size_t)2 * n))
		return trace_of_beats(beat, n);
	etcd_ask_failed(e, "parse");
	return ETCD_TRACE_UNKNOWN;
}

void etcd3_look(struct etcd *e, uint16_t from, uint16_t n,
    void (*done)(void *, const struct http_answer *))
{
	struct etcd_text t = {.size = ETCD_ASK_HEAD + n * ETCD3_ASK_ROOM};
	char path[ETCD_PATH];
	struct http_ask a;
	uint16_t i;

	t.p = malloc(t.size);
	if (t.p == NULL) {
		etcd_ask_failed(e, "local");
		return;
	}
	etcd3_ask_begin(&t);
	for (i = 0; i < n; i++)
		etcd3_ask_look(&t, e->cluster[from + i]->keys.prefix);
	etcd3_ask_end(&t);
	a = etcd_question(e, etcd3_path(e, "/kv/txn", path), &t, done);
	(void)etcd_send(e, &e->ask, &a, !t.full);
	free(t.p);
}

static uint16_t look3_n(const struct etcd *e)
{
	return e->n < LOOK3_MAX ? e->n : LOOK3_MAX;
}

static void look3_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);

	e->ask = NULL;
	e->found.v3 = etcd3_trace(e, a, look3_n(e));
	if (e->found.v3 == ETCD_TRACE_UNKNOWN)
		return;
	if (e->found.v3 == ETCD_TRACE_LEADER)
		decide(e);
	else
		look2(e);
}

static void look3(struct etcd *e)
{
	etcd3_look(e, 0, look3_n(e), look3_cb);
}

/* ---- logging in ---- */

static void login_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);
	struct etcd3_error err = etcd3_error(a->body);

	e->login = NULL;
	if (a->rc == EV_RC_OK && err.code == ETCD3_CODE_NO_AUTH) {
		e->then(e);
		return;
	}
	if (e->is_login_aside ? is_etcd_ask_bad(e, a) : is_etcd_bad(e, a))
		return;
	if (!etcd3_token(a->body, e->token, sizeof(e->token))) {
		if (e->is_login_aside)
			etcd_ask_failed(e, "parse");
		else
			etcd_give_up(e, "parse");
		return;
	}
	e->is_token_new = true;
	e->then(e);
}

void etcd_login(struct etcd *e, void (*then)(struct etcd *e))
{
	char body[8 * LIM_SECRET];
	struct etcd_text t = {.p = body, .size = sizeof(body)};
	char path[ETCD_PATH];
	struct http_ask a;

	if (e->cred.auth[0] == '\0' || e->token[0] != '\0') {
		then(e);
		return;
	}
	e->then = then;
	/* A heartbeat's may be beside a look that is under way. */
	e->is_login_aside = e->is_aside && e->ask == NULL;
	etcd3_ask_login(&t, e->cred.auth);
	a = etcd_question(
	    e, etcd3_path(e, "/auth/authenticate", path), &t, login_cb);
	a.deadline = dur_ms(LOGIN_MS);
	(void)etcd_send(e, &e->login, &a, !t.full);
	explicit_bzero(body, sizeof(body));
}

/* ---- the endpoint ---- */

/* Source: etcd's Documentation/dev-guide/api_grpc_gateway.md. */
static const char *root_of(const struct etcd_version *v)
{
	if (v->major < 3)
		return NULL;
	if (v->major == 3 && v->minor < 3)
		return "/v3alpha";
	return v->major == 3 && v->minor == 3 ? "/v3beta" : "/v3";
}

static void version_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);
	struct etcd_version v;

	e->ask = NULL;
	/* A proxy that shows the APIs only: the root of all that is current. */
	if (a->rc == EV_RC_OK && a->status == 404) {
		e->found.root = "/v3";
	} else if (is_etcd_bad(e, a)) {
		return;
	} else if (!etcd_version_decode(a->body, &v)) {
		etcd_give_up(e, "parse");
		return;
	} else {
		e->found.root = root_of(&v);
	}
	if (e->found.root == NULL)
		e->found.v3 = ETCD_TRACE_UNSPOKEN;
	if (e->found.root != NULL)
		etcd_login(e, e->conf->etcd_api == CONF_ETCD_V3 ? use3 : look3);
	else if (e->conf->etcd_api == CONF_ETCD_V3)
		etcd_give_up(e, "it does not speak v3");
	else
		look2(e);
}

void etcd_find(struct etcd *e)
{
	struct http_ask a;

	assert(e->n > 0);
	e->found = (struct etcd_found){.api = CONF_ETCD_AUTO};
	if (e->conf->etcd_api == CONF_ETCD_V2) {
		use(e, CONF_ETCD_V2);
		return;
	}
	a = etcd_question(e, "/version", NULL, version_cb);
	(void)etcd_send(e, &e->ask, &a, true);
}
