/*
 * etcd.c - range once, then watch, at each endpoint by itself.
 *
 * HTTP/1.0 on purpose: the gateway then streams plain lines, without chunks.
 * With three endpoints watched at once a frozen or cut etcd member delays
 * nothing; an event is written when its revision is seen for the first time.
 * The header hasleader makes a watch end where etcd has lost its quorum
 * (without it the stream is silent).
 */
#include "etcd.h"

#include "clock.h"
#include "etcd_json.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_MAX 262144
#define RETRY_S 0.2
#define ANSWER_S 2.0 /* for connecting, and for the range */

enum phase {
	PH_OFF = 0,
	PH_CONNECT,
	PH_RANGE,
	PH_WATCH
};

struct endpoint {
	struct etcd *all;
	struct sockaddr_in addr;
	enum phase phase;
	bool watch_next; /* the range is done: the next request is a watch */
	bool up;         /* as last written */
	bool headers;    /* the HTTP headers of this answer are behind us */
	int64_t from;    /* revision to watch from */
	ev_io io;
	ev_timer timer; /* retry, or the answer's deadline */
	size_t len;
	char in[IN_MAX];
};

struct etcd {
	struct meter *m;
	char prefix[ETCD_KEY];
	uint64_t cluster_id;
	int64_t seen; /* highest revision written */
	unsigned n;
	struct endpoint *ep[METER_ETCD];
	struct etcd_answer answer;
};

static void connect_endpoint(struct endpoint *p);

struct etcd *etcd_new(struct meter *m)
{
	struct etcd *e = calloc(1, sizeof(*e));

	assert(m != NULL);
	if (e != NULL)
		e->m = m;
	return e;
}

void etcd_free(struct etcd *e)
{
	if (e == NULL)
		return;
	for (unsigned i = 0; i < e->n; i++) {
		assert(e->ep[i]->phase == PH_OFF);
		free(e->ep[i]);
	}
	free(e);
}

static void write_stream(struct endpoint *p, bool up, const char *why)
{
	struct hist *h = p->all->m->hist;
	char text[INET_ADDRSTRLEN] = "";

	if (p->up == up)
		return;
	p->up = up;
	(void)inet_ntop(AF_INET, &p->addr.sin_addr, text, sizeof(text));
	hist_begin(h, clock_now_ns(), "watch");
	hist_str(h, "etcd", text);
	hist_bool(h, "up", up);
	hist_str(h, "why", why);
	hist_end(h);
}

static void drop(struct endpoint *p)
{
	if (p->phase != PH_OFF) {
		ev_io_stop(p->all->m->loop, &p->io);
		(void)close(p->io.fd);
	}
	p->phase = PH_OFF;
	p->len = 0;
	p->headers = false;
}

static void set_timer(struct endpoint *p, double s)
{
	ev_timer_stop(p->all->m->loop, &p->timer);
	if (s <= 0.0)
		return;
	ev_timer_set(&p->timer, s, 0.0);
	ev_timer_start(p->all->m->loop, &p->timer);
}

/* Starts again from a range: what was missed is found by its revisions. */
static void retry(struct endpoint *p, const char *why)
{
	write_stream(p, false, why);
	drop(p);
	p->watch_next = false;
	set_timer(p, RETRY_S);
}

/*
 * Keys that tell of leadership. Members' keys and the status change all the
 * time and are seen by the polls anyway.
 */
static bool is_told(
    const struct etcd *e, const struct etcd_event *ev, const char **name)
{
	static const char *const told[] = {"leader", "failover", "history",
	    "sync", "config", "initialize", "failsafe"};

	*name = ev->key + strlen(e->prefix);
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (strcmp(*name, told[i]) == 0)
			return true;
	return false;
}

