/*
 * desk.c - the agent's own PostgreSQL-speaking socket; see desk.h.
 *
 * Called by the loop only. Every answer is one send of less than a kilobyte to
 * a unix socket; who does not take it is dropped.
 * Source: PostgreSQL manual, "Start-up" and "SSL Session Encryption".
 */
#include "desk.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app.h"
#include "refusal.h"

#define DESK_MAGIC 0xde5cde5cU

/* PostgreSQL manual, "Message Formats" */
#define PG_CANCEL 80877102U
#define PG_SSL 80877103U
#define PG_GSSENC 80877104U

/* What a step of the conversation came to. */
enum step {
	STEP_MORE, /* bytes are missing */
	STEP_NEXT, /* look again */
	STEP_GONE  /* nothing more is to be read, or the connection is gone */
};

static struct desk_conn *desk_conn_of(void *data)
{
	struct desk_conn *dc = data;

	assert(dc != NULL && dc->magic == DESK_MAGIC);
	return dc;
}

static uint32_t get_be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static void leave(struct desk_conn *dc)
{
	struct desk *desk = &dc->app->desk;
	struct ev_loop *loop = dc->app->loop;

	ev_io_stop(loop, &dc->io);
	ev_timer_stop(loop, &dc->deadline);
	(void)close(dc->io.fd);
	dc->magic = 0;
	dc->state = DESK_FREE;
	dc->gen++;
	dc->next_free = desk->free;
	desk->free = (uint16_t)(dc->index + 1);
	assert(desk->n > 0);
	desk->n--;
	listeners_resume(&dc->app->listeners);
}

/* Input that is thrown away before the end would become a reset. */
static void linger(struct desk_conn *dc)
{
	struct ev_loop *loop = dc->app->loop;

	(void)shutdown(dc->io.fd, SHUT_WR);
	dc->state = DESK_CLOSING;
	dc->in_n = 0;
	ev_timer_stop(loop, &dc->deadline);
	ev_timer_set(&dc->deadline, dur_to_s(dur_ms(DESK_LINGER_MS)), 0.0);
	ev_timer_start(loop, &dc->deadline);
}

/* Gives: false if the connection is gone. */
static bool say(struct desk_conn *dc, const unsigned char *p, size_t n)
{
	if (send(dc->io.fd, p, n, MSG_NOSIGNAL) == (ssize_t)n)
		return true;
	leave(dc);
	return false;
}

static enum step say_last(
    struct desk_conn *dc, const unsigned char *p, size_t n)
{
	if (say(dc, p, n))
		linger(dc);
	return STEP_GONE;
}

static void drop(struct desk_conn *dc, size_t n)
{
	assert(n <= dc->in_n);
	dc->in_n -= n;
	memmove(dc->in, dc->in + n, dc->in_n);
}

/* What the client asked for, as far as its first bytes say. */
static bool read_intent(struct desk_conn *dc, struct intent *it)
{
	const struct conf *conf = dc->app->conf;
	struct notify n = {.first = slice_of(dc->in, dc->in_n)};
	int listen = conf_listen_by_port(conf, dc->port);

	if (listen < 0)
		return false;
	n.listen = slice_str(conf->listen[listen].name);
	return decide_intent(&dc->app->decide, &n, it) != DECIDE_UNKNOWN;
}

/* How long the cluster has been without what was asked for. */
static int64_t since_s(
    const struct decider *d, const struct decide_cluster *c, uint8_t want)
{
	struct mono since =
	    want == INTENT_PRIMARY ? c->write_since : c->empty_since;

	if (!is_mono_set(since))
		return -1;
	return mono_sub(d->now, since).us / 1000000;
}

static void explain(
    struct desk_conn *dc, struct intent *it, struct refusal *out)
{
	struct decider *d = &dc->app->decide;
	const struct decide_cluster *c = &d->cluster[decide_slot(d, it)];
	struct ruling r;

	/* Not what the connection is, but what one like it would get, once it
	   has waited for its LSN. */
	it->flags &= (uint8_t) ~(INTENT_F_CANCEL | INTENT_F_HTTP);
	it->flags |= INTENT_F_WAITED;
	r = decide_explain(d, it);
	out->cluster = c->name;
	out->snap = r.snap;
	out->d = r.d;
	out->want = it->want;
	out->since_s = since_s(d, c, it->want);
	out->held_s = dur_to_ms(decide_hold(d, it, &r)) / 1000;
}

