/*
 * feed.c - one SOCK_SEQPACKET listener, LIM_FEED_CLIENTS agents.
 *
 * Nothing is queued here: a dirty bit for each cluster and agent says that the
 * agent has not had the latest snapshot, and the ECHO that it asked for goes
 * out once no bit is left. An agent that does not read is simply not written
 * to; what it reads later is the latest. Blocks on nothing.
 * Source: design, "Feed"; feed_msg.h.
 */
#include "feed.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "app.h"
#include "cluster.h"
#include "feed_gone.h"
#include "haproxy.h"
#include "reports.h"
#include "log.h"
#include "sock.h"

#define FEED_MAGIC 0x66656564u
#define CONN_MAGIC 0x66636f6eu
#define HELLO_DEADLINE_S 1.0
#define ACCEPT_PAUSE_S 0.1
#define MESSAGES_A_TURN 64
/* What the kernel may keep for one agent: a few large messages, or some dozens
   of small ones. What is older than that it need not have. */
#define QUEUE_BYTES (4 * LIM_FEED_MSG)

/* How one attempt to send ended. */
enum sent {
	SENT_NONE = 0,
	SENT_OK,
	SENT_FULL, /* the peer's queue is full: wait until it has read */
	SENT_DEAD
};

struct conn {
	unsigned magic;
	struct feed *feed;
	int fd; /* -1: an empty place */
	ev_io in, out;
	ev_timer hello;
	bool greeted, echo_due, has_stats;
	uint64_t boot_id, nonce;
	char program[LIM_NAME];
	struct mono since, heard_at;
	struct feed_stats stats;
	bool is_split;                  /* it counts by cluster, too */
	struct feed_observed *observed; /* by cluster; NULL: none yet */
	bool dirty[LIM_CLUSTERS];
	uint64_t seen[LIM_CLUSTERS];
	uint16_t order[LIM_CLUSTERS]; /* of first SNAPSHOTs, for ECHO */
	bool ordered[LIM_CLUSTERS];
	uint16_t order_n;
};

struct feed {
	unsigned magic;
	struct app *app;
	int fd;
	ev_io in;
	ev_timer pause; /* no descriptor, or no place, for one more */
	struct log_rate rate;
	struct feed_msg got, made; /* scratch: 8 KiB each */
	bool asking;               /* ask_ages() is on the stack */
	uint32_t age_ms[LIM_CLUSTERS];
	struct feed_gone gone;
	struct conn conn[LIM_FEED_CLIENTS];
};

/*
 * What an agent counted remains when its connection ends. One that has come
 * again meanwhile counts on by itself, since its own start.
 */
static void keep_observed(struct conn *c)
{
	struct feed *f = c->feed;

	for (unsigned i = 0; c->observed != NULL && i < LIM_FEED_CLIENTS; i++) {
		struct conn *same = &f->conn[i];

		if (same == c || same->fd == -1 || !same->greeted ||
		    same->boot_id != c->boot_id)
			continue;
		if (same->observed == NULL) {
			same->observed = c->observed;
		} else {
			feed_gone_raise(
			    same->observed, c->observed, f->app->cluster_n);
			free(c->observed);
		}
		c->observed = NULL;
	}
	feed_gone_keep(&f->gone, c->boot_id, c->observed);
	c->observed = NULL;
}

static void conn_close(struct conn *c, const char *why)
{
	struct ev_loop *loop = c->feed->app->loop;

	log_info("drop agent program=%s boot_id=%" PRIx64 " why=%s",
	    c->greeted ? c->program : "-", c->boot_id, why);
	ev_io_stop(loop, &c->in);
	ev_io_stop(loop, &c->out);
	ev_timer_stop(loop, &c->hello);
	sock_close(&c->fd);
	keep_observed(c);
	/* A place is free again. */
	if (!ev_is_active(&c->feed->pause))
		ev_io_start(loop, &c->feed->in);
	haproxy_seen(c->feed->app->haproxy);
}

static enum sent conn_send(struct conn *c, const struct feed_msg *m)
{
	unsigned char buf[LIM_FEED_MSG];
	size_t len = feed_encode(m, buf, sizeof(buf));

	assert(len > 0); /* every message we make fits */
	if (send(c->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT) != -1)
		return SENT_OK;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ||
	    errno == ENOMEM)
		return SENT_FULL;
	return SENT_DEAD;
}

static enum sent send_snapshot(struct conn *c, uint16_t cluster)
{
	struct feed_msg *m = &c->feed->made;

