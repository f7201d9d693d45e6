/*
 * etcd_orders.c - operators' orders below /patroute/SCOPE/: reading, writing.
 *
 * What is in force is always a whole read, made each second: of all clusters
 * in one txn, or one by one where etcd refuses that (a role that may not read
 * one scope's keys, a value of some megabytes). With v3 a watch beside it only
 * rings: a read follows at once. So a watch that falls silent costs a second,
 * and no more is known of it. Nothing here ends what is known of Patroni.
 * Called by etcd.c; reports to each cluster's sink. Nothing blocks.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "etcd_int.h"
#include "wall.h"

#define MANY 40 /* clusters of one read */
#define PATH_ROOM (3 * (ORDERS_VALUE + LIM_TEXT) + 128)

static void read_from(struct etcd *e, unsigned i);

static bool is_ordered(const struct etcd_cluster *c)
{
	return c->sink.order_prefix != NULL;
}

/* The next that has orders, at or behind `i`; e->n: none. */
static uint16_t next_of(const struct etcd *e, unsigned i)
{
	while (i < e->n && !is_ordered(e->cluster[i]))
		i++;
	return (uint16_t)i;
}

/* ---- reading ---- */

/* The sets of the clusters that one answer is of. */
struct taking {
	struct etcd *e;
	struct order_when when;
	struct order_set *set; /* by place in the answer */
};

static void take(struct taking *t, const struct etcd_cluster *c,
    struct order_set *set, struct slice key, struct slice value)
{
	size_t n = strlen(c->sink.order_prefix);
	char text[LOG_TEXT];
	struct order o;
	uint32_t more;

	if (key.len <= n || memcmp(key.p, c->sink.order_prefix, n) != 0)
		return;
	if (order_decode(slice_skip(key, n), value, t->when, &o) &&
	    order_set_put(set, &o))
		return;
	if (log_rate_ok(
		&t->e->orders.rate, 1, dur_ms(60000), t->when.now, &more))
		log_warnx("drop etcd=%s key=%s why=\"it is no order\" "
			  "suppressed=%u",
		    t->e->addr, log_text(key, text), more);
}

/* The cluster of the k-th range. */
static struct etcd_cluster *cluster_at(const struct etcd *e, size_t k)
{
	uint16_t i = next_of(e, e->orders.from);

	while (k-- > 0)
		i = next_of(e, i + 1u);
	assert(i < e->n);
	return e->cluster[i];
}

static void range_cb(void *arg, size_t at, struct slice key, struct slice value)
{
	struct taking *t = arg;

	take(t, cluster_at(t->e, at), &t->set[at], key, value);
}

static void go_on(struct etcd *e)
{
	uint16_t i = next_of(e, e->orders.from), k;

	for (k = 0; k < e->orders.n; k++)
		i = next_of(e, i + 1u);
	if (i < e->n) {
		read_from(e, i);
	} else if (e->orders.is_again) {
		e->orders.is_again = false;
		read_from(e, 0);
	}
}

static void show(struct taking *t)
{
	for (size_t k = 0; k < t->e->orders.n; k++) {
		const struct etcd_cluster *c = cluster_at(t->e, k);

		c->sink.orders(c->sink.arg, &t->set[k]);
	}
}

static void refused(struct etcd *e, const char *why)
{
	struct etcd_orders *o = &e->orders;
	char text[LOG_TEXT];
	uint32_t more;

	if (o->n > 1) {
		o->is_each = true;
		read_from(e, o->from);
		return;
	}
	if (log_rate_ok(&o->rate, 1, dur_ms(60000), mono_now(), &more))
		log_warnx("drop etcd=%s prefix=%s why=%s: no orders by etcd "
			  "suppressed=%u",
		    e->addr, cluster_at(e, 0)->sink.order_prefix,
		    log_text(slice_str(why), text), more);
	cluster_at(e, 0)->sink.orders(cluster_at(e, 0)->sink.arg, NULL);
	go_on(e);
}

static bool decode3(const struct http_answer *a, struct taking *t)
{
	const struct etcd3_orders_sink sink = {range_cb, t};

	return a->status == 200 && etcd3_orders(a->body, t->e->orders.n, &sink);
}

