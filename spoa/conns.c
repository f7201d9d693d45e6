/*
 * conns.c - the places of HAProxy's connections; see conns.h.
 *
 * Called by listener.c for new ones, by agent.c for those that are held, by
 * app.c at the end, and by its own timer, once a second. Blocks on nothing.
 */
#include "conns.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "tls.h"

#define SWEEP_S 1.0

struct conn *conn_find(const struct conns *cs, struct conn_ref ref)
{
	assert(cs != NULL && ref.index < cs->max);
	if (cs->slot[ref.index].gen != ref.gen)
		return NULL;
	return cs->slot[ref.index].conn;
}

void conn_mark(struct conn *c)
{
	struct conns *cs = &c->app->conns;

	if (c->is_dirty)
		return;
	c->is_dirty = true;
	c->dirty_next = cs->dirty;
	cs->dirty = c;
}

void conns_flush(struct conns *cs)
{
	assert(cs != NULL);
	while (cs->dirty != NULL) {
		struct conn *c = cs->dirty;

		cs->dirty = c->dirty_next;
		c->dirty_next = NULL;
		c->is_dirty = false;
		conn_flush(c);
	}
}

bool conns_hear(struct conns *cs, const struct conn *c)
{
	unsigned turn;

	assert(cs != NULL && c != NULL);
	if (c->tls == NULL || c->state != CONN_HELLO)
		return true;
	turn = ev_iteration(cs->app->loop);
	if (cs->turn != turn)
		cs->turn_n = 0;
	cs->turn = turn;
	return cs->turn_n++ < CONNS_TLS_TURN;
}

void conns_greeted(struct conns *cs, const struct conn *c)
{
	assert(cs != NULL && c != NULL);
	if (c->tls == NULL)
		return;
	assert(cs->tls_hello_n > 0);
	if (cs->tls_hello_n-- == CONNS_TLS_HELLO_MAX)
		listeners_resume(&cs->app->listeners);
}

void conns_give_back(struct conns *cs, struct conn *c)
{
	uint32_t i = c->ref.index;
	struct conn_slot *slot = &cs->slot[i];

	assert(cs != NULL && i < cs->used && slot->conn == c);
	slot->conn = NULL;
	slot->gen++;
	slot->next_free = cs->free;
	cs->free = i + 1;
	cs->n--;
	if (c->tls != NULL)
		cs->tls_n--;
	free(c);
	listeners_resume(&cs->app->listeners);
}

static void sweep_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct conns *cs = w->data;
	struct mono now = mono_now();

	(void)loop;
	(void)revents;
	for (uint32_t i = 0; i < cs->used && cs->n > 0; i++) {
		if (cs->slot[i].conn != NULL)
			conn_watch(cs->slot[i].conn, now);
	}
}

bool conns_init(struct conns *cs, struct app *app, uint32_t max)
{
	assert(cs != NULL && app != NULL && max >= 1);
	*cs = (struct conns){.app = app, .max = max};
	cs->slot = calloc(max, sizeof(*cs->slot));
	if (cs->slot == NULL)
		return false;
	ev_timer_init(&cs->sweep, sweep_cb, SWEEP_S, SWEEP_S);
	cs->sweep.data = cs;
	ev_timer_start(app->loop, &cs->sweep);
	return true;
}

void conns_free(struct conns *cs)
{
	assert(cs != NULL);
	if (cs->slot == NULL)
		return;
	ev_timer_stop(cs->app->loop, &cs->sweep);
	for (uint32_t i = 0; i < cs->used; i++) {
		if (cs->slot[i].conn != NULL)
			conn_close(cs->slot[i].conn, "end");
	}
	free(cs->spare);
	cs->spare = NULL;
	conns_tls(cs, NULL);
	free(cs->slot);
	cs->slot = NULL;
}

static bool has_room(void *arg)
{
	struct conns *cs = arg;

	if (cs->free == 0 && cs->used == cs->max)
		return false;
	if (cs->spare == NULL)
		cs->spare = malloc(sizeof(*cs->spare));
	return cs->spare != NULL;
}

static bool has_tls_room(void *arg)
{
	struct conns *cs = arg;

	assert(cs->tls != NULL);
	if (cs->tls_n >= cs->max / 2 ||
	    cs->tls_hello_n == CONNS_TLS_HELLO_MAX || !has_room(cs))
		return false;
	if (cs->spare_tls == NULL)
		cs->spare_tls = tls_open(cs->tls);
	return cs->spare_tls != NULL;
}

static void take(struct conns *cs, int fd, struct ssl_st *tls)
{
	struct conn *c = cs->spare;
	uint32_t i;

	assert(fd != -1 && c != NULL);
	cs->spare = NULL;
	/* Not the buffers: memory that is never used is never there. */
	memset(c, 0, offsetof(struct conn, in));
	i = cs->free != 0 ? cs->free - 1 : cs->used++;
	assert(i < cs->max);
	if (cs->free != 0)
		cs->free = cs->slot[i].next_free;
	cs->slot[i].conn = c;
	cs->n++;
	cs->accepted++;
	c->app = cs->app;
	c->ref = (struct conn_ref){i, cs->slot[i].gen};
	conn_begin(c, fd, tls);
}

static void open_plain(void *arg, int fd)
{
	take(arg, fd, NULL);
}

static void open_tls(void *arg, int fd)
{
	struct conns *cs = arg;
	struct ssl_st *tls = cs->spare_tls;

	cs->spare_tls = NULL;
	cs->tls_n++;
	cs->tls_hello_n++;
	tls_take(tls, fd);
	take(cs, fd, tls);
}

struct listen_host conns_host(struct conns *cs)
{
	return (struct listen_host){has_room, open_plain, cs};
}

struct listen_host conns_tls_host(struct conns *cs)
{
	return (struct listen_host){has_tls_room, open_tls, cs};
}

void conns_tls(struct conns *cs, struct ssl_ctx_st *tls)
{
	assert(cs != NULL);
	tls_close(cs->spare_tls);
	cs->spare_tls = NULL;
	tls_free(cs->tls);
	cs->tls = tls;
}

void conns_stop(struct conns *cs, bool is_late)
{
	assert(cs != NULL);
	for (uint32_t i = 0; i < cs->used; i++) {
		if (cs->slot[i].conn != NULL)
			conn_stop(cs->slot[i].conn, is_late);
	}
}
