/*
 * conn.c - HAProxy's connections; see conn.h.
 *
 * Owns each connection from accept to close. Called by listener.c for new ones
 * and by the loop; calls agent.c for what a NOTIFY asks. Blocks on nothing.
 * Source: HAProxy's doc/SPOE.txt, 3.2.3 for the order of frames.
 */
#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app.h"

#define CONN_MAGIC 0x51a7c0deU
#define SWEEP_S 1.0
/* Read passes of one event: then other connections have their turn. */
#define PASSES 4

_Static_assert(CONN_IN >= SPOP_LENGTH + LIM_SPOP_FRAME, "no frame fits");
_Static_assert(CONN_OUT_HIGH <= CONN_OUT - CONN_ANSWER_MAX,
    "whoever stops for lack of room must be above the high-water mark");

static struct conn *conn_of(void *data)
{
	struct conn *c = data;

	assert(c != NULL && c->magic == CONN_MAGIC);
	return c;
}

static void set_wait(struct conn *c, enum conn_wait wait, int64_t ms)
{
	c->wait = wait;
	c->suspect = false;
	c->deadline = mono_add(mono_now(), dur_ms(ms));
}

static void conn_close(struct conn *c, const char *why)
{
	struct conns *cs = &c->app->conns;
	struct conn_slot *slot = &cs->slot[c->ref.index];

	log_debug("stop conn=%u.%u why=%s", c->ref.index, c->ref.gen, why);
	if (c->held > 0)
		agent_forget(c->app, c);
	/* A dirty one is freed by conns_flush(), which is about to come by. */
	assert(!c->is_dirty && slot->conn == c);
	ev_io_stop(c->app->loop, &c->rd);
	ev_io_stop(c->app->loop, &c->wr);
	(void)close(c->rd.fd);
	slot->conn = NULL;
	slot->gen++;
	slot->next_free = cs->free;
	cs->free = c->ref.index + 1;
	cs->n--;
	c->magic = 0;
	listeners_resume(&c->app->listeners);
	free(c);
}

/* From here on nothing is read but the peer's end. */
static void begin_close(struct conn *c)
{
	c->state = CONN_CLOSING;
	c->in_n = 0;
	set_wait(c, CONN_WAIT_CLOSE, CONN_LINGER_MS);
}

/* AGENT-DISCONNECT, SPOE.txt 3.2.9; where it does not fit it goes unsaid. */
static void say_goodbye(struct conn *c, enum spop_status status)
{
	if (c->held > 0)
		agent_forget(c->app, c);
	c->out_n += (uint32_t)spop_put_disconnect(c->out + c->out_n,
	    CONN_OUT - c->out_n, SPOP_AGENT_DISCONNECT, status);
	begin_close(c);
}

static void refuse(struct conn *c, enum spop_status status)
{
	uint32_t suppressed;

	c->app->agent.stats.frames_bad++;
	if (c->state == CONN_HELLO)
		c->app->agent.stats.hello_rejected++;
	if (log_rate_ok(&c->app->reject_rate, 5, dur_ms(10000), mono_now(),
		&suppressed))
		log_warnx("reject conn=%u.%u status=%d why=\"%s\" "
			  "suppressed=%u",
		    c->ref.index, c->ref.gen, (int)status,
		    spop_status_text(status), suppressed);
	say_goodbye(c, status);
}

static void take_hello(struct conn *c, const struct spop_frame *f)
{
	struct spop_hello hello;
	enum spop_status status;

	if (c->state != CONN_HELLO || f->stream_id != 0 || f->frame_id != 0) {
		refuse(c, SPOP_ST_INVALID);
		return;
	}
	if ((f->flags & SPOP_F_FIN) == 0) {
		refuse(c, SPOP_ST_FRAGMENTED);
		return;
	}
	status = spop_hello_get(f->payload, &hello);
	if (status != SPOP_ST_NONE) {
		refuse(c, status);
		return;
	}
	if (hello.max_frame_size > LIM_SPOP_FRAME)
		hello.max_frame_size = LIM_SPOP_FRAME;
	c->max_frame = hello.max_frame_size;
	c->out_n += (uint32_t)spop_put_agent_hello(
	    c->out + c->out_n, CONN_OUT - c->out_n, &hello);
	c->state = hello.healthcheck ? CONN_CHECKED : CONN_READY;
	if (hello.healthcheck)
		set_wait(c, CONN_WAIT_CLOSE, CONN_LINGER_MS);
}

static void take_notify(struct conn *c, const struct spop_frame *f)
{
	enum spop_status status;

	if (c->state != CONN_READY) {
		refuse(c, SPOP_ST_INVALID);
		return;
	}
	if ((f->flags & SPOP_F_FIN) == 0) {
		refuse(c, SPOP_ST_FRAGMENTED);
		return;
	}
	if ((f->flags & SPOP_F_ABORT) != 0) {
		agent_abort(c->app, c, f);
		return;
	}
	status = agent_notify(c->app, c, f);
	if (status != SPOP_ST_NONE)
		refuse(c, status);
}

