/*
 * etcd3_beat.c - v3: the heartbeat, which proves the watch alive and whole.
 *
 * A linearizable read of every followed part's newest revision and number of
 * keys, in txns of as many as etcd takes: a member without a quorum cannot
 * answer it, and a stream that lost something does not agree with it.
 */
#include <assert.h>
#include <stdlib.h>

#include "etcd_int.h"

#define CLUSTERS (ETCD_BEAT_OPS / ETCD3_PARTS) /* of one txn */

static void ask(struct etcd *e, uint16_t from);

/* The clusters of the beat under way: *i counts on, NULL at the end. */
static struct etcd_cluster *each(const struct etcd *e, uint16_t *i)
{
	uint16_t at = etcd_next(e, *i);

	if (at >= e->beat_n)
		return NULL;
	*i = (uint16_t)(at + 1);
	return e->cluster[at];
}

void etcd3_beat_go_on(struct etcd *e)
{
	struct etcd_cluster *c;
	bool all = true;
	uint16_t i = e->beat_from;

	while ((c = each(e, &i)) != NULL) {
		if (!etcd_cluster_prove(c, e->beat_revision, e->beat_asked))
			all = false;
	}
	if (!all)
		return;
	ev_timer_stop(e->loop, &e->grace);
	if (etcd_next(e, e->beat_n) < e->n)
		ask(e, e->beat_n);
}

static void take(struct etcd *e, const struct etcd3_beat *beat)
{
	struct etcd_cluster *c;
	uint16_t i = e->beat_from;
	unsigned k;

	while ((c = each(e, &i)) != NULL) {
		for (k = 0; k < ETCD3_PARTS; k++)
			c->part[k].beat = *beat++;
		c->is_unproven = etcd_cluster_seen(c) > 0;
	}
	/* An event may be on its way: the grace ends what it does not end. */
	etcd_grace_start(e);
	etcd3_beat_go_on(e);
}

static bool is_new_login_due(struct etcd *e, const struct http_answer *a)
{
	if (a->rc != EV_RC_OK || a->status == 200 || e->token[0] == '\0' ||
	    etcd3_error(a->body).code != ETCD3_CODE_TOKEN)
		return false;
	e->token[0] = '\0';
	return true;
}

static void beat_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);
	struct etcd3_beat beat[ETCD_BEAT_OPS];
	struct etcd3_head head;

	e->beat = NULL;
	/* The watch stays: only what is asked anew needs a new token. */
	if (is_new_login_due(e, a)) {
		etcd_login(e, etcd3_beat_start);
		return;
	}
	if (is_etcd_bad(e, a))
		return;
	if (!etcd3_beat(a->body, &head, beat, e->beat_ops))
		etcd_give_up(e, "parse");
	else if (!is_etcd_same(e, head.cluster_id))
		etcd_read_again(e, "another cluster");
	else if (head.revision < e->beat_floor)
		etcd_read_again(e, "its revision went back");
	else {
		e->beat_asked = a->asked;
		e->beat_revision = head.revision;
		take(e, beat);
	}
}

static void ask(struct etcd *e, uint16_t from)
{
	struct etcd_text t = {
	    .size = ETCD_ASK_HEAD + CLUSTERS * ETCD3_ASK_ROOM};
	uint16_t i = etcd_next(e, from), n = 0;
	char path[ETCD_PATH];
	struct http_ask a;

	t.p = malloc(t.size);
	if (t.p == NULL)
		return; /* our own lack: the proof ages, nothing else */
	e->beat_from = from;
	e->beat_floor = 0;
	etcd3_ask_begin(&t);
	for (; i < e->n && n < CLUSTERS; i = etcd_next(e, i + 1u), n++) {
		int64_t seen = etcd_cluster_seen(e->cluster[i]);

		etcd3_ask_beat(&t, e->cluster[i]->keys.prefix);
		if (e->beat_floor < seen)
			e->beat_floor = seen;
	}
	etcd3_ask_end(&t);
	e->beat_n = i;
	e->beat_ops = (uint16_t)(n * ETCD3_PARTS);
	a = etcd_question(e, etcd3_path(e, "/kv/txn", path), &t, beat_cb);
	e->beat = t.full ? NULL : http_client_ask(e->http, &a);
	free(t.p);
}

void etcd3_beat_start(struct etcd *e)
{
	ask(e, 0);
}