static enum step refuse(struct desk_conn *dc)
{
	unsigned char buf[REFUSAL_MAX];
	struct refusal r = {0};
	struct intent it;

	if (read_intent(dc, &it))
		explain(dc, &it, &r);
	return say_last(dc, buf, refusal_error(&r, buf));
}

static enum step alert(struct desk_conn *dc)
{
	unsigned char buf[REFUSAL_MAX];

	return say_last(dc, buf, refusal_alert(buf));
}

/* The paths that the classic configuration's users know. */
static uint8_t want_of_path(struct slice path, uint8_t other)
{
	if (is_slice_eq(path, "/read_primary"))
		return INTENT_PRIMARY;
	if (is_slice_eq(path, "/read_replica"))
		return INTENT_REPLICA;
	if (is_slice_eq(path, "/health") || is_slice_eq(path, "/"))
		return other;
	return INTENT_NONE;
}

static enum step answer_http(struct desk_conn *dc)
{
	static const size_t get = 4; /* "GET " */
	unsigned char buf[REFUSAL_MAX];
	struct refusal r = {0};
	struct intent it;
	size_t end = get;

	while (end < dc->in_n && dc->in[end] != ' ' && dc->in[end] != '\r' &&
	    dc->in[end] != '\n')
		end++;
	if (end == dc->in_n)
		return end < DESK_IN
		    ? STEP_MORE
		    : say_last(dc, buf, refusal_http_unknown(buf));
	if (read_intent(dc, &it)) {
		it.want =
		    want_of_path(slice_of(dc->in + get, end - get), it.want);
		if (it.want == INTENT_NONE)
			return say_last(dc, buf, refusal_http_unknown(buf));
		explain(dc, &it, &r);
	}
	return say_last(dc, buf, refusal_http(&r, buf));
}

static enum step pass_cancel(struct desk_conn *dc, size_t len)
{
	const struct snapshot *snap = NULL;
	struct decider *d = &dc->app->decide;
	struct intent it;
	uint32_t tag = (uint32_t)dc->gen << 16 | dc->index;

	/* Of any other length it is none, and the members need not see it. */
	if (len < CANCEL_PACKET_MIN || len > CANCEL_PACKET_MAX) {
		leave(dc);
		return STEP_GONE;
	}
	if (dc->in_n < len)
		return STEP_MORE;
	if (read_intent(dc, &it))
		snap = decide_fresh(d, decide_slot(d, &it));
	if (snap == NULL ||
	    !cancel_start(
		&dc->app->desk.cancels, snap, slice_of(dc->in, len), tag)) {
		log_debug(
		    "drop cancel why=%s", snap == NULL ? "not-fresh" : "room");
		leave(dc);
		return STEP_GONE;
	}
	dc->state = DESK_CANCEL;
	dc->in_n = 0;
	return STEP_GONE;
}

/* The client is told when its request has reached them all: by the close. */
static void cancelled_cb(void *arg, uint32_t tag)
{
	struct desk *desk = arg;
	uint16_t index = (uint16_t)(tag & 0xFFFF);
	struct desk_conn *dc = &desk->conn[index];

	assert(index < desk->max);
	if (dc->state == DESK_CANCEL && dc->gen == tag >> 16)
		leave(dc);
}

/* One byte, and the client goes on in cleartext or gives up. */
static enum step refuse_encryption(struct desk_conn *dc, size_t len)
{
	if (len != 8 || ++dc->refusals > DESK_ENCRYPTION_MAX)
		return refuse(dc);
	drop(dc, len);
	return say(dc, (const unsigned char *)"N", 1) ? STEP_NEXT : STEP_GONE;
}

static enum step take_packet(struct desk_conn *dc)
{
	size_t len = get_be32(dc->in);
	uint32_t code = get_be32(dc->in + 4);

	if (code == PG_SSL || code == PG_GSSENC)
		return refuse_encryption(dc, len);
	if (code == PG_CANCEL)
		return pass_cancel(dc, len);
	/* What does not come whole within the buffer is answered as it is. */
	if (len > dc->in_n && len <= LIM_STARTUP)
		return STEP_MORE;
	return refuse(dc);
}