	m->kind = FEED_SNAPSHOT;
	m->u.snapshot = *cluster_snapshot(c->feed->app->cluster[cluster]);
	enum sent rc = conn_send(c, m);
	if (rc != SENT_OK)
		return rc;
	c->dirty[cluster] = false;
	if (!c->ordered[cluster]) {
		c->ordered[cluster] = true;
		c->order[c->order_n++] = cluster;
	}
	return SENT_OK;
}

/*
 * Who asks how old a verdict is has it judged anew, and that may make a new
 * snapshot: so all are asked before anything is sent, and what has become
 * dirty by it goes out before the echo. Others are told in the next turn of
 * the loop, for there is one `made`.
 */
static void ask_ages(struct feed *f)
{
	const struct app *app = f->app;
	struct mono now = mono_now();

	assert(!f->asking);
	f->asking = true;
	for (uint16_t i = 0; i < app->cluster_n; i++)
		f->age_ms[i] = cluster_age_ms(app->cluster[i], now);
	f->asking = false;
}

static enum sent send_echo(struct conn *c)
{
	struct feed_msg *m = &c->feed->made;

	m->kind = FEED_ECHO;
	m->u.echo.nonce = c->nonce;
	m->u.echo.n = c->order_n;
	for (uint16_t i = 0; i < c->order_n; i++)
		m->u.echo.age_ms[i] = c->feed->age_ms[c->order[i]];
	return conn_send(c, m);
}

/* The dirty snapshots, and behind them the echo that proves them fresh. */
static enum sent conn_flush(struct conn *c)
{
	const struct app *app = c->feed->app;

	if (c->echo_due)
		ask_ages(c->feed);
	for (uint16_t i = 0; i < app->cluster_n; i++) {
		enum sent rc = c->dirty[i] ? send_snapshot(c, i) : SENT_OK;

		if (rc != SENT_OK)
			return rc;
	}
	if (!c->echo_due)
		return SENT_OK;
	enum sent rc = send_echo(c);
	if (rc == SENT_OK)
		c->echo_due = false;
	return rc;
}

static void conn_write(struct conn *c)
{
	struct ev_loop *loop = c->feed->app->loop;

	if (!c->greeted)
		return;
	switch (conn_flush(c)) {
	case SENT_OK:
		ev_io_stop(loop, &c->out);
		return;
	case SENT_FULL:
		ev_io_start(loop, &c->out);
		return;
	case SENT_DEAD:
		conn_close(c, strerror(errno));
		return;
	case SENT_NONE:
		break;
	}
	abort();
}

static void out_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c = w->data;

	(void)loop;
	assert(c->magic == CONN_MAGIC);
	if ((revents & EV_ERROR) != 0)
		conn_close(c, "not-watched");
	else
		conn_write(c);
}

static void hello_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct conn *c = w->data;

	(void)loop, (void)revents;
	assert(c->magic == CONN_MAGIC);
	conn_close(c, "no-hello");
}

static int cluster_of(const struct app *app, const char *name)
{
	for (uint16_t i = 0; i < app->cluster_n; i++)
		if (strcmp(app->conf->cluster[i].name, name) == 0)
			return i;
	return -1;
}

static bool on_hello(struct conn *c, const struct feed_hello *h)
{
	const struct app *app = c->feed->app;

	if (c->greeted)
		return false;
	c->greeted = true;
	c->boot_id = h->boot_id;
	c->observed = feed_gone_back(&c->feed->gone, h->boot_id);
	memcpy(c->program, h->program, sizeof(c->program));
	ev_timer_stop(app->loop, &c->hello);
	for (uint16_t i = 0; i < app->cluster_n; i++)
		c->dirty[i] = true;
	log_info(
	    "ready agent program=%s boot_id=%" PRIx64, c->program, c->boot_id);
	conn_write(c);
	return true;
}

static bool on_seen(struct conn *c, const struct feed_seen *s)
{
	struct app *app = c->feed->app;
	int i = cluster_of(app, s->cluster);

	/* Another prober's numbers say nothing of our snapshots. */
	if (i == -1 || s->boot_id != app->boot_id)
		return true;
	if (s->seq > c->seen[i])
		c->seen[i] = s->seq;
	haproxy_seen(app->haproxy);
	reports_note(app->cluster[i], mono_now());
	return true;
}

static bool on_want(struct conn *c, const struct feed_want *w)
{
	const struct app *app = c->feed->app;
	int i = cluster_of(app, w->cluster);

	if (i != -1)
		cluster_want(app->cluster[i], mono_now());
	return true;
}