static void node_cb(void *arg, const struct etcd2_kv *kv)
{
	range_cb(arg, 0, kv->key, kv->value);
}

static bool decode2(const struct http_answer *a, struct taking *t)
{
	const struct etcd2_sink sink = {.kv = node_cb, .arg = t};
	enum etcd2_kind kind = etcd2_decode(a->body, &sink).kind;

	return kind == ETCD2_NODES || kind == ETCD2_ABSENT;
}

static void read_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);
	struct taking t = {.e = e, .when = {mono_now(), wall_ms()}};

	e->orders.read = NULL;
	if (a->rc == EV_RC_LIMIT) {
		refused(e, "its keys are larger than an answer may be");
		return;
	}
	if (a->rc != EV_RC_OK)
		return; /* the heartbeat has its own word on that */
	t.set = calloc(e->orders.n, sizeof(*t.set));
	if (t.set == NULL)
		return;
	bool ok =
	    e->found.api == CONF_ETCD_V2 ? decode2(a, &t) : decode3(a, &t);
	if (ok)
		show(&t);
	free(t.set);
	if (ok)
		go_on(e);
	else
		refused(
		    e, a->status == 200 ? "parse" : etcd3_error(a->body).text);
}

static void read2(struct etcd *e, const struct etcd_cluster *c)
{
	char path[PATH_ROOM];
	struct etcd_text t = {.p = path, .size = sizeof(path)};
	struct http_ask a;

	etcd_text_add(&t, "/v2/keys");
	etcd_text_path(&t, c->sink.order_prefix);
	etcd_text_add(&t, "?recursive=true&quorum=true");
	a = etcd_question(e, path, NULL, read_cb);
	e->orders.read = t.full ? NULL : http_client_ask(e->http, &a);
}

static void read3(struct etcd *e, uint16_t i)
{
	struct etcd_text t = {
	    .size = ETCD_ASK_HEAD + e->orders.n * ETCD3_RANGE_ROOM};
	char path[ETCD_PATH];
	struct http_ask a;

	t.p = malloc(t.size);
	if (t.p == NULL)
		return;
	etcd3_ask_begin(&t);
	for (uint16_t k = 0; k < e->orders.n; k++, i = next_of(e, i + 1u))
		etcd3_ask_orders(&t, e->cluster[i]->sink.order_prefix);
	etcd3_ask_end(&t);
	a = etcd_question(e, etcd3_path(e, "/kv/txn", path), &t, read_cb);
	e->orders.read = t.full ? NULL : http_client_ask(e->http, &a);
	free(t.p);
}

static void read_from(struct etcd *e, unsigned i)
{
	struct etcd_orders *o = &e->orders;
	bool is_v2 = e->found.api == CONF_ETCD_V2;
	unsigned most = is_v2 || o->is_each ? 1 : MANY;
	uint16_t k = next_of(e, i);

	assert(o->read == NULL);
	if (k == e->n)
		return;
	o->from = k;
	for (o->n = 0; o->n < most && k < e->n; k = next_of(e, k + 1u))
		o->n++;
	if (is_v2)
		read2(e, e->cluster[o->from]);
	else
		read3(e, o->from);
}

/* ---- the bell ---- */

static void ring(struct etcd *e)
{
	if (e->orders.read != NULL)
		e->orders.is_again = true;
	else
		read_from(e, 0);
}

static bool bell_cb(void *arg, struct slice bytes)
{
	(void)bytes;
	ring(etcd_of(arg));
	return true;
}

static void bell_done_cb(void *arg, const struct http_answer *a)
{
	(void)a;
	etcd_of(arg)->orders.bell = NULL; /* the next pulse hangs it up again */
}

static void bell_open(struct etcd *e)
{
	struct etcd_text t = {.size = ETCD_ASK_HEAD + e->n * ETCD3_RANGE_ROOM};
	char path[ETCD_PATH];
	struct http_ask a;

	t.p = malloc(t.size);
	if (t.p == NULL)
		return;
	for (uint16_t i = next_of(e, 0); i < e->n; i = next_of(e, i + 1u))
		etcd3_ask_bell(&t, e->cluster[i]->sink.order_prefix);
	a = etcd_question(e, etcd3_path(e, "/watch", path), &t, bell_done_cb);
	a.header = "Grpc-Metadata-hasleader: true";
	a.deadline = dur_us(0);
	a.piece = bell_cb;
	e->orders.bell = t.full ? NULL : http_client_ask(e->http, &a);
	free(t.p);
}