static enum step take_first(struct desk_conn *dc)
{
	/* A TLS handshake record, RFC 8446 5.1. */
	if (dc->in_n >= 2 && dc->in[0] == 0x16 && dc->in[1] == 3)
		return alert(dc);
	if (dc->in_n >= 4 && memcmp(dc->in, "GET ", 4) == 0)
		return answer_http(dc);
	if (dc->in_n < 8)
		return STEP_MORE;
	return take_packet(dc);
}

static enum step take_proxy(struct desk_conn *dc)
{
	struct proxy2 p;

	switch (proxy2_get(slice_of(dc->in, dc->in_n), &p)) {
	case PROXY2_MORE:
		return STEP_MORE;
	case PROXY2_BAD:
		leave(dc);
		return STEP_GONE;
	case PROXY2_OK:
		break;
	}
	drop(dc, p.size);
	dc->port = p.dst_port;
	dc->state = DESK_FIRST;
	return STEP_NEXT;
}

static enum step take(struct desk_conn *dc)
{
	switch (dc->state) {
	case DESK_PROXY:
		return take_proxy(dc);
	case DESK_FIRST:
		return take_first(dc);
	case DESK_CANCEL:
	case DESK_CLOSING:
		dc->in_n = 0;
		return STEP_MORE;
	case DESK_FREE:
		break;
	}
	assert(dc->state != DESK_FREE);
	return STEP_GONE;
}

static void desk_read_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct desk_conn *dc = desk_conn_of(w->data);
	size_t room = DESK_IN - dc->in_n;
	enum step step = STEP_NEXT;
	ssize_t n;

	(void)loop;
	(void)revents;
	assert(room > 0);
	n = recv(w->fd, dc->in + dc->in_n, room, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		leave(dc);
		return;
	}
	dc->in_n += (size_t)n;
	decide_pass(&dc->app->decide, mono_now());
	while (step == STEP_NEXT)
		step = take(dc);
	if (step == STEP_MORE && dc->in_n == DESK_IN)
		leave(dc);
}

static void desk_deadline_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	leave(desk_conn_of(w->data));
}

static bool desk_has_room(void *arg)
{
	const struct desk *desk = arg;

	return desk->free != 0;
}

static void desk_open(void *arg, int fd)
{
	struct desk *desk = arg;
	struct desk_conn *dc;

	assert(fd != -1 && desk->free != 0);
	dc = &desk->conn[desk->free - 1];
	desk->free = dc->next_free;
	desk->n++;
	dc->magic = DESK_MAGIC;
	dc->app = desk->app;
	dc->state = DESK_PROXY;
	dc->port = 0;
	dc->refusals = 0;
	dc->in_n = 0;
	ev_io_init(&dc->io, desk_read_cb, fd, EV_READ);
	ev_timer_init(
	    &dc->deadline, desk_deadline_cb, dur_to_s(dur_ms(DESK_MS)), 0.0);
	dc->io.data = dc->deadline.data = dc;
	ev_io_start(desk->app->loop, &dc->io);
	ev_timer_start(desk->app->loop, &dc->deadline);
}

struct listen_host desk_host(struct desk *desk)
{
	return (struct listen_host){desk_has_room, desk_open, desk};
}

void desk_init(
    struct desk *desk, struct app *app, uint32_t max, uint32_t cancels)
{
	assert(desk != NULL && app != NULL);
	assert(max >= 1 && max <= DESK_CONNS_MAX);
	desk->app = app;
	desk->max = max;
	desk->n = 0;
	desk->free = 0;
	for (uint32_t i = max; i > 0; i--) {
		desk->conn[i - 1].index = (uint16_t)(i - 1);
		desk->conn[i - 1].next_free = desk->free;
		desk->free = (uint16_t)i;
	}
	cancels_init(&desk->cancels, app->loop, cancels);
	desk->cancels.done_cb = cancelled_cb;
	desk->cancels.arg = desk;
}

void desk_free(struct desk *desk)
{
	assert(desk != NULL);
	if (desk->app == NULL)
		return;
	cancels_free(&desk->cancels);
	for (uint32_t i = 0; i < desk->max; i++) {
		if (desk->conn[i].state != DESK_FREE)
			leave(&desk->conn[i]);
	}
}
