/*
 * api_control.c - POST /control: an operator's order, by the unix socket.
 *
 * What etcd is to keep is written there first: while etcd is asked the request
 * is suspended, and answered once etcd has it or has not. Nothing becomes this
 * host's alone unless there is no etcd, or it was asked for ("where":"host"):
 * an order that only one of several load balancers follows is a surprise.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_int.h"
#include "cluster.h"
#include "cluster_orders.h"
#include "etcd.h"
#include "json.h"
#include "jsonout.h"
#include "orders_file.h"
#include "wall.h"
#include "word.h"

#define SENTENCE 512
#define UNPROCESSED 409u

struct verb {
	const char *name;
	enum order_kind kind;
	bool is_undo, takes_member, takes_term, is_observe;
};

static const struct verb verbs[] = {
    {"drain", ORDER_DRAIN, false, true, true, false},
    {"undrain", ORDER_DRAIN, true, true, false, false},
    {"force", ORDER_FORCE, false, true, true, false},
    {"unforce", ORDER_FORCE, true, false, false, false},
    {"hold", ORDER_HOLD, false, false, true, false},
    {"resume", ORDER_HOLD, true, false, false, false},
    {"observe", ORDER_MODE, false, false, false, true},
    {"live", ORDER_MODE, false, false, false, false},
};

/* One request, from its body to its answer. */
struct control {
	struct api *api;
	struct app *app;
	struct MHD_Connection *conn; /* NULL: nobody waits any more */
	struct cluster *c;
	const struct verb *verb;
	struct order o;
	enum {
		WHERE_ANY = 0,
		WHERE_ETCD,
		WHERE_HOST
	} where;
	int64_t for_s;
	bool is_asked, is_suspended, is_over, also_host;
	char name[ORDERS_KEY], value[ORDERS_VALUE];
	unsigned status;
	char text[SENTENCE];
};

/* What is to be answered. Gives: false, for whoever leaves by it. */
__attribute__((format(printf, 3, 4))) static bool say(
    struct control *k, unsigned status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(k->text, sizeof(k->text), fmt, ap);
	va_end(ap);
	k->status = status;
	k->is_over = true;
	return false;
}

/* ---- what was asked ---- */

static const struct verb *verb_of(struct slice name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (is_slice_eq(name, verbs[i].name))
			return &verbs[i];
	return NULL;
}

static bool take_cluster(struct control *k, const cJSON *doc)
{
	struct slice name = json_str(doc, "cluster");
	char text[LIM_NAME];

	if (name.p == NULL && k->app->cluster_n == 1)
		k->c = k->app->cluster[0];
	for (uint16_t i = 0; name.p != NULL && i < k->app->cluster_n; i++)
		if (is_slice_eq(name, k->app->cluster[i]->conf->name))
			k->c = k->app->cluster[i];
	if (k->c != NULL)
		return true;
	if (name.p == NULL)
		return say(k, 400,
		    "cluster: missing, expected the name of "
		    "one of patroute.conf's clusters");
	order_text(name, text, sizeof(text));
	return say(k, 404, "patroute.conf has no cluster \"%s\"", text);
}

static bool take_where(struct control *k, const cJSON *doc)
{
	struct slice where = json_str(doc, "where");

	if (is_slice_eq(where, "host"))
		k->where = WHERE_HOST;
	else if (is_slice_eq(where, "etcd"))
		k->where = WHERE_ETCD;
	else if (json_get(doc, "where") != NULL)
		return say(k, 400, "where: expected etcd or host");
	if (k->where == WHERE_ETCD && k->c->conf->etcd_n == 0)
		return say(k, 409,
		    "cluster %s has no etcd: an order can only "
		    "be this host's",
		    k->c->conf->name);
	return true;
}

static bool take_term(struct control *k, const cJSON *doc)
{
	const cJSON *v = json_get(doc, "for_s");

	k->for_s = json_i64(doc, "for_s");
	if (!k->verb->takes_term)
		return v == NULL ||
		    say(k, 400, "for_s: %s is in force until it is taken back",
			k->verb->name);
	if (k->for_s < 1 || k->for_s > ORDERS_FOR_MAX_S)
		return say(k, 400,
		    "for_s: expected 1 to %ld seconds (7 days): a %s always "
		    "has an end",
		    ORDERS_FOR_MAX_S, k->verb->name);
	return true;
}

