/*
 * http_client.c - see http_client.h. Called by etcd.c and patroni.c.
 *
 * Owns the multi handle, its sockets' watchers and every request under way.
 * Nothing here blocks: addresses are numeric, so curl's resolver threads are
 * never started. curl must not be called from inside its own callbacks, while
 * a piece of a stream may well make our caller ask or cancel: both are put
 * off until curl has returned.
 * Source: curl's docs/examples/evhiperfifo.c, with fractions of seconds.
 */
#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gap.h"
#include "http_client.h"
#include "http_error.h"
#include "http_kept.h"
#include "http_setup.h"
#include "http_trust.h"
#include "lim.h"

#define CLIENT_MAGIC 0x48747443u
#define REQ_MAGIC 0x48747452u
#define IO_PRIORITY 1 /* data that arrived is read before a deadline ends it */
#define STREAM_PRIORITY 2 /* a key that moves, before any answer of the turn */
#define BEGIN_PER_TURN 8  /* each costs 0.1 ms */
#define ACTS_PER_TURN 16  /* each costs 0.5 ms at most, with TLS */
#define TURNS_MORE 128 /* at most, after a deadline: 1 s of what may be read */

struct http_req {
	unsigned magic;
	struct http_client *client;
	struct http_req *next, **prev;
	CURL *easy;
	struct http_kept *kept; /* where it goes back to, or NULL */
	struct http_lists lists;
	ev_timer deadline;
	unsigned turns;     /* since the deadline passed; data goes first */
	bool started, dead; /* dead: cancelled from inside of curl */
	bool local, too_large;
	struct mono asked;
	char *body;
	size_t body_len, body_room;
	const char *keep[HTTP_KEPT];
	bool (*piece)(void *arg, struct slice bytes);
	void (*done)(void *arg, const struct http_answer *answer);
	void *arg;
};

struct http_client {
	unsigned magic;
	struct ev_loop *loop;
	CURLM *multi;
	ev_timer timer;
	struct gap gap;
	ev_check turn;  /* a new turn of the loop: new budgets */
	ev_timer begin; /* 0 s, while a request waits for its turn */
	unsigned begun, acted;
	struct http_trust *trust;
	bool inside; /* curl is on the stack */
	struct http_req *req;
};

/* One of curl's sockets. */
struct sock {
	struct http_client *client;
	bool is_stream; /* it has no budget: what it says is urgent */
	ev_io io;
};

static struct http_client *client_of(void *p)
{
	struct http_client *c = p;

	assert(c != NULL && c->magic == CLIENT_MAGIC);
	return c;
}

static struct http_req *req_of(void *p)
{
	struct http_req *r = p;

	assert(r != NULL && r->magic == REQ_MAGIC);
	return r;
}

static void free_req(struct http_req *r)
{
	ev_timer_stop(r->client->loop, &r->deadline);
	if (r->started)
		curl_multi_remove_handle(r->client->multi, r->easy);
	http_kept_give(r->kept, r->easy);
	curl_slist_free_all(r->lists.headers);
	curl_slist_free_all(r->lists.connect_to);
	free(r->body);
	if (r->prev != NULL)
		*r->prev = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	r->magic = 0;
	free(r);
}

static void keep_headers(const struct http_req *r, struct http_answer *a)
{
	struct curl_header *h;
	size_t i;

	for (i = 0; i < HTTP_KEPT; i++) {
		if (r->keep[i] != NULL &&
		    curl_easy_header(r->easy, r->keep[i], 0, CURLH_HEADER, -1,
			&h) == CURLHE_OK)
			(void)slice_copy(slice_str(h->value), a->kept[i],
			    sizeof(a->kept[i]));
	}
}

