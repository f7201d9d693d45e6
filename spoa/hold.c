/*
 * hold.c - streams that wait for a server; see hold.h.
 *
 * Called by agent.c only, on the decision path: every operation but
 * hold_expired() and the two that follow a closed connection is O(1), those are
 * one pass over the pool.
 */
#include "hold.h"

#include <string.h>

#define TOKEN 1000000

/* 20 ms of the rate may leave at once; at least one may always leave. */
static int64_t credit_max(const struct hold *h)
{
	int64_t burst = (int64_t)h->rate / 50;

	return (burst > 0 ? burst : 1) * TOKEN;
}

/* What the bucket holds at `now`. */
static int64_t credit_at(const struct hold *h, struct mono now)
{
	int64_t max = credit_max(h);
	int64_t passed = mono_sub(now, h->filled).us;

	if (passed < 0)
		passed = 0;
	if (passed >= (max - h->credit) / (int64_t)h->rate)
		return max;
	return h->credit + passed * (int64_t)h->rate;
}

void hold_init(struct hold *h, uint32_t max, uint32_t rate)
{
	assert(h != NULL);
	memset(h, 0, sizeof(*h));
	for (uint16_t i = LIM_HELD; i > 0; i--) {
		h->e[i].next = h->free;
		h->free = i;
	}
	hold_limit(h, max, rate);
	h->credit = credit_max(h);
}

void hold_limit(struct hold *h, uint32_t max, uint32_t rate)
{
	assert(h != NULL && max <= LIM_HELD && rate >= 1);
	h->max = max;
	h->rate = rate;
	if (h->credit > credit_max(h))
		h->credit = credit_max(h);
}

static uint16_t place_of(const struct hold *h, const struct hold_entry *e)
{
	assert(e > h->e && e <= h->e + LIM_HELD);
	return (uint16_t)(e - h->e);
}

static void set_cursor(struct hold *h, struct hold_queue *q, uint16_t to)
{
	if (q->cursor == 0 && to != 0)
		h->scanning++;
	else if (q->cursor != 0 && to == 0)
		h->scanning--;
	q->cursor = to;
}

void hold_add(struct hold *h, uint16_t queue, const struct hold_stream *s,
    struct mono now, struct dur timeout)
{
	struct hold_queue *q;
	struct hold_entry *e;
	uint16_t i;

	assert(h != NULL && s != NULL && queue < LIM_CLUSTERS);
	assert(!is_hold_full(h) && h->free != 0);
	q = &h->q[queue];
	i = h->free;
	e = &h->e[i];
	h->free = e->next;
	*e = (struct hold_entry){
	    *s, now, mono_add(now, timeout), queue, 0, q->tail};
	if (q->tail != 0)
		h->e[q->tail].next = i;
	else
		q->head = i;
	q->tail = i;
	q->n++;
	assert(s->it.listen < LIM_LISTENERS);
	h->at[s->it.listen]++;
	if (h->n++ == 0 || is_mono_before(e->deadline, h->soonest))
		h->soonest = e->deadline;
}

void hold_drop(struct hold *h, struct hold_entry *e)
{
	uint16_t i = place_of(h, e);
	struct hold_queue *q = &h->q[e->queue];

	assert(q->n > 0 && h->n > 0 && h->at[e->s.it.listen] > 0);
	h->at[e->s.it.listen]--;
	if (q->cursor == i)
		set_cursor(h, q, e->next);
	if (e->prev != 0)
		h->e[e->prev].next = e->next;
	else
		q->head = e->next;
	if (e->next != 0)
		h->e[e->next].prev = e->prev;
	else
		q->tail = e->prev;
	q->n--;
	h->n--;
	*e = (struct hold_entry){.next = h->free};
	h->free = i;
}

void hold_move(struct hold *h, struct hold_entry *e, uint16_t listen)
{
	assert(h != NULL && e != NULL && listen < LIM_LISTENERS);
	h->at[e->s.it.listen]--;
	e->s.it.listen = listen;
	h->at[listen]++;
}