static void write_events(struct etcd *e, bool initial)
{
	const struct etcd_answer *a = &e->answer;
	int64_t now_ns = clock_now_ns();
	int64_t seen = e->seen;
	struct hist *h = e->m->hist;

	for (size_t i = 0; i < a->n; i++) {
		const struct etcd_event *ev = &a->ev[i];
		const char *name;

		if (ev->revision <= e->seen)
			continue;
		if (ev->revision > seen)
			seen = ev->revision;
		if (!is_told(e, ev, &name))
			continue;
		hist_begin(h, now_ns, "etcd");
		hist_str(h, "key", name);
		if (ev->deleted)
			hist_bool(h, "deleted", true);
		else
			hist_str(h, "value", ev->value);
		hist_int(h, "rev", ev->revision);
		if (initial)
			hist_bool(h, "initial", true);
		hist_end(h);
	}
	e->seen = seen;
}

/* A leader key that is not there is news too: from here on it is known. */
static void write_no_leader(struct etcd *e)
{
	for (size_t i = 0; i < e->answer.n; i++)
		if (strcmp(e->answer.ev[i].key + strlen(e->prefix), "leader") ==
		    0)
			return;
	hist_begin(e->m->hist, clock_now_ns(), "etcd");
	hist_str(e->m->hist, "key", "leader");
	hist_bool(e->m->hist, "deleted", true);
	hist_int(e->m->hist, "rev", e->answer.revision);
	hist_bool(e->m->hist, "initial", true);
	hist_end(e->m->hist);
}

/*
 * The first range, and the first of another or wiped etcd, or behind a
 * compaction, tells where things stand. Any later one is asked only to know
 * that it is the same etcd: it would not show what was deleted meanwhile, so
 * the watch goes on where this meter has seen everything.
 */
static void on_range(struct endpoint *p)
{
	struct etcd *e = p->all;
	const char *body = strstr(p->in, "\r\n\r\n");
	size_t off;

	if (body == NULL || strncmp(p->in, "HTTP/1.0 200", 12) != 0) {
		retry(p, "range refused");
		return;
	}
	off = (size_t)(body + 4 - p->in);
	if (!etcd_range_parse(p->in + off, p->len - off, &e->answer)) {
		retry(p, "range unreadable");
		return;
	}
	if (e->cluster_id != e->answer.cluster_id) {
		e->cluster_id = e->answer.cluster_id;
		e->seen = 0;
		write_events(e, true);
		write_no_leader(e);
		e->seen = e->answer.revision;
	}
	p->from = e->seen + 1;
	p->watch_next = true;
	drop(p);
	connect_endpoint(p);
}

static void on_line(struct endpoint *p, const char *line, size_t len)
{
	struct etcd *e = p->all;

	if (len == 0)
		return;
	if (!etcd_watch_parse(line, len, &e->answer)) {
		retry(p, "watch unreadable");
		return;
	}
	if (e->answer.canceled) {
		if (e->answer.compacted)
			e->cluster_id = 0;
		retry(p, e->answer.error);
		return;
	}
	write_stream(p, true, "created");
	set_timer(p, 0.0);
	write_events(e, false);
}

static void skip_headers(struct endpoint *p)
{
	char *end = strstr(p->in, "\r\n\r\n");
	size_t used;

	if (end == NULL)
		return;
	used = (size_t)(end + 4 - p->in);
	if (strncmp(p->in, "HTTP/1.0 200", 12) != 0) {
		retry(p, "watch refused");
		return;
	}
	p->headers = true;
	p->len -= used;
	memmove(p->in, p->in + used, p->len);
	p->in[p->len] = '\0';
}

static void walk_lines(struct endpoint *p)
{
	if (!p->headers)
		skip_headers(p);
	while (p->phase == PH_WATCH && p->headers) {
		char *nl = memchr(p->in, '\n', p->len);
		size_t used;

		if (nl == NULL)
			return;
		used = (size_t)(nl - p->in) + 1;
		on_line(p, p->in, used - 1);
		if (p->phase != PH_WATCH)
			return;
		p->len -= used;
		memmove(p->in, p->in + used, p->len);
		p->in[p->len] = '\0';
	}
}