/* The request is gone before its owner hears of it, so it may ask again. */
static void finish(struct http_req *r, enum ev_rc rc)
{
	struct http_answer a = {.rc = rc, .asked = r->asked, .at = mono_now()};
	void (*done)(void *, const struct http_answer *) = r->done;
	void *arg = r->arg;
	char *body = r->body;

	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &a.status);
	if (is_gap_since(&r->client->gap, r->asked))
		a.rc = EV_RC_LOCAL;
	keep_headers(r, &a);
	a.body = slice_of(body, r->body_len);
	r->body = NULL;
	free_req(r);
	done(arg, &a);
	free(body);
}

static enum ev_rc rc_of(const struct http_req *r, CURLcode code)
{
	long err = 0;

	if (r->local)
		return EV_RC_LOCAL;
	if (r->too_large)
		return EV_RC_LIMIT;
	curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &err);
	return http_error_of_curl(code, err);
}

static bool start_req(struct http_req *r)
{
	r->client->begun++;
	r->started =
	    curl_multi_add_handle(r->client->multi, r->easy) == CURLM_OK;
	r->local = !r->started;
	return r->started;
}

/* Its owner hears of it in the next turn of the loop, as of any other end. */
static void fail_soon(struct http_req *r)
{
	ev_timer_stop(r->client->loop, &r->deadline);
	r->turns = TURNS_MORE;
	ev_timer_set(&r->deadline, 0.0, 0.0);
	ev_timer_start(r->client->loop, &r->deadline);
}

static bool has_budget(const struct http_client *c)
{
	return !c->inside && c->begun < BEGIN_PER_TURN;
}

static void begin_soon(struct http_client *c)
{
	if (ev_is_active(&c->begin))
		return;
	ev_timer_set(&c->begin, 0.0, 0.0);
	ev_timer_start(c->loop, &c->begin);
}

/* What was cancelled or asked while curl was on the stack or the turn full. */
static void settle(struct http_client *c)
{
	struct http_req *r, *next;

	for (r = c->req; r != NULL; r = next) {
		next = r->next;
		if (r->dead)
			free_req(r);
		else if (r->started || r->local)
			continue;
		else if (!has_budget(c))
			begin_soon(c);
		else if (!start_req(r))
			fail_soon(r);
	}
}

static void begin_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	settle(client_of(w->data));
}

static void turn_cb(struct ev_loop *loop, ev_check *w, int revents)
{
	(void)loop;
	(void)revents;
	client_of(w->data)->begun = 0;
	client_of(w->data)->acted = 0;
}

static void reap(struct http_client *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		struct http_req *r = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &r);
		finish(req_of(r), rc_of(r, code));
	}
}

static void act(struct http_client *c, curl_socket_t fd, int bits)
{
	int running;

	assert(!c->inside);
	c->inside = true;
	(void)curl_multi_socket_action(c->multi, fd, bits, &running);
	c->inside = false;
	settle(c);
	reap(c);
}

static void io_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sock *s = w->data;
	int bits = 0;

	(void)loop;
	/* What waits stays ready: the next turn of the loop comes back. */
	if (!s->is_stream && s->client->acted++ >= ACTS_PER_TURN)
		return;
	if (revents & EV_READ)
		bits |= CURL_CSELECT_IN;
	if (revents & EV_WRITE)
		bits |= CURL_CSELECT_OUT;
	act(client_of(s->client), w->fd, bits);
}

static void timer_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	act(client_of(w->data), CURL_SOCKET_TIMEOUT, 0);
}

/* curl's own wish, -1: none. In fractions of a second, and never inside. */
static int curl_timer_cb(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_client *c = client_of(arg);

	(void)multi;
	ev_timer_stop(c->loop, &c->timer);
	if (timeout_ms < 0)
		return 0;
	ev_timer_set(&c->timer, (double)timeout_ms / 1000.0, 0.0);
	ev_timer_start(c->loop, &c->timer);
	return 0;
}

static void drop_sock(struct http_client *c, struct sock *s, curl_socket_t fd)
{
	if (s == NULL)
		return;
	ev_io_stop(c->loop, &s->io);
	curl_multi_assign(c->multi, fd, NULL);
	free(s);
}