void hold_scan(struct hold *h, uint16_t queue)
{
	assert(h != NULL && queue < LIM_CLUSTERS);
	set_cursor(h, &h->q[queue], h->q[queue].head);
}

struct hold_entry *hold_look(struct hold *h, struct mono now)
{
	uint32_t queue;

	assert(h != NULL);
	if (h->scanning == 0)
		return NULL;
	h->credit = credit_at(h, now);
	h->filled = now;
	if (h->credit < TOKEN)
		return NULL;
	queue = h->turn;
	for (uint32_t i = 0; h->q[queue].cursor == 0; i++) {
		assert(i < LIM_CLUSTERS);
		queue = (queue + 1) % LIM_CLUSTERS;
	}
	h->turn = queue;
	return &h->e[h->q[queue].cursor];
}

void hold_pass(struct hold *h, struct hold_entry *e)
{
	struct hold_queue *q = &h->q[e->queue];

	assert(q->cursor == place_of(h, e));
	set_cursor(h, q, e->next);
}

void hold_done(struct hold *h, struct hold_entry *e)
{
	assert(h != NULL && e != NULL && h->credit >= TOKEN);
	h->credit -= TOKEN;
	h->turn = (e->queue + 1U) % LIM_CLUSTERS;
	hold_drop(h, e);
}

struct hold_entry *hold_expired(struct hold *h, struct mono now)
{
	struct mono soonest = {INT64_MAX};

	assert(h != NULL);
	if (h->n == 0 || is_mono_before(now, h->soonest))
		return NULL;
	for (uint32_t queue = 0; queue < LIM_CLUSTERS; queue++) {
		uint16_t i = h->q[queue].head;

		for (; i != 0; i = h->e[i].next) {
			if (!is_mono_before(now, h->e[i].deadline))
				return &h->e[i];
			if (is_mono_before(h->e[i].deadline, soonest))
				soonest = h->e[i].deadline;
		}
	}
	h->soonest = soonest;
	return NULL;
}

static struct hold_entry *entry_at(struct hold *h, uint16_t place)
{
	return place != 0 ? &h->e[place] : NULL;
}

struct hold_entry *hold_first(struct hold *h, uint16_t queue)
{
	assert(h != NULL && queue < LIM_CLUSTERS);
	return entry_at(h, h->q[queue].head);
}

struct hold_entry *hold_next(struct hold *h, const struct hold_entry *e)
{
	assert(h != NULL && e != NULL);
	return entry_at(h, e->next);
}

static bool is_same_conn(struct conn_ref a, struct conn_ref b)
{
	return a.index == b.index && a.gen == b.gen;
}

/* `s` NULL: every stream of the connection. */
static void drop_matching(
    struct hold *h, struct conn_ref conn, const struct hold_stream *s)
{
	for (uint32_t queue = 0; queue < LIM_CLUSTERS && h->n > 0; queue++) {
		uint16_t next;

		for (uint16_t i = h->q[queue].head; i != 0; i = next) {
			struct hold_entry *e = &h->e[i];

			next = e->next;
			if (!is_same_conn(e->s.conn, conn))
				continue;
			if (s == NULL ||
			    (s->stream_id == e->s.stream_id &&
				s->frame_id == e->s.frame_id))
				hold_drop(h, e);
		}
	}
}

void hold_drop_conn(struct hold *h, struct conn_ref conn)
{
	assert(h != NULL);
	drop_matching(h, conn, NULL);
}

void hold_drop_stream(struct hold *h, const struct hold_stream *s)
{
	assert(h != NULL && s != NULL);
	drop_matching(h, s->conn, s);
}

struct dur hold_pause(const struct hold *h, struct mono now)
{
	int64_t missing;

	assert(h != NULL);
	if (h->scanning == 0)
		return dur_us(-1);
	missing = TOKEN - credit_at(h, now);
	if (missing <= 0)
		return dur_us(0);
	return dur_us(missing / (int64_t)h->rate + 1);
}