static bool send_request(struct endpoint *p)
{
	char body[ETCD_KEY * 6], text[ETCD_KEY * 6 + 256];
	const char *path = p->watch_next ? "/v3/watch" : "/v3/kv/range";
	bool fits = p->watch_next
	    ? etcd_watch_request(p->all->prefix, p->from, body, sizeof(body))
	    : etcd_range_request(p->all->prefix, body, sizeof(body));
	int n;

	if (!fits)
		return false;
	n = snprintf(text, sizeof(text),
	    "POST %s HTTP/1.0\r\nContent-Type: application/json\r\n"
	    "Grpc-Metadata-hasleader: true\r\nContent-Length: %zu\r\n\r\n%s",
	    path, strlen(body), body);
	if (n < 0 || (size_t)n >= sizeof(text))
		return false;
	p->phase = p->watch_next ? PH_WATCH : PH_RANGE;
	return send(p->io.fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

static void on_connected(struct endpoint *p)
{
	int e = 0;
	socklen_t len = sizeof(e);

	if (getsockopt(p->io.fd, SOL_SOCKET, SO_ERROR, &e, &len) == -1)
		e = errno;
	if (e != 0 || !send_request(p)) {
		retry(p, e != 0 ? strerror(e) : "request not sent");
		return;
	}
	ev_io_stop(p->all->m->loop, &p->io);
	ev_io_set(&p->io, p->io.fd, EV_READ);
	ev_io_start(p->all->m->loop, &p->io);
}

static void on_data(struct endpoint *p)
{
	ssize_t n =
	    recv(p->io.fd, p->in + p->len, IN_MAX - 1 - p->len, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 0 && p->phase == PH_RANGE) {
		on_range(p);
		return;
	}
	if (n <= 0) {
		retry(
		    p, n == 0 ? "closed, or a line too long" : strerror(errno));
		return;
	}
	p->len += (size_t)n;
	p->in[p->len] = '\0';
	if (p->phase == PH_WATCH)
		walk_lines(p);
}

static void io_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct endpoint *p = w->data;

	(void)loop;
	(void)revents;
	if (p->phase == PH_CONNECT)
		on_connected(p);
	else
		on_data(p);
}

static void timer_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct endpoint *p = w->data;

	(void)loop;
	(void)revents;
	if (p->phase == PH_OFF)
		connect_endpoint(p);
	else
		retry(p, "no answer");
}

static void connect_endpoint(struct endpoint *p)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1) {
		retry(p, strerror(errno));
		return;
	}
	if (connect(fd, (const struct sockaddr *)&p->addr, sizeof(p->addr)) ==
		-1 &&
	    errno != EINPROGRESS) {
		int e = errno;

		(void)close(fd);
		retry(p, strerror(e));
		return;
	}
	p->phase = PH_CONNECT;
	ev_io_init(&p->io, io_cb, fd, EV_WRITE);
	p->io.data = p;
	ev_set_priority(&p->io, 2); /* before everything that is judged by it */
	ev_io_start(p->all->m->loop, &p->io);
	set_timer(p, ANSWER_S);
}

bool etcd_add(
    struct etcd *e, const char *prefix, const struct sockaddr_in *addr)
{
	struct endpoint *p;

	assert(e != NULL && prefix != NULL && addr != NULL);
	if (e->n == METER_ETCD || prefix[0] != '/' ||
	    strlen(prefix) >= sizeof(e->prefix) ||
	    (e->n > 0 && strcmp(e->prefix, prefix) != 0))
		return false;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return false;
	(void)snprintf(e->prefix, sizeof(e->prefix), "%s", prefix);
	p->all = e;
	p->addr = *addr;
	ev_timer_init(&p->timer, timer_cb, 0.0, 0.0);
	p->timer.data = p;
	e->ep[e->n++] = p;
	return true;
}

void etcd_start(struct etcd *e)
{
	for (unsigned i = 0; i < e->n; i++)
		connect_endpoint(e->ep[i]);
}

void etcd_stop(struct etcd *e)
{
	for (unsigned i = 0; i < e->n; i++) {
		drop(e->ep[i]);
		set_timer(e->ep[i], 0.0);
	}
}