static bool is_stream(CURL *easy)
{
	struct http_req *r = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &r);
	return r != NULL && r->piece != NULL;
}

static int curl_socket_cb(
    CURL *easy, curl_socket_t fd, int what, void *arg, void *sock_arg)
{
	struct http_client *c = client_of(arg);
	struct sock *s = sock_arg;
	int events = (what & CURL_POLL_IN ? EV_READ : 0) |
	    (what & CURL_POLL_OUT ? EV_WRITE : 0);

	if (what == CURL_POLL_REMOVE) {
		drop_sock(c, s, fd);
		return 0;
	}
	if (s == NULL) {
		s = calloc(1, sizeof(*s));
		if (s == NULL)
			return -1;
		s->client = c;
		s->is_stream = is_stream(easy);
		ev_init(&s->io, io_cb);
		s->io.data = s;
		ev_set_priority(
		    &s->io, s->is_stream ? STREAM_PRIORITY : IO_PRIORITY);
		curl_multi_assign(c->multi, fd, s);
	}
	ev_io_stop(c->loop, &s->io);
	ev_io_set(&s->io, fd, events);
	ev_io_start(c->loop, &s->io);
	return 0;
}

/* curl's codes do not tell our own exhaustion from a peer that is away. */
static curl_socket_t open_socket_cb(
    void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http_req *r = req_of(arg);
	int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);

	(void)purpose;
	if (fd == -1)
		r->local = http_error_of_errno(errno) == EV_RC_LOCAL;
	return fd == -1 ? CURL_SOCKET_BAD : fd;
}

/* Gives: false if the body exceeds LIM_HTTP_BODY or memory is out. */
static bool keep(struct http_req *r, struct slice s)
{
	size_t room = r->body_room > 0 ? r->body_room : 2048;
	char *p;

	if (s.len == 0)
		return true;
	if (s.len > LIM_HTTP_BODY - r->body_len) {
		r->too_large = true;
		return false;
	}
	while (room < r->body_len + s.len)
		room *= 2;
	if (room != r->body_room) {
		p = realloc(r->body, room);
		if (p == NULL) {
			r->local = true;
			return false;
		}
		r->body = p;
		r->body_room = room;
	}
	assert(r->body != NULL);
	memcpy(r->body + r->body_len, s.p, s.len);
	r->body_len += s.len;
	return true;
}

static size_t write_cb(char *p, size_t size, size_t n, void *arg)
{
	struct http_req *r = req_of(arg);
	struct slice s = slice_of(p, size * n);
	long status = 0;

	if (r->dead)
		return 0;
	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	if (r->piece == NULL || status != 200)
		return keep(r, s) ? s.len : 0;
	if (r->piece(r->arg, s))
		return s.len;
	r->too_large = true;
	return 0;
}

/* Somebody was put off in this turn, and it may be `r`. */
static bool is_more_to_read(const struct http_req *r)
{
	return r->client->acted > ACTS_PER_TURN && r->turns < TURNS_MORE;
}

/*
 * The first time it only lets the loop turn once more: data that had arrived
 * by then is read first (libev runs timers before it after a SIGCONT), and a
 * turn reads from a few only.
 */
static void deadline_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct http_req *r = req_of(w->data);

	(void)revents;
	if (r->turns == 0 || is_more_to_read(r)) {
		r->turns++;
		ev_timer_set(w, 0.0, 0.0);
		ev_timer_start(loop, w);
		return;
	}
	/* Who never had its turn heard no silence. */
	finish(r, r->local || !r->started ? EV_RC_LOCAL : EV_RC_TIMEOUT);
}

/* Each of these either is in every curl we build with or fails the build. */
static void set_bounds(struct http_req *r, bool fresh)
{
	CURL *e = r->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, r);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, fresh ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, write_cb);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket_cb);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, r);
}

/* Only where no connection is shared: curl does not know this as a part of who
   is trusted, by which it tells connections apart. */