/* Without memory for them the counts by cluster stay as they were. */
static void take_counts(struct conn *c, const struct feed_counts *n)
{
	const struct app *app = c->feed->app;

	c->stats = n->all;
	c->has_stats = true;
	c->is_split = n->is_split;
	bool is_all = !n->is_split && app->cluster_n == 1;
	if (c->observed == NULL && (n->n > 0 || is_all))
		c->observed = calloc(app->cluster_n, sizeof(*c->observed));
	if (c->observed != NULL && is_all) {
		memcpy(c->observed->same, n->all.observed_same,
		    sizeof(c->observed->same));
		memcpy(c->observed->differs, n->all.observed_differs,
		    sizeof(c->observed->differs));
	}
	for (unsigned k = 0; c->observed != NULL && k < n->n; k++) {
		int i = cluster_of(app, n->of[k].cluster);

		if (i != -1)
			c->observed[i] = n->of[k].observed;
	}
}

/* Gives: false where the peer broke the order of the feed. */
static bool on_message(struct conn *c, const struct feed_msg *m)
{
	if (!c->greeted && m->kind != FEED_HELLO)
		return false;
	switch (m->kind) {
	case FEED_HELLO:
		return on_hello(c, &m->u.hello);
	case FEED_SEEN:
		return on_seen(c, &m->u.seen);
	case FEED_PING:
		c->heard_at = mono_now();
		c->echo_due = true;
		c->nonce = m->u.ping.nonce;
		conn_write(c);
		return true;
	case FEED_WANT:
		return on_want(c, &m->u.want);
	case FEED_STATS:
		take_counts(c, &m->u.counts);
		return true;
	case FEED_NONE:
	case FEED_SNAPSHOT:
	case FEED_ECHO:
	case FEED_KIND_N:
		return false;
	}
	abort();
}

/* Gives: false once there is nothing more to read, or no connection. */
static bool conn_read(struct conn *c)
{
	unsigned char buf[LIM_FEED_MSG + 1];
	struct feed_msg *m = &c->feed->got;
	ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		conn_close(c, n == 0 ? "gone" : strerror(errno));
		return false;
	}
	switch (feed_decode(slice_of(buf, (size_t)n), m)) {
	case FEED_OK:
		if (!on_message(c, m) && c->fd != -1)
			conn_close(c, "out-of-order");
		return c->fd != -1;
	case FEED_BAD:
		conn_close(c, "bad-message");
		return false;
	case FEED_OTHER_VERSION:
		conn_close(c, "other-version");
		return false;
	}
	abort();
}

static void in_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c = w->data;

	(void)loop;
	assert(c->magic == CONN_MAGIC);
	if ((revents & EV_ERROR) != 0) { /* libev has stopped watching it */
		conn_close(c, "not-watched");
		return;
	}
	for (int i = 0; i < MESSAGES_A_TURN && conn_read(c); i++)
		continue;
}

static void conn_open(struct feed *f, struct conn *c, int fd)
{
	struct feed_msg *m = &f->made;
	int queue = QUEUE_BYTES;

	memset(c, 0, sizeof(*c));
	c->magic = CONN_MAGIC;
	c->feed = f;
	c->fd = fd;
	c->since = mono_now();
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &queue, sizeof(queue)) == -1)
		log_warn("drop agent option=SO_SNDBUF");
	ev_io_init(&c->in, in_cb, fd, EV_READ);
	ev_io_init(&c->out, out_cb, fd, EV_WRITE);
	ev_timer_init(&c->hello, hello_cb, HELLO_DEADLINE_S, 0.);
	c->in.data = c->out.data = c->hello.data = c;
	ev_io_start(f->app->loop, &c->in);
	ev_timer_start(f->app->loop, &c->hello);
	m->kind = FEED_HELLO;
	m->u.hello = (struct feed_hello){.boot_id = f->app->boot_id};
	(void)slice_copy(slice_str("patroute-prober"), m->u.hello.program,
	    sizeof(m->u.hello.program));
	if (conn_send(c, m) != SENT_OK)
		conn_close(c, "hello");
}

static struct conn *free_place(struct feed *f)
{
	for (unsigned i = 0; i < LIM_FEED_CLIENTS; i++)
		if (f->conn[i].fd == -1)
			return &f->conn[i];
	return NULL;
}

static void feed_pause(struct feed *f, const char *why)
{
	uint32_t suppressed = 0;

	ev_io_stop(f->app->loop, &f->in);
	if (log_rate_ok(&f->rate, 1, dur_ms(10000), mono_now(), &suppressed))
		log_warnx("reject agent why=%s suppressed=%u", why, suppressed);
}