void etcd_orders_pulse(struct etcd *e)
{
	if (next_of(e, 0) == e->n)
		return;
	if (e->orders.read == NULL)
		read_from(e, 0);
	/* One that may not watch some scope is refused as a whole, and asked
	   again each second: reading does without it. */
	if (e->orders.bell == NULL && e->found.api != CONF_ETCD_V2 &&
	    !e->orders.is_each)
		bell_open(e);
}

/* ---- writing ---- */

static void written(struct etcd *e, enum etcd_order_end end, const char *why)
{
	struct etcd_writing *w = e->orders.writing;

	e->orders.writing = NULL;
	http_client_cancel(&w->req);
	/* A read that began before knows nothing of it. */
	http_client_cancel(&e->orders.read);
	w->order.done(w->order.arg, end, why);
	free(w);
	if (end == ETCD_ORDER_DONE && e->state == ETCD_FOLLOWING)
		ring(e);
}

/* No answer came. Without the key's own question nothing can be done. */
static enum etcd_order_end unanswered(const struct etcd *e)
{
	return e->orders.writing->is_sent ? ETCD_ORDER_UNKNOWN
					  : ETCD_ORDER_REFUSED;
}

void etcd_orders_hang_up(struct etcd *e)
{
	http_client_cancel(&e->orders.read);
	http_client_cancel(&e->orders.bell);
	e->orders.is_again = e->orders.is_each = false;
	if (e->orders.writing != NULL)
		written(
		    e, unanswered(e), "etcd's endpoint was given up meanwhile");
}

/* Gives: true, and it is over, if the answer is no 2xx. */
static bool is_refused(struct etcd *e, const struct http_answer *a)
{
	enum etcd_order_end end = ETCD_ORDER_REFUSED;
	char why[LIM_NAME + 32];

	if (a->rc == EV_RC_OK && a->status >= 200 && a->status < 300)
		return false;
	if (a->rc != EV_RC_OK)
		(void)snprintf(
		    why, sizeof(why), "no answer: %s", ev_rc_name(a->rc));
	else
		(void)snprintf(why, sizeof(why), "%s (status %ld)",
		    etcd3_error(a->body).text, a->status);
	/* By 5xx etcd says, too, that it waited in vain for its majority. */
	if ((a->rc != EV_RC_OK && a->rc != EV_RC_REFUSED) || a->status >= 500)
		end = unanswered(e);
	written(e, end, why);
	return true;
}

static void send_write(struct etcd *e, const struct http_ask *a, bool fits)
{
	struct etcd_writing *w = e->orders.writing;

	w->req = fits ? http_client_ask(e->http, a) : NULL;
	if (w->req == NULL)
		written(e, ETCD_ORDER_REFUSED,
		    "this host is out of memory or descriptors");
}

static void last_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);

	e->orders.writing->req = NULL;
	if (!is_refused(e, a))
		written(e, ETCD_ORDER_DONE, NULL);
}

static void delete2_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);

	e->orders.writing->req = NULL;
	if (a->rc == EV_RC_OK && a->status == 404)
		written(e, ETCD_ORDER_ABSENT, NULL);
	else if (!is_refused(e, a))
		written(e, ETCD_ORDER_DONE, NULL);
}

static void delete3_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);

	e->orders.writing->req = NULL;
	if (!is_refused(e, a))
		written(e,
		    is_etcd3_deleted(a->body) ? ETCD_ORDER_DONE
					      : ETCD_ORDER_ABSENT,
		    NULL);
}

static void put3(struct etcd *e)
{
	struct etcd_writing *w = e->orders.writing;
	const struct etcd3_put put = {
	    w->prefix, w->name, slice_str(w->value), w->lease};
	char body[ETCD3_RANGE_ROOM + 2 * ORDERS_VALUE];
	struct etcd_text t = {.p = body, .size = sizeof(body)};
	char path[ETCD_PATH];
	struct http_ask a;

	etcd3_ask_put(&t, &put);
	a = etcd_question(e, etcd3_path(e, "/kv/put", path), &t, last_cb);
	w->is_sent = true;
	send_write(e, &a, !t.full);
}