static struct x509_store_st *trust_of(
    struct http_client *c, const struct http_ask *ask)
{
	return ask->tls && ask->fresh && ask->pem != NULL &&
		ask->pem->ca.len > 0
	    ? http_trust_get(&c->trust, ask->pem->ca)
	    : NULL;
}

static bool set_up(struct http_req *r, const struct http_ask *ask)
{
	r->easy = http_kept_take(r->kept, r->asked);
	if (r->easy == NULL)
		return false;
	set_bounds(r, ask->fresh);
	return http_setup(r->easy, &r->lists, ask, trust_of(r->client, ask));
}

struct http_req *http_client_ask(
    struct http_client *c, const struct http_ask *ask)
{
	struct http_req *r;

	(void)client_of(c);
	assert(ask->done != NULL && ask->addr != NULL && ask->path != NULL);
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->magic = REQ_MAGIC;
	r->client = c;
	memcpy(r->keep, ask->keep, sizeof(r->keep));
	r->piece = ask->piece;
	r->done = ask->done;
	r->arg = ask->arg;
	r->kept = ask->kept;
	r->asked = mono_now();
	ev_init(&r->deadline, deadline_cb);
	r->deadline.data = r;
	if (!set_up(r, ask)) {
		free_req(r);
		return NULL;
	}
	if (!has_budget(c)) {
		begin_soon(c);
	} else if (!start_req(r)) {
		free_req(r);
		return NULL;
	}
	r->next = c->req;
	if (r->next != NULL)
		r->next->prev = &r->next;
	r->prev = &c->req;
	c->req = r;
	if (ask->deadline.us > 0) {
		/* From now, not from when this iteration began. */
		ev_now_update(c->loop);
		ev_timer_set(&r->deadline, dur_to_s(ask->deadline), 0.0);
		ev_timer_start(c->loop, &r->deadline);
	}
	return r;
}

void http_client_cancel(struct http_req **req)
{
	struct http_req *r = *req;

	*req = NULL;
	if (r == NULL)
		return;
	(void)req_of(r);
	if (r->client->inside) {
		r->dead = true;
		r->kept = NULL; /* it may be gone before the request is */
		ev_timer_stop(r->client->loop, &r->deadline);
	} else {
		free_req(r);
	}
}

bool is_http_client_gap(const struct http_client *c, struct mono since)
{
	assert(c != NULL && c->magic == CLIENT_MAGIC);
	return is_gap_since(&c->gap, since);
}

struct http_client *http_client_new(struct ev_loop *loop)
{
	struct http_client *c = calloc(1, sizeof(*c));

	assert(loop != NULL);
	if (c == NULL)
		return NULL;
	c->magic = CLIENT_MAGIC;
	c->loop = loop;
	c->multi = curl_multi_init();
	if (c->multi == NULL) {
		free(c);
		return NULL;
	}
	http_setup_warm(c->multi);
	ev_init(&c->timer, timer_cb);
	c->timer.data = c;
	gap_start(&c->gap, loop);
	ev_init(&c->begin, begin_cb);
	c->begin.data = c;
	ev_check_init(&c->turn, turn_cb);
	ev_set_priority(&c->turn, EV_MAXPRI);
	c->turn.data = c;
	ev_check_start(loop, &c->turn);
	ev_unref(loop);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, curl_socket_cb);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, curl_timer_cb);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	return c;
}

void http_client_free(struct http_client *c)
{
	struct http_req *r, *next;

	if (c == NULL)
		return;
	assert(!client_of(c)->inside);
	for (r = c->req; r != NULL; r = next) {
		next = r->next;
		free_req(r);
	}
	curl_multi_cleanup(c->multi);
	http_trust_free(&c->trust);
	ev_timer_stop(c->loop, &c->timer);
	ev_timer_stop(c->loop, &c->begin);
	ev_ref(c->loop);
	ev_check_stop(c->loop, &c->turn);
	gap_stop(&c->gap);
	c->magic = 0;
	free(c);
}