static void take_frame(struct conn *c, const struct spop_frame *f)
{
	switch (f->type) {
	case SPOP_HAPROXY_HELLO:
		take_hello(c, f);
		return;
	case SPOP_HAPROXY_DISCONNECT:
		log_debug("stop conn=%u.%u status=%llu", c->ref.index,
		    c->ref.gen,
		    (unsigned long long)spop_disconnect_get(f->payload));
		say_goodbye(c, SPOP_ST_NONE);
		return;
	case SPOP_NOTIFY:
		take_notify(c, f);
		return;
	case SPOP_NONE:
	case SPOP_AGENT_HELLO:
	case SPOP_AGENT_DISCONNECT:
	case SPOP_ACK:
		refuse(c, SPOP_ST_INVALID);
		return;
	default:
		break;
	}
	/* Others may be skipped (SPOE.txt 3.2.2), once HELLO was said. */
	if (c->state == CONN_HELLO)
		refuse(c, SPOP_ST_INVALID);
	else
		c->app->agent.stats.frames_bad++;
}

/*
 * Answers the frames that are whole.
 * Gives: false if some are left because the answers' room is used up.
 */
static bool answer_frames(struct conn *c)
{
	struct spop_frame f;
	uint32_t at = 0;
	bool done = true;

	while (c->state != CONN_CLOSING) {
		enum spop_rc rc;

		if (CONN_OUT - c->out_n < CONN_ANSWER_MAX) {
			done = false;
			break;
		}
		rc = spop_frame_get(
		    slice_of(c->in + at, c->in_n - at), c->max_frame, &f);
		if (rc == SPOP_MORE)
			break;
		if (rc == SPOP_BAD) {
			refuse(c, f.status);
			break;
		}
		at += (uint32_t)f.size;
		c->has_moved = true;
		take_frame(c, &f);
	}
	if (c->state == CONN_CLOSING || at == c->in_n)
		c->in_n = 0;
	else if (at > 0) {
		memmove(c->in, c->in + at, c->in_n - at);
		c->in_n -= at;
	}
	return done;
}

/* Sends what there is. Gives: false if the connection is no more. */
static bool flush(struct conn *c)
{
	if (c->out_n > 0) {
		ssize_t n = send(c->rd.fd, c->out, c->out_n, MSG_NOSIGNAL);

		if (n == -1 && errno != EAGAIN && errno != EINTR &&
		    errno != ENOBUFS) {
			conn_close(c, "send");
			return false;
		}
		if (n > 0) {
			c->out_n -= (uint32_t)n;
			c->has_moved = true;
			memmove(c->out, c->out + n, c->out_n);
		}
	}
	if (c->state == CONN_CLOSING && c->out_n == 0 && !c->is_shut) {
		(void)shutdown(c->rd.fd, SHUT_WR);
		c->is_shut = true;
	}
	return true;
}

/* Which deadline holds now. A new one begins when something has moved. */
static void choose_wait(struct conn *c)
{
	enum conn_wait wait = CONN_WAIT_NONE;

	if (c->state != CONN_READY)
		return;
	if (c->out_n > 0)
		wait = CONN_WAIT_BLOCKED;
	else if (c->in_n > 0)
		wait = CONN_WAIT_PARTIAL;
	if (wait == CONN_WAIT_NONE)
		c->wait = wait;
	else if (wait != c->wait || c->has_moved)
		set_wait(c, wait,
		    wait == CONN_WAIT_BLOCKED ? CONN_BLOCKED_MS
					      : CONN_PARTIAL_MS);
	c->has_moved = false;
}

/* Watches for what the connection needs next, at the end of each pass. */
static void rearm(struct conn *c)
{
	struct ev_loop *loop = c->app->loop;

	choose_wait(c);
	if (c->out_n > 0)
		ev_io_start(loop, &c->wr);
	else
		ev_io_stop(loop, &c->wr);
	if (c->out_n > CONN_OUT_HIGH)
		ev_io_stop(loop, &c->rd);
	else
		ev_io_start(loop, &c->rd);
}

/* Answers and sends by turns. Gives: false if the connection is no more. */
static bool answer_and_flush(struct conn *c)
{
	bool done;

	do {
		done = answer_frames(c);
		if (!flush(c))
			return false;
	} while (!done && c->out_n <= CONN_OUT_HIGH);
	return true;
}

enum fill {
	FILL_SOME,
	FILL_ALL, /* the buffer is full: there may be more */
	FILL_NONE,
	FILL_GONE
};

static enum fill fill(struct conn *c)
{
	size_t room = CONN_IN - c->in_n;
	ssize_t n;

	/* A buffer without room holds whole frames, which wait for ours. */
	if (room == 0)
		return FILL_NONE;
	n = recv(c->rd.fd, c->in + c->in_n, room, 0);
	if (n == -1)
		return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ||
			errno == ENOMEM
		    ? FILL_NONE
		    : FILL_GONE;
	if (n == 0)
		return FILL_GONE;
	if (c->state != CONN_CLOSING)
		c->in_n += (uint32_t)n;
	return (size_t)n == room ? FILL_ALL : FILL_SOME;
}

