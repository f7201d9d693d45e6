/*
 * etcd3_watch.c - v3: one stream that follows every cluster that was read.
 *
 * A cluster's two parts have the watch ids 2i+1 and 2i+2.
 */
#include <assert.h>
#include <stdlib.h>

#include "etcd_int.h"

static struct etcd_cluster *cluster_of_id(struct etcd *e, int64_t id)
{
	return id >= 1 && id <= (int64_t)e->n * ETCD3_PARTS
	    ? e->cluster[(id - 1) / ETCD3_PARTS]
	    : NULL;
}

static unsigned part_of_id(int64_t id)
{
	return (unsigned)((id - 1) % ETCD3_PARTS);
}

static void event_cb(void *arg, const struct etcd3_kv *kv)
{
	struct etcd_cluster *c = cluster_of_id(etcd_of(arg), kv->watch_id);

	if (c != NULL)
		etcd_cluster_event(c, part_of_id(kv->watch_id), kv);
}

static bool is_created(const struct etcd_cluster *c)
{
	unsigned i;

	for (i = 0; i < ETCD3_PARTS && c->part[i].is_created; i++)
		;
	return i == ETCD3_PARTS;
}

static void created(struct etcd *e, int64_t id)
{
	struct etcd_cluster *c = cluster_of_id(e, id);
	uint16_t i;

	e->is_opening = true;
	if (c != NULL)
		c->part[part_of_id(id)].is_created = true;
	for (i = etcd_next(e, 0); i < e->n; i = etcd_next(e, i + 1u)) {
		if (!is_created(e->cluster[i]))
			return;
	}
	if (e->state == ETCD_OPENING)
		etcd_move(e, ETCD_FOLLOWING, "the watch is open");
}

/* Gives: false once the stream has been given up. */
static bool take_line(struct etcd *e, struct slice line)
{
	const struct etcd3_sink sink = {.kv = event_cb, .arg = e};
	struct etcd3_watch w = etcd3_watch_line(line, &sink);

	switch (w.kind) {
	case ETCD3_CREATED:
		created(e, w.watch_id);
		return true;
	case ETCD3_EVENTS:
	case ETCD3_PROGRESS:
		return true;
	case ETCD3_COMPACTED:
		etcd_read_again(e, "compacted");
		return false;
	case ETCD3_CANCELED:
	case ETCD3_ERROR:
		etcd_give_up(e, w.text);
		return false;
	case ETCD3_BAD:
		break;
	}
	etcd_give_up(e, "parse");
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
		etcd_read_again(e, "the loop stood still");
		return false;
	}
	while ((cut = etcd3_lines_next(&e->lines, &bytes, &line)) ==
	    ETCD3_CUT_LINE) {
		if (!take_line(e, line))
			return false;
	}
	/* Some key outgrew us. Reading tells whose: that one is left out. */
	if (cut == ETCD3_CUT_LONG) {
		etcd_read_again(e, "an event is larger than a line may be");
		return false;
	}
	show_changed(e);
	if (ev_is_active(&e->grace))
		etcd3_beat_go_on(e);
	return true;
}

/* An error is the stream's last line, and has no newline behind it. */
static void watch_cb(void *arg, const struct http_answer *a)
{
	struct etcd *e = etcd_of(arg);
	struct slice in = slice_str("\n"), line;

	e->watch = NULL;
	if (is_etcd_bad(e, a))
		return;
	if (etcd3_lines_next(&e->lines, &in, &line) != ETCD3_CUT_LINE ||
	    take_line(e, line))
		etcd_give_up(e, "the watch ended");
}

static void ask_cluster(struct etcd_text *t, const struct etcd_cluster *c)
{
	unsigned i;

	for (i = 0; i < ETCD3_PARTS; i++) {
		const struct etcd3_follow f = {.prefix = c->keys.prefix,
		    .part = i,
		    .revision = c->part[i].seen + 1,
		    .watch_id = c->index * ETCD3_PARTS + i + 1};

		etcd3_ask_watch(t, &f);
	}
}

void etcd3_watch_open(struct etcd *e)
{
	struct etcd_text t = {.size = ETCD_ASK_HEAD + e->n * ETCD3_ASK_ROOM};
	char path[ETCD_PATH];
	struct http_ask a;
	uint16_t i;

	t.p = malloc(t.size);
	if (t.p == NULL) {
		etcd_give_up(e, "local");
		return;
	}
	for (i = etcd_next(e, 0); i < e->n; i = etcd_next(e, i + 1u))
		ask_cluster(&t, e->cluster[i]);
	a = etcd_question(e, etcd3_path(e, "/watch", path), &t, watch_cb);
	/* Without it the stream stays open, and silent, without a quorum. */
	a.header = "Grpc-Metadata-hasleader: true";
	a.deadline = dur_us(0);
	a.piece = piece_cb;
	e->lines.used = 0;
	e->lines.handed_out = false;
	etcd_move(e, ETCD_OPENING, "");
	if (etcd_send(e, &e->watch, &a, !t.full))
		etcd_pulse_start(e);
	free(t.p);
}