static void list_members(
    const struct cluster *c, char *text, size_t size, struct mono now)
{
	size_t used = 0;

	text[0] = '\0';
	for (int i = 0; i < c->ev.n && used < size; i++) {
		int n;

		if (!is_ev_member(&c->ev, i, now))
			continue;
		n = snprintf(text + used, size - used, "%s%s",
		    used > 0 ? ", " : "", c->ev.m[i].dcs.name);
		used += n > 0 ? (size_t)n : 0;
	}
}

static bool take_member(struct control *k, const cJSON *doc)
{
	struct slice name = json_str(doc, "member");
	char text[LIM_NAME], all[SENTENCE / 2];
	struct mono now = mono_now();
	int i;

	if (!k->verb->takes_member)
		return true;
	if (name.len == 0)
		return say(k, 400,
		    "member: missing, expected a member's name%s",
		    k->verb->kind == ORDER_FORCE ? ", or classic" : "");
	order_text(name, text, sizeof(text));
	if (!slice_copy(name, k->o.member, sizeof(k->o.member)))
		k->o.member[0] = '\0';
	if (k->verb->is_undo) /* one that is a member no more, too */
		return is_order_member(k->o.member) ||
		    say(k, 400, "member: \"%s\" is no member's name", text);
	if (k->verb->kind == ORDER_FORCE && is_slice_eq(name, ORDERS_CLASSIC))
		return true;
	i = k->o.member[0] == '\0' ? -1 : ev_find(&k->c->ev, k->o.member);
	if (i >= 0 && is_ev_member(&k->c->ev, i, now) &&
	    is_order_member(k->o.member))
		return true;
	list_members(k->c, all, sizeof(all), now);
	return say(k, 404, "cluster %s has no member \"%s\"; it has: %s",
	    k->c->conf->name, text, all[0] != '\0' ? all : "none");
}

/* Never to a member in recovery: what it is now, by PostgreSQL or Patroni. */
static bool may_force(struct control *k)
{
	static const struct mono ever = {0};
	int i;
	enum word w;

	if (k->verb->kind != ORDER_FORCE || k->verb->is_undo ||
	    strcmp(k->o.member, ORDERS_CLASSIC) == 0)
		return true;
	i = ev_find(&k->c->ev, k->o.member);
	w = word_of(&k->c->ev, i, ever, &k->c->policy, mono_now());
	if (w == WORD_PRIMARY)
		return true;
	if (w == WORD_REPLICA)
		return say(k, UNPROCESSED,
		    "%s is in recovery, as replicas are: it would refuse each "
		    "write, so none is forced to it",
		    k->o.member);
	return say(k, UNPROCESSED,
	    "%s is not seen out of recovery (neither PostgreSQL nor Patroni "
	    "says so now): no write is forced to it",
	    k->o.member);
}

/* What is observed goes the classic way, with the agent and without. */
static bool may_observe(struct control *k)
{
	return !k->verb->is_observe ||
	    k->app->conf->haproxy.on_prober_loss == CONF_LOSS_CLASSIC ||
	    say(k, UNPROCESSED,
		"haproxy.on_prober_loss is refuse, which leaves no classic way "
		"where the agent is lost: %s is not observed",
		k->c->conf->name);
}

static bool take(struct control *k, const cJSON *doc)
{
	struct slice verb = json_str(doc, "verb");

	if (!cJSON_IsObject(doc))
		return say(k, 400,
		    "expected a JSON object: {\"cluster\":…, "
		    "\"verb\":…}");
	k->verb = verb_of(verb);
	if (k->verb == NULL)
		return say(k, 400,
		    "verb: expected one of drain, undrain, "
		    "force, unforce, hold, resume, observe, "
		    "live");
	k->o.kind = k->verb->kind;
	k->o.is_observe = k->verb->is_observe;
	order_text(json_str(doc, "reason"), k->o.reason, sizeof(k->o.reason));
	order_text(json_str(doc, "by"), k->o.by, sizeof(k->o.by));
	return take_cluster(k, doc) && take_where(k, doc) &&
	    take_term(k, doc) && take_member(k, doc) && may_force(k) &&
	    may_observe(k);
}

/* ---- the answer ---- */