static void accept_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct feed *f = w->data;
	struct conn *c;

	assert(f->magic == FEED_MAGIC);
	if ((revents & EV_ERROR) != 0) { /* libev has stopped watching it */
		feed_pause(f, "not-watched");
		ev_timer_again(loop, &f->pause);
		return;
	}
	c = free_place(f);
	if (c == NULL) {
		/* conn_close() starts it again. */
		feed_pause(f, "too-many-agents");
		return;
	}
	int fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd != -1) {
		conn_open(f, c, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
	    errno == ENOBUFS) {
		feed_pause(f, "local-exhaustion");
		ev_timer_again(loop, &f->pause);
	}
}

static void pause_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct feed *f = w->data;

	(void)revents;
	assert(f->magic == FEED_MAGIC);
	ev_timer_stop(loop, w);
	ev_io_start(loop, &f->in);
}

struct feed *feed_new(struct app *app, int fd)
{
	struct feed *f = calloc(1, sizeof(*f));

	assert(app != NULL && fd != -1);
	if (f == NULL) {
		sock_close(&fd);
		return NULL;
	}
	f->magic = FEED_MAGIC;
	f->app = app;
	f->fd = fd;
	feed_gone_init(&f->gone, app->cluster_n);
	for (unsigned i = 0; i < LIM_FEED_CLIENTS; i++)
		f->conn[i].fd = -1;
	ev_io_init(&f->in, accept_cb, fd, EV_READ);
	ev_timer_init(&f->pause, pause_cb, 0., ACCEPT_PAUSE_S);
	f->in.data = f->pause.data = f;
	ev_io_start(app->loop, &f->in);
	return f;
}

void feed_free(struct feed *f)
{
	if (f == NULL)
		return;
	assert(f->magic == FEED_MAGIC);
	for (unsigned i = 0; i < LIM_FEED_CLIENTS; i++)
		if (f->conn[i].fd != -1)
			conn_close(&f->conn[i], "stop");
	ev_io_stop(f->app->loop, &f->in);
	ev_timer_stop(f->app->loop, &f->pause);
	sock_close(&f->fd);
	feed_gone_end(&f->gone);
	f->magic = 0;
	free(f);
}

void feed_cluster_changed(struct feed *f, uint16_t cluster)
{
	if (f == NULL) /* the first verdict may come before the feed */
		return;
	assert(f->magic == FEED_MAGIC && cluster < f->app->cluster_n);
	for (unsigned i = 0; i < LIM_FEED_CLIENTS; i++) {
		struct conn *c = &f->conn[i];

		if (c->fd == -1)
			continue;
		c->dirty[cluster] = true;
		if (f->asking)
			ev_io_start(f->app->loop, &c->out);
		else
			conn_write(c);
	}
}

bool is_feed_seen(const struct feed *f, uint16_t cluster, uint64_t seq)
{
	assert(f != NULL && cluster < LIM_CLUSTERS);
	for (unsigned i = 0; i < LIM_FEED_CLIENTS; i++)
		if (f->conn[i].fd != -1 && f->conn[i].greeted &&
		    f->conn[i].seen[cluster] < seq)
			return false;
	return true;
}

void feed_agent_at(const struct feed *f, unsigned i, struct feed_agent *out)
{
	assert(f != NULL && i < LIM_FEED_CLIENTS);
	const struct conn *c = &f->conn[i];
	memset(out, 0, sizeof(*out));
	if (c->fd == -1 || !c->greeted)
		return;
	out->here = true;
	out->has_stats = c->has_stats;
	out->boot_id = c->boot_id;
	memcpy(out->program, c->program, sizeof(out->program));
	out->since = c->since;
	out->heard_at = c->heard_at;
	out->stats = c->stats;
}

bool feed_observed(
    const struct feed *f, uint16_t cluster, struct feed_observed *out)
{
	assert(out != NULL);
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; f != NULL && i < LIM_FEED_CLIENTS; i++) {
		const struct conn *c = &f->conn[i];

		if (c->fd != -1 && c->has_stats && !c->is_split &&
		    f->app->cluster_n > 1)
			return false;
	}
	if (f == NULL)
		return true;
	feed_gone_sum(&f->gone, cluster, out);
	for (unsigned i = 0; i < LIM_FEED_CLIENTS; i++)
		if (f->conn[i].fd != -1 && f->conn[i].observed != NULL)
			feed_gone_add(out, &f->conn[i].observed[cluster]);
	return true;
}

uint64_t feed_agent_seen(const struct feed *f, unsigned i, uint16_t cluster)
{
	assert(f != NULL && i < LIM_FEED_CLIENTS && cluster < LIM_CLUSTERS);
	return f->conn[i].fd == -1 ? 0 : f->conn[i].seen[cluster];
}
