/*
 * etcd3_read.c - v3: the keys of each cluster, before they are watched.
 *
 * One txn a cluster holds what a verdict needs, at one revision. history, which
 * only tells who led before our start, is asked for by itself: where it has
 * grown beyond what an answer may hold, it is done without.
 */
#include <assert.h>

#include "etcd_apart.h"

static void read_kv_cb(void *arg, const struct etcd3_kv *kv)
{
	etcd_cluster_read(arg, kv);
}

static struct etcd_cluster *reading(struct etcd *e)
{
	assert(e->reading < e->n);
	return e->cluster[e->reading];
}

static void next(struct etcd *e)
{
	e->reading++;
	etcd3_read_next(e);
}

static void done(struct etcd *e)
{
	if (etcd_read_done(reading(e), e->read_asked))
		next(e);
}

static void leave_out(struct etcd *e, const char *why)
{
	etcd_leave_out(reading(e), why);
	if (e->is_aside)
		e->is_aside = false;
	else
		next(e);
}

static void history_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);
	struct etcd_cluster *c = reading(e);
	const struct etcd3_sink sink = {.kv = read_kv_cb, .arg = c};
	struct etcd3_head head;

	e->ask = NULL;
	if (a->rc == EV_RC_LIMIT) {
		log_warnx("drop etcd=%s prefix=%s key=history why=\"it has "
			  "outgrown %d bytes: who led before our start is "
			  "unknown\"",
		    e->addr, c->keys.prefix, LIM_HTTP_BODY);
		c->history_skipped = e->history;
	} else if (is_etcd_ask_bad(e, a)) {
		return;
	} else if (!etcd3_range(a->body, &sink, &head)) {
		etcd_ask_failed(e, "parse");
		return;
	}
	done(e);
}

static void ask_history(struct etcd *e)
{
	char body[ETCD_ASK_HEAD + ETCD3_RANGE_ROOM];
	struct etcd_text t = {.p = body, .size = sizeof(body)};
	char path[ETCD_PATH];
	struct http_ask a;

	etcd3_ask_key(&t, reading(e)->keys.prefix, "history");
	a = etcd_question(e, etcd3_path(e, "/kv/range", path), &t, history_cb);
	(void)etcd_send(e, &e->ask, &a, !t.full);
}

static void take(struct etcd *e, const struct etcd3_read *read)
{
	struct etcd_cluster *c = reading(e);
	int64_t was = etcd_cluster_seen(c);

	if (read->head.revision < was)
		log_warnx("change etcd=%s revision=%lld was=%lld", e->addr,
		    (long long)read->head.revision, (long long)was);
	etcd_cluster_take(c, read);
	e->history = read->history;
	if (read->history == 0 || read->history == c->history_skipped)
		done(e);
	else
		ask_history(e);
}

static void read_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);
	struct etcd_cluster *c = reading(e);
	const struct etcd3_sink sink = {.kv = read_kv_cb, .arg = c};
	struct etcd3_read read;

	e->ask = NULL;
	e->read_asked = a->asked;
	if (a->rc == EV_RC_LIMIT) {
		leave_out(e, "its keys are larger than an answer may be");
	} else if (a->rc == EV_RC_OK &&
	    etcd3_error(a->body).code == ETCD3_CODE_DENIED) {
		leave_out(e, etcd3_error(a->body).text);
	} else if (is_etcd_ask_bad(e, a)) {
		return;
	} else {
		etcd_cluster_clear(c);
		if (!etcd3_read(a->body, &sink, &read))
			etcd_ask_failed(e, "parse");
		else if (!is_etcd_same(e, read.head.cluster_id) &&
		    (e->is_aside || e->reading > 0))
			etcd_give_up(e, "another cluster");
		else
			take(e, &read);
	}
}

static void ask(struct etcd *e)
{
	char body[ETCD_ASK_HEAD + ETCD3_READ_ROOM];
	struct etcd_text t = {.p = body, .size = sizeof(body)};
	char path[ETCD_PATH];
	struct http_ask a;

	etcd3_ask_begin(&t);
	etcd3_ask_read(&t, reading(e)->keys.prefix);
	etcd3_ask_end(&t);
	a = etcd_question(e, etcd3_path(e, "/kv/txn", path), &t, read_cb);
	(void)etcd_send(e, &e->ask, &a, !t.full);
}

void etcd3_read_next(struct etcd *e)
{
	if (e->reading < e->n)
		ask(e);
	else
		etcd_apart_read(e);
}

void etcd3_read_aside(struct etcd *e)
{
	assert(e->ask == NULL);
	do {
		e->reading =
		    (uint16_t)(e->reading + 1 < e->n ? e->reading + 1 : 0);
	} while (!reading(e)->is_unread);
	e->is_aside = true;
	ask(e);
}