/* Gives: false if the connection is no more. */
static bool read_pass(struct conn *c)
{
	struct agent *agent = &c->app->agent;
	struct mono start = mono_now();
	uint64_t before = agent->answered;
	enum fill got = FILL_ALL;

	decide_pass(&c->app->decide, start);
	for (int i = 0; i < PASSES && got == FILL_ALL; i++) {
		got = fill(c);
		if (got == FILL_GONE) {
			conn_close(c, "peer");
			return false;
		}
		if (got == FILL_NONE)
			break;
		if (!answer_and_flush(c))
			return false;
		if (c->out_n > 0)
			break;
	}
	if (agent->answered != before)
		stats_latency(&agent->stats, agent->answered - before,
		    mono_sub(mono_now(), start));
	rearm(c);
	return true;
}

static void conn_read_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	(void)read_pass(conn_of(w->data));
}

static void conn_write_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c = conn_of(w->data);

	(void)loop;
	(void)revents;
	if (!flush(c))
		return;
	decide_pass(&c->app->decide, mono_now());
	if (answer_and_flush(c))
		rearm(c);
}

struct conn *conn_find(const struct conns *cs, struct conn_ref ref)
{
	assert(cs != NULL && ref.index < cs->max);
	if (cs->slot[ref.index].gen != ref.gen)
		return NULL;
	return cs->slot[ref.index].conn;
}

bool conn_ack(struct conn *c, const struct spop_ack *ack)
{
	size_t n;

	assert(c != NULL && c->magic == CONN_MAGIC);
	if (c->state != CONN_READY)
		return false;
	n = spop_put_ack(c->out + c->out_n, CONN_OUT - c->out_n, ack);
	assert(n <= CONN_ANSWER_MAX);
	c->out_n += (uint32_t)n;
	return n > 0;
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
		struct conn *c = conn_of(cs->dirty);

		cs->dirty = c->dirty_next;
		c->dirty_next = NULL;
		c->is_dirty = false;
		if (flush(c))
			rearm(c);
	}
}

static bool is_late(const struct conn *c, struct mono now)
{
	return c->wait != CONN_WAIT_NONE && !is_mono_before(now, c->deadline);
}

/*
 * Once a second. Whoever is late for the first time is only noted: after a
 * pause of the whole process timers run before what has long arrived.
 */
static void sweep_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct conns *cs = w->data;
	struct mono now = mono_now();

	(void)loop;
	(void)revents;
	for (uint32_t i = 0; i < cs->used && cs->n > 0; i++) {
		struct conn *c = cs->slot[i].conn;

		if (c == NULL || !is_late(c, now))
			continue;
		if (!c->suspect) {
			c->suspect = true;
			continue;
		}
		if (c->wait == CONN_WAIT_CLOSE ||
		    c->wait == CONN_WAIT_BLOCKED) {
			conn_close(c, "timeout");
			continue;
		}
		refuse(c, SPOP_ST_TIMEOUT);
		if (flush(c))
			rearm(c);
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
	free(cs->slot);
	cs->slot = NULL;
}

static bool conns_has_room(void *arg)
{
	struct conns *cs = arg;

	if (cs->free == 0 && cs->used == cs->max)
		return false;
	if (cs->spare == NULL)
		cs->spare = malloc(sizeof(*cs->spare));
	return cs->spare != NULL;
}

static void conn_open(void *arg, int fd)
{
	struct conns *cs = arg;
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
	c->magic = CONN_MAGIC;
	c->app = cs->app;
	c->ref = (struct conn_ref){i, cs->slot[i].gen};
	c->state = CONN_HELLO;
	c->max_frame = LIM_SPOP_FRAME;
	set_wait(c, CONN_WAIT_HELLO, CONN_HELLO_MS);
	ev_io_init(&c->rd, conn_read_cb, fd, EV_READ);
	ev_io_init(&c->wr, conn_write_cb, fd, EV_WRITE);
	c->rd.data = c;
	c->wr.data = c;
	ev_io_start(cs->app->loop, &c->rd);
}

struct listen_host conns_host(struct conns *cs)
{
	return (struct listen_host){conns_has_room, conn_open, cs};
}

void conns_drain(struct conns *cs)
{
	assert(cs != NULL);
	for (uint32_t i = 0; i < cs->used; i++) {
		if (cs->slot[i].conn != NULL)
			(void)read_pass(cs->slot[i].conn);
	}
}

void conns_stop(struct conns *cs)
{
	assert(cs != NULL);
	for (uint32_t i = 0; i < cs->used; i++) {
		struct conn *c = cs->slot[i].conn;

		if (c == NULL || c->state == CONN_CLOSING)
			continue;
		say_goodbye(c, SPOP_ST_NONE);
		if (flush(c))
			rearm(c);
	}
}