static void lease_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);

	e->orders.writing->req = NULL;
	if (is_refused(e, a))
		return;
	if (etcd3_lease(a->body, e->orders.writing->lease))
		put3(e);
	else
		written(
		    e, ETCD_ORDER_REFUSED, "etcd's lease could not be read");
}

static void lease3(struct etcd *e)
{
	char body[ETCD3_LEASE + 32];
	struct etcd_text t = {.p = body, .size = sizeof(body)};
	char path[ETCD_PATH];
	struct http_ask a;

	etcd3_ask_lease(&t, e->orders.writing->order.ttl_s);
	a = etcd_question(e, etcd3_path(e, "/lease/grant", path), &t, lease_cb);
	send_write(e, &a, !t.full);
}

/* Its lease has nothing left to end, and ends by itself. */
static void delete3(struct etcd *e)
{
	struct etcd_writing *w = e->orders.writing;
	char body[ETCD_ASK_HEAD + ETCD3_RANGE_ROOM];
	struct etcd_text t = {.p = body, .size = sizeof(body)};
	char path[ETCD_PATH];
	struct http_ask a;

	etcd3_ask_key(&t, w->prefix, w->name);
	a = etcd_question(
	    e, etcd3_path(e, "/kv/deleterange", path), &t, delete3_cb);
	w->is_sent = true;
	send_write(e, &a, !t.full);
}

static void write2(struct etcd *e)
{
	struct etcd_writing *w = e->orders.writing;
	bool is_delete = w->order.value == NULL;
	char path[PATH_ROOM];
	struct etcd_text t = {.p = path, .size = sizeof(path)};
	struct http_ask a;

	etcd_text_add(&t, "/v2/keys");
	etcd_text_path(&t, w->prefix);
	etcd_text_path(&t, w->name);
	if (!is_delete) {
		etcd_text_add(&t, "?value=");
		etcd_text_path(&t, w->value);
	}
	if (!is_delete && w->order.ttl_s > 0) {
		etcd_text_add(&t, "&ttl=");
		etcd_text_number(&t, w->order.ttl_s);
	}
	a = etcd_question(e, path, NULL, is_delete ? delete2_cb : last_cb);
	a.method = is_delete ? "DELETE" : "PUT";
	w->is_sent = true;
	send_write(e, &a, !t.full);
}

/* The client that follows it: this one, or one of its own. */
static struct etcd *owner_of(
    struct etcd *e, const void *of, const char **prefix)
{
	struct etcd *found = NULL;

	for (uint16_t i = 0; i < e->n; i++) {
		const struct etcd_sink *s = &e->cluster[i]->sink;

		if (s->arg == of && s->order_prefix != NULL) {
			*prefix = s->order_prefix;
			return e;
		}
	}
	for (struct etcd *own = e->own; own != NULL && found == NULL;
	     own = own->next_own)
		found = owner_of(own, of, prefix);
	return found;
}

static struct etcd_writing *writing_new(
    const struct etcd_order *o, const char *prefix)
{
	struct etcd_writing *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->order = *o;
	w->prefix = prefix;
	(void)snprintf(w->name, sizeof(w->name), "%s", o->name);
	if (o->value != NULL)
		(void)snprintf(w->value, sizeof(w->value), "%s", o->value);
	return w;
}

const char *etcd_order(struct etcd *e, const struct etcd_order *o)
{
	const char *prefix = NULL;

	assert(o != NULL && o->name != NULL && o->done != NULL);
	e = owner_of(etcd_of(e), o->of, &prefix);
	if (e == NULL || e->state != ETCD_FOLLOWING)
		return "etcd is out of reach";
	if (e->orders.writing != NULL)
		return "another order is being written";
	e->orders.writing = writing_new(o, prefix);
	if (e->orders.writing == NULL)
		return "this host is out of memory";
	if (e->found.api == CONF_ETCD_V2)
		write2(e);
	else if (o->value == NULL)
		delete3(e);
	else if (o->ttl_s > 0)
		lease3(e);
	else
		put3(e);
	return NULL;
}
