/*
 * feed_msg.c - encoding of the feed's messages; see feed_msg.h.
 */
#include "feed_msg.h"

#include "wire.h"

#define FEED_HEAD 2 /* version, kind */

_Static_assert(FEED_HEAD + 8 + 2 + 4 * LIM_CLUSTERS <= LIM_FEED_MSG,
    "an ECHO of every cluster must fit one feed message");

static void put_echo(struct wire_out *w, const struct feed_echo *e)
{
	assert(e->n <= LIM_CLUSTERS);
	wire_put(w, e->nonce, 8);
	wire_put(w, e->n, 2);
	for (unsigned i = 0; i < e->n; i++)
		wire_put(w, e->age_ms[i], 4);
}

static void get_echo(struct wire_in *r, struct feed_echo *e)
{
	e->nonce = wire_get(r, 8);
	e->n = (uint16_t)wire_get(r, 2);
	if (e->n > LIM_CLUSTERS)
		r->ok = false;
	for (unsigned i = 0; r->ok && i < e->n; i++)
		e->age_ms[i] = (uint32_t)wire_get(r, 4);
}

/* The counters in the order of struct feed_stats, which holds nothing else. */
#define STATS_HEAD 18
#define STATS_TAIL 4
_Static_assert(sizeof(struct feed_stats) ==
	(STATS_HEAD + FEED_LATENCY_BUCKETS) * 8 + STATS_TAIL * 4,
    "a new counter needs its line in put_stats and get_stats");

static void put_stats(struct wire_out *w, const struct feed_stats *s)
{
	const uint64_t head[STATS_HEAD] = {s->decisions, s->routed_write,
	    s->routed_read, s->routed_fallback, s->held, s->refused,
	    s->undecided, s->lsn_waited, s->lsn_late, s->startup_bad,
	    s->startup_unread, s->startup_chosen, s->startup_replication,
	    s->startup_cancel, s->frames_bad, s->connections, s->hello_rejected,
	    s->latency_sum_us};
	const uint32_t tail[STATS_TAIL] = {
	    s->hold_now, s->hold_max_ms, s->lsn_now, s->snapshot_age_ms};

	for (unsigned i = 0; i < STATS_HEAD; i++)
		wire_put(w, head[i], 8);
	for (unsigned i = 0; i < FEED_LATENCY_BUCKETS; i++)
		wire_put(w, s->latency[i], 8);
	for (unsigned i = 0; i < STATS_TAIL; i++)
		wire_put(w, tail[i], 4);
}

static void get_stats(struct wire_in *r, struct feed_stats *s)
{
	uint64_t *const head[STATS_HEAD] = {&s->decisions, &s->routed_write,
	    &s->routed_read, &s->routed_fallback, &s->held, &s->refused,
	    &s->undecided, &s->lsn_waited, &s->lsn_late, &s->startup_bad,
	    &s->startup_unread, &s->startup_chosen, &s->startup_replication,
	    &s->startup_cancel, &s->frames_bad, &s->connections,
	    &s->hello_rejected, &s->latency_sum_us};
	uint32_t *const tail[STATS_TAIL] = {
	    &s->hold_now, &s->hold_max_ms, &s->lsn_now, &s->snapshot_age_ms};

	for (unsigned i = 0; i < STATS_HEAD; i++)
		*head[i] = wire_get(r, 8);
	for (unsigned i = 0; i < FEED_LATENCY_BUCKETS; i++)
		s->latency[i] = wire_get(r, 8);
	for (unsigned i = 0; i < STATS_TAIL; i++)
		*tail[i] = (uint32_t)wire_get(r, 4);
}

static void put_body(struct wire_out *w, const struct feed_msg *m)
{
	size_t n;

	switch (m->kind) {
	case FEED_HELLO:
		wire_put(w, m->u.hello.boot_id, 8);
		wire_put_str(w, m->u.hello.program);
		return;
	case FEED_SNAPSHOT:
		n = snap_encode(&m->u.snapshot, w->p, w->left);
		w->ok = n > 0;
		w->left -= n;
		return;
	case FEED_SEEN:
		wire_put(w, m->u.seen.boot_id, 8);
		wire_put(w, m->u.seen.seq, 8);
		wire_put_str(w, m->u.seen.cluster);
		return;
	case FEED_PING:
		wire_put(w, m->u.ping.nonce, 8);
		return;
	case FEED_ECHO:
		put_echo(w, &m->u.echo);
		return;
	case FEED_WANT:
		wire_put(w, m->u.want.min_lsn, 8);
		wire_put_str(w, m->u.want.cluster);
		return;
	case FEED_STATS:
		put_stats(w, &m->u.stats);
		return;
	case FEED_NONE:
	case FEED_KIND_N:
		break;
	}
	assert(false && "a message of no kind");
}

size_t feed_encode(const struct feed_msg *m, unsigned char *buf, size_t size)
{
	struct wire_out w = wire_to(buf, size);

	assert(m != NULL && buf != NULL);
	wire_put(&w, FEED_VERSION, 1);
	wire_put(&w, (uint64_t)m->kind, 1);
	if (w.ok)
		put_body(&w, m);
	return w.ok ? size - w.left : 0;
}

static void get_body(struct wire_in *r, struct feed_msg *m)
{
	switch (m->kind) {
	case FEED_HELLO:
		m->u.hello.boot_id = wire_get(r, 8);
		wire_get_str(r, m->u.hello.program, LIM_NAME);
		return;
	case FEED_SNAPSHOT:
		r->ok = snap_decode(r->s, &m->u.snapshot);
		r->s = slice_skip(r->s, r->s.len);
		return;
	case FEED_SEEN:
		m->u.seen.boot_id = wire_get(r, 8);
		m->u.seen.seq = wire_get(r, 8);
		wire_get_str(r, m->u.seen.cluster, LIM_NAME);
		return;
	case FEED_PING:
		m->u.ping.nonce = wire_get(r, 8);
		return;
	case FEED_ECHO:
		get_echo(r, &m->u.echo);
		return;
	case FEED_WANT:
		m->u.want.min_lsn = wire_get(r, 8);
		wire_get_str(r, m->u.want.cluster, LIM_NAME);
		return;
	case FEED_STATS:
		get_stats(r, &m->u.stats);
		return;
	case FEED_NONE:
	case FEED_KIND_N:
		break;
	}
	r->ok = false;
}

enum feed_rc feed_decode(struct slice in, struct feed_msg *out)
{
	struct wire_in r = {in, true};
	uint64_t version, kind;

	assert(out != NULL);
	memset(out, 0, sizeof(*out));
	version = wire_get(&r, 1);
	if (r.ok && version != FEED_VERSION)
		return FEED_OTHER_VERSION;
	kind = wire_get(&r, 1);
	if (r.ok && kind < FEED_KIND_N) {
		out->kind = (enum feed_kind)kind;
		get_body(&r, out);
		if (r.ok && r.s.len == 0)
			return FEED_OK;
	}
	memset(out, 0, sizeof(*out));
	return FEED_BAD;
}