static const char *until_text(
    const struct control *k, char buf[static JSONOUT_TIME])
{
	return k->o.until_ms > 0 ? jsonout_time(k->o.until_ms, buf)
				 : "it is taken back";
}

static void done_well(struct control *k, bool by_etcd)
{
	const char *where = by_etcd ? "on every host" : "on this host alone";
	const char *name = k->c->conf->name;
	char until[JSONOUT_TIME];

	(void)until_text(k, until);
	if (k->verb->is_undo)
		(void)say(k, 200, "the %s%s%s of cluster %s is taken back, %s",
		    order_kind_name(k->verb->kind),
		    k->o.member[0] != '\0' ? " of " : "", k->o.member, name,
		    k->also_host && by_etcd ? "on every host, and this host's "
					      "own"
					    : where);
	else if (k->verb->kind == ORDER_HOLD)
		(void)say(k, 200,
		    "new connections to %s's primary wait, %s, until %s", name,
		    where, until_text(k, until));
	else if (k->verb->kind == ORDER_DRAIN)
		(void)say(k, 200, "%s of %s gets no new reads, %s, until %s",
		    k->o.member, name, where, until_text(k, until));
	else if (k->verb->kind == ORDER_MODE)
		(void)say(k, 200,
		    k->verb->is_observe
			? "%s: decided and counted, while HAProxy routes the "
			  "classic way, %s"
			: "%s: live, %s",
		    name, where);
	else if (strcmp(k->o.member, ORDERS_CLASSIC) == 0)
		(void)say(k, 200,
		    "%s: HAProxy goes the classic way, %s, until %s", name,
		    where, until_text(k, until));
	else
		(void)say(k, 200, "%s's writes go to %s, %s, until %s", name,
		    k->o.member, where, until_text(k, until));
}

static enum MHD_Result answer(struct control *k, const struct request *q)
{
	bool ok = k->status == 200;
	char until[JSONOUT_TIME], *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return api_answer(q, API_503);
	(void)fprintf(f, "{\"ok\":%s,", ok ? "true" : "false");
	if (ok) {
		(void)fprintf(f, "\"where\":\"%s\",\"until\":",
		    k->o.is_host ? "host" : "etcd");
		jsonout_str(f,
		    k->o.until_ms > 0 && !k->verb->is_undo
			? jsonout_time(k->o.until_ms, until)
			: NULL);
		(void)fputc(',', f);
	}
	(void)fputs("\"text\":", f);
	jsonout_str(f, k->text);
	(void)fputs("}\n", f);
	if (fclose(f) != 0) {
		free(text);
		text = NULL;
	}
	return api_answer_text(q, k->status, text, "application/json");
}

/* ---- this host's own ---- */

static void order_host(struct control *k)
{
	k->o.is_host = true;
	if (k->for_s > 0)
		k->o.until = mono_add(mono_now(), dur_ms(k->for_s * 1000));
	if (!cluster_order_host(k->c, &k->o)) {
		(void)say(k, 503, "this host is out of memory");
		return;
	}
	done_well(k, false);
	if (orders_file_save(k->app))
		return;
	size_t used = strlen(k->text);
	(void)snprintf(k->text + used, sizeof(k->text) - used,
	    "; a restart of the prober forgets it: %s cannot be written: %s",
	    k->app->conf->prober.state_dir, strerror(errno));
}

/* ---- etcd's ---- */

/* What etcd has now is in force here before the answer goes out. */
static void follow(struct control *k)
{
	struct order_set *s = calloc(1, sizeof(*s));
	int i;

	if (s == NULL)
		return; /* the next read brings it */
	if (k->c->orders.etcd != NULL)
		*s = *k->c->orders.etcd;
	i = order_set_find(s, k->o.kind, k->o.member);
	if (!k->verb->is_undo) {
		if (k->for_s > 0)
			k->o.until =
			    mono_add(mono_now(), dur_ms(k->for_s * 1000));
		(void)!order_set_put(s, &k->o);
	} else if (i >= 0) {
		order_set_remove(s, i);
	}
	cluster_orders_cb(k->c, s);
	free(s);
}

/* The question went out, and no answer came: it may have been carried out. */
static void not_known(struct control *k, const char *why)
{
	(void)say(k, 503,
	    "it is not known whether etcd did it (%s): see `patroutectl "
	    "status`%s",
	    why, k->also_host ? "; this host's own is taken back" : "");
}

