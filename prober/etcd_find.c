/*
 * etcd_find.c - which of etcd's APIs holds Patroni's keys, and logging in.
 *
 * v3 is looked at first, and wins where both have as much: a cluster that
 * moved from v2 leaves old keys behind, but no leader key, which expires. Both
 * are looked at on each dial; and beside the watch, while no cluster has a
 * leader key.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "etcd_int.h"

#define LOOK3_MAX (ETCD_BEAT_OPS / 2) /* clusters that speak for all */
#define LOOK2_MAX 8
#define LOGIN_MS 2000 /* etcd's bcrypt takes its time */

static void look2(struct etcd *e);
static void look3(struct etcd *e);

static void use(struct etcd *e, enum conf_etcd_api api)
{
	e->found.api = api;
	if (e->said != api) {
		e->said = api;
		log_info("change etcd=%s api=%s root=%s configured=%s", e->addr,
		    etcd_api_name(e),
		    api == CONF_ETCD_V2 ? "/v2" : e->found.root,
		    e->conf->etcd_api == CONF_ETCD_AUTO ? "auto"
							: etcd_api_name(e));
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

	if (e->is_aside) {
		e->is_aside = false;
		if ((f->api == CONF_ETCD_V3 ? f->v2 : f->v3) ==
		    ETCD_TRACE_LEADER)
			etcd_read_again(e, "the other API has a leader key");
	} else if (f->v2 > f->v3 && f->v2 > ETCD_TRACE_UNSPOKEN) {
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

/* Gives: true once it is known. The directory is there, the key is not:
   then the key itself is what is missing. */
static bool trace2(struct etcd *e, const struct http_answer *a)
{
	const struct etcd_cluster *c = e->cluster[e->found.next];
	bool has_key = false;
	const struct etcd2_sink sink = {.kv = look2_kv_cb, .arg = &has_key};
	struct etcd2_answer got = etcd2_decode(a->body, &sink);

	if (got.kind == ETCD2_BAD && a->status == 404)
		e->found.v2 = ETCD_TRACE_UNSPOKEN;
	else if (has_key)
		e->found.v2 = ETCD_TRACE_LEADER;
	else if (is_dcs_keys_leader(&c->keys, slice_str(got.cause)))
		e->found.v2 = ETCD_TRACE_KEYS;
	else if (e->found.v2 < ETCD_TRACE_NONE)
		e->found.v2 = ETCD_TRACE_NONE;
	e->found.next++;
	return e->found.v2 == ETCD_TRACE_UNSPOKEN ||
	    e->found.v2 == ETCD_TRACE_LEADER || e->found.next == e->n ||
	    e->found.next == LOOK2_MAX;
}

static void look2_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);

	e->ask = NULL;
	if (a->rc != EV_RC_OK) {
		(void)is_etcd_ask_bad(e, a);
		return;
	}
	if (trace2(e, a))
		decide(e);
	else
		look2(e);
}

static void look2(struct etcd *e)
{
	struct etcd2_ask q = {.prefix = e->cluster[e->found.next]->keys.prefix,
	    .name = "leader",
	    .done = look2_cb,
	    .arg = e};

	(void)etcd2_send(e, &e->ask, &q);
}

/* ---- v3 ---- */

static void trace3(struct etcd *e, const struct etcd3_beat *beat, uint16_t n)
{
	uint16_t i;

	e->found.v3 = ETCD_TRACE_NONE;
	for (i = 0; i < n; i++) {
		if (beat[2 * i].count > 0)
			e->found.v3 = ETCD_TRACE_LEADER;
		else if (beat[2 * i + 1].count > 0 &&
		    e->found.v3 < ETCD_TRACE_KEYS)
			e->found.v3 = ETCD_TRACE_KEYS;
	}
}

static void look3_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);
	struct etcd3_beat beat[ETCD_BEAT_OPS];
	uint16_t n = e->n < LOOK3_MAX ? e->n : LOOK3_MAX;
	struct etcd3_head head;

	e->ask = NULL;
	if (a->rc == EV_RC_OK && a->status == 404) {
		e->found.v3 = ETCD_TRACE_UNSPOKEN;
	} else if (a->rc == EV_RC_OK &&
	    etcd3_error(a->body).code == ETCD3_CODE_DENIED) {
		/* Who sets permissions uses it: not all of it is for us, and
		   reading tells which is. Only a leader in v2 says more. */
		e->found.v3 = ETCD_TRACE_KEYS;
	} else if (is_etcd_ask_bad(e, a)) {
		return;
	} else if (!etcd3_beat(a->body, &head, beat, 2u * n)) {
		etcd_ask_failed(e, "parse");
		return;
	} else {
		trace3(e, beat, n);
	}
	if (e->found.v3 == ETCD_TRACE_LEADER || e->is_aside)
		decide(e);
	else
		look2(e);
}

static void look3(struct etcd *e)
{
	uint16_t n = e->n < LOOK3_MAX ? e->n : LOOK3_MAX, i;
	struct etcd_text t = {.size = ETCD_ASK_HEAD + n * ETCD3_ASK_ROOM};
	char path[ETCD_PATH];
	struct http_ask a;

	t.p = malloc(t.size);
	if (t.p == NULL) {
		etcd_ask_failed(e, "local");
		return;
	}
	etcd3_ask_begin(&t);
	for (i = 0; i < n; i++)
		etcd3_ask_look(&t, e->cluster[i]->keys.prefix);
	etcd3_ask_end(&t);
	a = etcd_question(e, etcd3_path(e, "/kv/txn", path), &t, look3_cb);
	(void)etcd_send(e, &e->ask, &a, !t.full);
	free(t.p);
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

void etcd_look_aside(struct etcd *e)
{
	struct etcd_found *f = &e->found;

	assert(e->ask == NULL && e->login == NULL);
	if (f->api == CONF_ETCD_V3 && f->v2 != ETCD_TRACE_UNSPOKEN) {
		e->is_aside = true;
		f->v2 = ETCD_TRACE_UNKNOWN;
		f->next = 0;
		look2(e);
	} else if (f->api == CONF_ETCD_V2 && f->v3 != ETCD_TRACE_UNSPOKEN) {
		e->is_aside = true;
		etcd_login(e, look3);
	}
}
