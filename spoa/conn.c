/*
 * conn.c - HAProxy's connections; see conn.h.
 *
 * Owns what each connection does from its first byte to its close. Called by
 * the loop and by conns.c; calls agent.c for what a NOTIFY asks. Blocks on
 * nothing.
 * Source: HAProxy's doc/SPOE.txt, 3.2.3 for the order of frames.
 */
#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app.h"
#include "tls.h"

#define CONN_MAGIC 0x51a7c0deU
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

static void set_state(struct conn *c, enum conn_state state)
{
	if (c->state == CONN_HELLO)
		conns_greeted(&c->app->conns, c);
	c->state = state;
}

void conn_close(struct conn *c, const char *why)
{
	log_debug("stop conn=%u.%u why=%s", c->ref.index, c->ref.gen, why);
	if (c->held > 0)
		agent_forget(c->app, c);
	/* A dirty one is freed by conns_flush(), which is about to come by. */
	assert(!c->is_dirty);
	ev_io_stop(c->app->loop, &c->rd);
	ev_io_stop(c->app->loop, &c->wr);
	set_state(c, CONN_CLOSING);
	tls_close(c->tls);
	(void)close(c->rd.fd);
	c->magic = 0;
	conns_give_back(&c->app->conns, c);
}

/* From here on nothing is read but the peer's end. */
static void begin_close(struct conn *c)
{
	set_state(c, CONN_CLOSING);
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

static void count_reject(
    struct conn *c, enum spop_status status, const char *why)
{
	uint32_t suppressed;

	if (c->state == CONN_HELLO)
		c->app->agent.stats.hello_rejected++;
	if (log_rate_ok(&c->app->reject_rate, 5, dur_ms(10000), mono_now(),
		&suppressed))
		log_warnx("reject conn=%u.%u status=%d why=\"%s\" "
			  "suppressed=%u",
		    c->ref.index, c->ref.gen, (int)status, why, suppressed);
}

static void refuse(struct conn *c, enum spop_status status)
{
	c->app->agent.stats.frames_bad++;
	count_reject(c, status, spop_status_text(status));
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
	set_state(c, hello.healthcheck ? CONN_CHECKED : CONN_READY);
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
	c->has_asked = true;
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
		/* A later fragment; its first one was refused. */
		refuse(c,
		    c->state == CONN_HELLO ? SPOP_ST_INVALID
					   : SPOP_ST_NO_FRAME_ID);
		return;
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

/* Answers the frames that are whole, but for those its buffer has no room for:
   then is_left is set. */
static void answer_frames(struct conn *c)
{
	struct spop_frame f;
	uint32_t at = 0;

	c->is_left = false;
	while (c->state != CONN_CLOSING) {
		enum spop_rc rc;

		if (CONN_OUT - c->out_n < CONN_ANSWER_MAX) {
			c->is_left = true;
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
}

static ssize_t wire_send(struct conn *c)
{
	if (c->tls != NULL)
		return tls_send(c->tls, c->out, c->out_n);
	return send(c->rd.fd, c->out, c->out_n, MSG_NOSIGNAL);
}

static ssize_t wire_recv(struct conn *c, size_t room)
{
	if (c->tls != NULL)
		return tls_recv(c->tls, c->in + c->in_n, room);
	return recv(c->rd.fd, c->in + c->in_n, room, 0);
}

/* Are there bytes of which the kernel tells nothing any more? */
static bool has_more(const struct conn *c)
{
	return c->tls != NULL && tls_has_more(c->tls);
}

/* Sends what there is. Gives: false if the connection is no more. */
static bool flush(struct conn *c)
{
	if (c->out_n > 0) {
		ssize_t n = wire_send(c);

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
		if (c->tls != NULL)
			tls_shut(c->tls);
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
	/* Frames that are left are answered by the write event, also where the
	   hold has sent what was in their way: see conn_flush(). */
	if (c->out_n > 0 || c->is_left ||
	    (c->tls != NULL && tls_wants_send(c->tls)))
		ev_io_start(loop, &c->wr);
	else
		ev_io_stop(loop, &c->wr);
	if (c->out_n > CONN_OUT_HIGH)
		ev_io_stop(loop, &c->rd);
	else
		ev_io_start(loop, &c->rd);
	/* Left when there was no room for the answers; now there is. */
	if (c->out_n == 0 && has_more(c))
		ev_feed_event(loop, &c->rd, EV_READ);
}

/* Answers and sends by turns. Gives: false if the connection is no more. */
static bool answer_and_flush(struct conn *c)
{
	do {
		answer_frames(c);
		if (!flush(c))
			return false;
	} while (c->is_left && c->out_n <= CONN_OUT_HIGH);
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
	n = wire_recv(c, room);
	if (n == -1 && errno == EPROTO && c->tls != NULL)
		count_reject(c, SPOP_ST_IO, tls_why(c->tls));
	if (n == -1)
		return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ||
			errno == ENOMEM
		    ? FILL_NONE
		    : FILL_GONE;
	if (n == 0)
		return FILL_GONE;
	if (c->state != CONN_CLOSING)
		c->in_n += (uint32_t)n;
	return (size_t)n == room || has_more(c) ? FILL_ALL : FILL_SOME;
}

bool conn_pass(struct conn *c)
{
	struct agent *agent = &c->app->agent;
	struct mono start = mono_now();
	uint64_t before = agent->answered;
	enum fill got = FILL_ALL;

	decide_pass(&c->app->decide, start);
	for (int i = 0; (i < PASSES || has_more(c)) && got == FILL_ALL; i++) {
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
	struct conn *c = conn_of(w->data);

	(void)loop;
	/* What OpenSSL has already taken the kernel tells of no second time. */
	if ((revents & EV_ERROR) != 0) /* libev has stopped watching it */
		conn_close(c, "not watched: no memory");
	else if (has_more(c) || conns_hear(&c->app->conns, c))
		(void)conn_pass(c);
}

static void conn_write_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c = conn_of(w->data);

	(void)loop;
	if ((revents & EV_ERROR) != 0) {
		conn_close(c, "not watched: no memory");
		return;
	}
	if (!flush(c))
		return;
	decide_pass(&c->app->decide, mono_now());
	if (!answer_and_flush(c))
		return;
	/* TLS had to send something of its own before it could receive. */
	if (c->out_n == 0 && c->tls != NULL && tls_wants_send(c->tls))
		(void)conn_pass(c);
	else
		rearm(c);
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

/* Answers nothing: the hold that calls it must not be entered again. */
void conn_flush(struct conn *c)
{
	assert(c != NULL && c->magic == CONN_MAGIC);
	if (flush(c))
		rearm(c);
}

/*
 * Whoever is late for the first time is only noted: after a pause of the whole
 * process timers run before what has long arrived.
 */
void conn_watch(struct conn *c, struct mono now)
{
	assert(c != NULL && c->magic == CONN_MAGIC);
	if (c->wait == CONN_WAIT_NONE || is_mono_before(now, c->deadline))
		return;
	if (!c->suspect) {
		c->suspect = true;
		return;
	}
	if (c->wait == CONN_WAIT_CLOSE || c->wait == CONN_WAIT_BLOCKED) {
		conn_close(c, "timeout");
		return;
	}
	refuse(c, SPOP_ST_TIMEOUT);
	conn_flush(c);
}

void conn_stop(struct conn *c, bool is_late)
{
	assert(c != NULL && c->magic == CONN_MAGIC);
	if (c->state == CONN_CLOSING || !conn_pass(c))
		return;
	if (c->state == CONN_CLOSING || (!c->has_asked && !is_late))
		return;
	say_goodbye(c, SPOP_ST_NONE);
	conn_flush(c);
}

void conn_begin(struct conn *c, int fd, struct ssl_st *tls)
{
	assert(c != NULL && c->app != NULL && fd != -1);
	c->magic = CONN_MAGIC;
	c->state = CONN_HELLO;
	c->max_frame = LIM_SPOP_FRAME;
	c->tls = tls;
	set_wait(c, CONN_WAIT_HELLO, CONN_HELLO_MS);
	ev_io_init(&c->rd, conn_read_cb, fd, EV_READ);
	ev_io_init(&c->wr, conn_write_cb, fd, EV_WRITE);
	c->rd.data = c;
	c->wr.data = c;
	ev_io_start(c->app->loop, &c->rd);
}