static void refused_by_etcd(struct control *k, const char *why)
{
	(void)say(k, 503,
	    "%s: %s; other hosts would not know of it. %s\"where\": "
	    "\"host\" makes an order this host's alone",
	    k->also_host ? "this host's own is taken back, etcd's not"
			 : "not done",
	    why,
	    strstr(why, "permission") != NULL
		? "The prober's user of etcd needs readwrite on this "
		  "cluster's prefix below /patroute/. "
		: "");
}

static void absent(struct control *k)
{
	if (k->also_host)
		done_well(k, false);
	else
		(void)say(k, UNPROCESSED, "there is no %s%s%s of cluster %s%s",
		    order_kind_name(k->verb->kind),
		    k->o.member[0] != '\0' ? " of " : "", k->o.member,
		    k->c->conf->name,
		    k->where == WHERE_HOST ? " on this host alone" : "");
}

static void done_cb(void *arg, enum etcd_order_end end, const char *why)
{
	struct control *k = arg;

	switch (end) {
	case ETCD_ORDER_DONE:
		follow(k);
		done_well(k, true);
		break;
	case ETCD_ORDER_ABSENT:
		absent(k);
		break;
	case ETCD_ORDER_REFUSED:
		refused_by_etcd(k, why);
		break;
	case ETCD_ORDER_UNKNOWN:
		not_known(k, why);
		break;
	case ETCD_ORDER_NONE:
		abort();
	}
	k->is_asked = false;
	if (k->conn == NULL) {
		free(k);
	} else if (k->is_suspended) {
		k->is_suspended = false;
		MHD_resume_connection(k->conn);
		api_run_soon(k->api);
	}
}

static struct etcd *etcd_of_cluster(const struct control *k)
{
	return k->app->etcd_of[k->c->index];
}

static void ask_etcd(struct control *k)
{
	struct etcd_order ask = {.of = k->c,
	    .name = order_key(&k->o, k->name),
	    .ttl_s = k->for_s,
	    .done = done_cb,
	    .arg = k};
	const char *wrong;

	if (!k->verb->is_undo) {
		if (order_encode(&k->o, k->value, sizeof(k->value)) == 0) {
			(void)say(k, 400, "its words are too long");
			return;
		}
		ask.value = k->value;
	}
	k->is_asked = true;
	wrong = etcd_order(etcd_of_cluster(k), &ask);
	if (wrong == NULL)
		return;
	k->is_asked = false;
	refused_by_etcd(k, wrong);
}

/* Taken back wherever it is, unless it was said where. */
static void undo(struct control *k)
{
	/* Another host may have given it a moment ago: etcd knows. */
	bool in_etcd = k->where != WHERE_HOST && k->c->conf->etcd_n > 0;

	k->also_host = k->where != WHERE_ETCD &&
	    cluster_unorder_host(k->c, k->o.kind, k->o.member);
	k->o.is_host = !in_etcd;
	if (in_etcd)
		ask_etcd(k);
	else
		absent(k);
}

static void carry_out(struct control *k)
{
	k->o.at_ms = wall_ms();
	k->o.until_ms = k->for_s > 0 ? k->o.at_ms + k->for_s * 1000 : 0;
	if (k->verb->is_undo)
		undo(k);
	else if (k->where == WHERE_HOST || k->c->conf->etcd_n == 0)
		order_host(k);
	else
		ask_etcd(k);
}

enum MHD_Result api_control(const struct request *q)
{
	struct control *k = *q->state;
	cJSON *doc;

	if (k != NULL) /* resumed */
		return answer(k, q);
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return api_answer(q, API_503);
	*q->state = k;
	k->api = q->api;
	k->app = q->app;
	k->conn = q->conn;
	doc = json_parse(q->body);
	if (take(k, doc))
		carry_out(k);
	cJSON_Delete(doc);
	if (k->is_over)
		return answer(k, q);
	k->is_suspended = true;
	MHD_suspend_connection(q->conn);
	return MHD_YES;
}

void api_control_free(void *state)
{
	struct control *k = state;

	if (k == NULL)
		return;
	if (k->is_asked)
		k->conn = NULL; /* done_cb() frees it */
	else
		free(k);
}
