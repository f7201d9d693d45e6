/*
 * feed_msg.c - encoding of the feed's messages; see feed_msg.h.
 */
#include "feed_msg.h"

#include <stddef.h>

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

/*
 * The counters in the order of the wire. Append only: a message may end after
 * any of the first STATS_FIRST, for it comes from an earlier version, and may
 * have fewer of those that follow, or more, for these stand in a part of their
 * own that tells its length.
 */
#define STATS_FIRST 30
#define FIELD(name, n)                                                     \
	{                                                                  \
		offsetof(struct feed_stats, name), FIELD_BYTES(name, n), n \
	}
#define FIELD_BYTES(name, n) sizeof(((struct feed_stats *)NULL)->name) / (n)
static const struct {
	size_t at, bytes, n;
} stats_field[] = {
    FIELD(decisions, 1),
    FIELD(routed_write, 1),
    FIELD(routed_read, 1),
    FIELD(routed_fallback, 1),
    FIELD(held, 1),
    FIELD(refused, 1),
    FIELD(undecided, 1),
    FIELD(lsn_waited, 1),
    FIELD(lsn_late, 1),
    FIELD(startup_bad, 1),
    FIELD(startup_unread, 1),
    FIELD(startup_chosen, 1),
    FIELD(startup_replication, 1),
    FIELD(startup_cancel, 1),
    FIELD(frames_bad, 1),
    FIELD(connections, 1),
    FIELD(hello_rejected, 1),
    FIELD(latency_sum_us, 1),
    FIELD(latency, FEED_LATENCY_BUCKETS),
    FIELD(hold_now, 1),
    FIELD(hold_max_ms, 1),
    FIELD(lsn_now, 1),
    FIELD(snapshot_age_ms, 1),
    FIELD(answers_lost, 1),
    FIELD(loop_longest_us, 1),
    FIELD(loop_turns, 1),
    FIELD(loop_slow, 1),
    FIELD(observed_same, OBSERVE_KINDS),
    FIELD(observed_differs, OBSERVE_KINDS),
    FIELD(hold_recent_ms, 1),
};
#define STATS_FIELDS (sizeof(stats_field) / sizeof(stats_field[0]))
_Static_assert(STATS_FIRST <= STATS_FIELDS,
    "what other versions take for the first counters has to be there");
_Static_assert(FEED_HEAD + sizeof(struct feed_counts) <= LIM_FEED_MSG,
    "a STATS of as many clusters as it may have must fit one feed message");
_Static_assert(
    sizeof(struct feed_stats) == (47 + 2 * OBSERVE_KINDS) * 8 + 4 * 4,
    "a new counter needs its line at the end of stats_field");

static void put_counter(struct wire_out *w, const char *from, size_t bytes)
{
	uint64_t u64;
	uint32_t u32;

	if (bytes == sizeof(u32)) {
		memcpy(&u32, from, sizeof(u32));
		wire_put(w, u32, sizeof(u32));
		return;
	}
	assert(bytes == sizeof(u64));
	memcpy(&u64, from, sizeof(u64));
	wire_put(w, u64, sizeof(u64));
}

static void get_counter(struct wire_in *r, char *to, size_t bytes)
{
	uint64_t u64 = wire_get(r, (unsigned)bytes);
	uint32_t u32 = (uint32_t)u64;

	assert(bytes == sizeof(u32) || bytes == sizeof(u64));
	if (bytes == sizeof(u32))
		memcpy(to, &u32, sizeof(u32));
	else
		memcpy(to, &u64, sizeof(u64));
}

/* Those of stats_field from `i` on and below `end`. */
static void put_stats(
    struct wire_out *w, const struct feed_stats *s, size_t i, size_t end)
{
	for (; i < end; i++) {
		const char *from = (const char *)s + stats_field[i].at;
		size_t bytes = stats_field[i].bytes;

		for (size_t k = 0; k < stats_field[i].n; k++)
			put_counter(w, from + k * bytes, bytes);
	}
}

/* What is missing stays 0. */
static void get_stats(
    struct wire_in *r, struct feed_stats *s, size_t i, size_t end)
{
	for (; i < end && r->s.len > 0; i++) {
		char *to = (char *)s + stats_field[i].at;
		size_t bytes = stats_field[i].bytes;

		for (size_t k = 0; k < stats_field[i].n && r->s.len > 0; k++)
			get_counter(r, to + k * bytes, bytes);
		if (!r->ok)
			return;
	}
}

static void put_later_stats(struct wire_out *w, const struct feed_stats *s)
{
	size_t bytes = 0;

	for (size_t i = STATS_FIRST; i < STATS_FIELDS; i++)
		bytes += stats_field[i].bytes * stats_field[i].n;
	wire_put(w, bytes, 2);
	put_stats(w, s, STATS_FIRST, STATS_FIELDS);
}

/* What is in there behind all that is known here is of a later version. */
static void get_later_stats(struct wire_in *r, struct feed_stats *s)
{
	size_t bytes = wire_get(r, 2);
	struct wire_in part;

	if (!r->ok || bytes > r->s.len) {
		r->ok = false;
		return;
	}
	part = (struct wire_in){slice_of(r->s.p, bytes), true};
	get_stats(&part, s, STATS_FIRST, STATS_FIELDS);
	r->ok = part.ok;
	r->s = slice_skip(r->s, bytes);
}

static void put_counts(struct wire_out *w, const struct feed_counts *c)
{
	assert(c->n <= FEED_SPLIT_MAX);
	put_stats(w, &c->all, 0, STATS_FIRST);
	if (!c->is_split)
		return;
	put_later_stats(w, &c->all);
	wire_put(w, c->n, 2);
	for (unsigned i = 0; i < c->n; i++) {
		wire_put_str(w, c->of[i].cluster);
		for (int k = 0; k < OBSERVE_KINDS; k++)
			wire_put(w, c->of[i].observed.same[k], 8);
		for (int k = 0; k < OBSERVE_KINDS; k++)
			wire_put(w, c->of[i].observed.differs[k], 8);
	}
}

/* What follows the clusters is of a later version. */
static void get_counts(struct wire_in *r, struct feed_counts *c)
{
	get_stats(r, &c->all, 0, STATS_FIRST);
	if (!r->ok || r->s.len == 0)
		return;
	c->is_split = true;
	get_later_stats(r, &c->all);
	c->n = (uint16_t)wire_get(r, 2);
	if (c->n > FEED_SPLIT_MAX)
		r->ok = false;
	for (unsigned i = 0; r->ok && i < c->n; i++) {
		wire_get_str(r, c->of[i].cluster, LIM_NAME);
		for (int k = 0; k < OBSERVE_KINDS; k++)
			c->of[i].observed.same[k] = wire_get(r, 8);
		for (int k = 0; k < OBSERVE_KINDS; k++)
			c->of[i].observed.differs[k] = wire_get(r, 8);
	}
	if (r->ok)
		r->s = slice_skip(r->s, r->s.len);
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
		put_counts(w, &m->u.counts);
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
		get_counts(r, &m->u.counts);
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
