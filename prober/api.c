/*
 * api.c - libmicrohttpd on libev: one daemon a listener, no thread. Each
 * daemon has an epoll descriptor of its own, which the loop watches; when it
 * is readable, or when the daemon's own timeout is due, it is run.
 *
 * A check comes up to 30 times a second from each HAProxy; what never changes
 * is made once, at start. Whoever connects and asks nothing must not take a
 * check's place: where connections grow many, the oldest that is no stream is
 * closed for the newest. Nothing blocks.
 */
#include "api_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"
#include "sock.h"

#define API_MAGIC 0x61706921u
#define SERVER_MAGIC 0x61706973u
#define IDLE_S 10u
#define UNWATCHED_S 0.1
/* Connections above this close the oldest: MHD, which at its limit would
   accept nobody, never gets there (it accepts some 10 a turn). */
#define CROWD (LIM_HTTP_CONNS - LIM_HTTP_CONNS / 4)

/* One connection; zeroed: none. */
struct peer {
	int fd;
	uint64_t order; /* of its coming; 0: free */
	bool is_kept, is_closing;
};

struct server {
	unsigned magic;
	struct api *api;
	struct MHD_Daemon *mhd;
	ev_io io;
	ev_timer timeout;
	uint64_t order;
	unsigned peers; /* that are not closing */
	struct peer peer[LIM_HTTP_CONNS];
};

static const struct {
	unsigned status;
	const char *text;
} fixed[API_FIXED_N] = {
    [API_200] = {MHD_HTTP_OK, "ok\n"},
    [API_400] = {MHD_HTTP_BAD_REQUEST, "bad request\n"},
    [API_404] = {MHD_HTTP_NOT_FOUND, "not here\n"},
    [API_405] = {MHD_HTTP_METHOD_NOT_ALLOWED,
	"GET or HEAD; POST /control by the unix socket\n"},
    [API_413] = {MHD_HTTP_CONTENT_TOO_LARGE, "4096 bytes at most\n"},
    [API_503] = {MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable\n"},
};

struct api {
	unsigned magic;
	struct app *app;
	struct MHD_Response *fixed[API_FIXED_N];
	struct api_streams *streams;
	bool is_ending; /* what requests are about may be freed */
	struct server tcp, local;
};

/* A POST's body, while it comes. */
struct upload {
	size_t len;
	bool is_over;
	void *state; /* the answer's, where it takes a while */
	char bytes[LIM_HTTP_POST];
};

enum MHD_Result api_answer(const struct request *q, enum api_fixed which)
{
	return MHD_queue_response(
	    q->conn, fixed[which].status, q->api->fixed[which]);
}

enum MHD_Result api_answer_response(const struct request *q,
    struct MHD_Response *r, unsigned status, const char *type)
{
	enum MHD_Result rc;

	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void)MHD_add_response_header(
	    r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	(void)MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	rc = MHD_queue_response(q->conn, status, r);
	MHD_destroy_response(r);
	return rc;
}

enum MHD_Result api_answer_text(
    const struct request *q, unsigned status, char *text, const char *type)
{
	struct MHD_Response *r;

	if (text == NULL)
		return api_answer(q, API_503);
	r = MHD_create_response_from_buffer(
	    strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (r == NULL) {
		free(text);
		return MHD_NO;
	}
	return api_answer_response(q, r, status, type);
}

struct api_streams *api_streams_of(const struct request *q)
{
	return q->api->streams;
}

static struct peer *peer_of(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info == NULL ? NULL : info->socket_context;
}

void api_keep(const struct request *q)
{
	struct peer *p = peer_of(q->conn);

	if (p != NULL)
		p->is_kept = true;
}

/* MHD sees the end of it, and closes. */
static void make_room(struct server *s)
{
	struct peer *oldest = NULL;

	for (unsigned i = 0; i < LIM_HTTP_CONNS; i++) {
		struct peer *p = &s->peer[i];

		if (p->order == 0 || p->is_kept || p->is_closing)
			continue;
		if (oldest == NULL || p->order < oldest->order)
			oldest = p;
	}
	if (oldest == NULL)
		return;
	(void)shutdown(oldest->fd, SHUT_RDWR);
	oldest->is_closing = true;
	s->peers--;
}

static void peer_came(
    struct server *s, struct MHD_Connection *conn, void **context)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);

	for (unsigned i = 0; info != NULL && i < LIM_HTTP_CONNS; i++) {
		if (s->peer[i].order != 0)
			continue;
		s->peer[i] =
		    (struct peer){.fd = info->connect_fd, .order = ++s->order};
		*context = &s->peer[i];
		s->peers++;
		break;
	}
	if (s->peers > CROWD)
		make_room(s);
}

static void peer_cb(void *arg, struct MHD_Connection *conn, void **context,
    enum MHD_ConnectionNotificationCode code)
{
	struct server *s = arg;
	struct peer *p = *context;

	assert(s->magic == SERVER_MAGIC);
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		peer_came(s, conn, context);
	} else if (p != NULL) {
		s->peers -= p->is_closing ? 0 : 1;
		p->order = 0;
		*context = NULL;
	}
}

/* Gives: whether the body is whole. */
static bool take_upload(struct upload *u, const char *bytes, size_t *n)
{
	if (*n == 0)
		return true;
	if (*n > sizeof(u->bytes) - u->len) {
		u->is_over = true;
	} else {
		memcpy(u->bytes + u->len, bytes, *n);
		u->len += *n;
	}
	*n = 0;
	return false;
}

static enum MHD_Result post(struct request *q, const struct route *r,
    const char *bytes, size_t *n, void **request)
{
	struct upload *u = *request;

	if (u == NULL) {
		*request = calloc(1, sizeof(*u));
		return *request == NULL ? MHD_NO : MHD_YES;
	}
	if (!take_upload(u, bytes, n))
		return MHD_YES;
	if (u->is_over)
		return api_answer(q, API_413);
	q->body = slice_of(u->bytes, u->len);
	q->state = &u->state;
	return r->answer(q);
}

/* A POST that was suspended has its answer already. */
static bool is_under_way(const struct upload *u)
{
	return u != NULL && u->state != NULL;
}

static enum MHD_Result request_cb(void *arg, struct MHD_Connection *conn,
    const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_n, void **request) /* NOLINT: MHD's */
{
	struct server *s = arg;
	struct request q = {
	    .api = s->api, .app = s->api->app, .conn = conn, .url = url};
	const struct route *r = api_route(url);

	(void)version;
	assert(s->magic == SERVER_MAGIC);
	q.is_local = s == &s->api->local;
	if (s->api->is_ending && !is_under_way(*request))
		return MHD_NO;
	if (r != NULL)
		q.rest = url + strlen(r->path);
	if (r != NULL && r->is_post && q.is_local &&
	    strcmp(method, MHD_HTTP_METHOD_POST) == 0)
		return post(&q, r, upload, upload_n, request);
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		/* With a body under way MHD takes no answer: it closes. */
		return *upload_n > 0 ? MHD_NO : api_answer(&q, API_405);
	}
	if (r == NULL)
		return api_answer(&q, API_404);
	return r->is_post ? api_answer(&q, API_405) : r->answer(&q);
}

static void completed_cb(void *arg, struct MHD_Connection *conn, void **request,
    enum MHD_RequestTerminationCode code)
{
	struct upload *u = *request;

	(void)arg, (void)conn, (void)code;
	if (u != NULL)
		api_control_free(u->state);
	free(u);
	*request = NULL;
}

static void server_log_cb(void *arg, const char *fmt, va_list ap)
{
	/* What MHD complains of is a peer's doing; its text adds nothing that
	   the status does not say, and its rate is the peer's to choose. */
	(void)arg, (void)fmt, (void)ap;
}

static void server_run(struct server *s)
{
	struct ev_loop *loop = s->api->app->loop;
	MHD_UNSIGNED_LONG_LONG ms = 0;

	(void)MHD_run(s->mhd);
	ev_timer_stop(loop, &s->timeout);
	if (MHD_get_timeout(s->mhd, &ms) != MHD_YES)
		return;
	ev_timer_set(&s->timeout, (double)ms / 1000.0, 0.);
	ev_timer_start(loop, &s->timeout);
}

void api_run(struct api *a)
{
	assert(a->magic == API_MAGIC);
	server_run(&a->tcp);
	server_run(&a->local);
}

static void run_soon(struct server *s)
{
	struct ev_loop *loop = s->api->app->loop;

	ev_timer_stop(loop, &s->timeout);
	ev_timer_set(&s->timeout, 0., 0.);
	ev_timer_start(loop, &s->timeout);
}

void api_run_soon(struct api *a)
{
	assert(a->magic == API_MAGIC);
	run_soon(&a->tcp);
	run_soon(&a->local);
}

static void server_io_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct server *s = w->data;

	assert(s->magic == SERVER_MAGIC);
	server_run(s);
	if ((revents & EV_ERROR) == 0)
		return;
	/* libev has stopped watching it: once more, soon. */
	ev_timer_stop(loop, &s->timeout);
	ev_timer_set(&s->timeout, UNWATCHED_S, 0.);
	ev_timer_start(loop, &s->timeout);
}

static void server_timeout_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct server *s = w->data;

	(void)revents;
	assert(s->magic == SERVER_MAGIC);
	ev_io_start(loop, &s->io); /* nothing while it is watched */
	server_run(s);
}

static bool server_start(struct server *s, struct api *a, int *listener)
{
	struct ev_loop *loop = a->app->loop;

	s->magic = SERVER_MAGIC;
	s->api = a;
	s->mhd = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0,
	    NULL, NULL, request_cb, s, MHD_OPTION_EXTERNAL_LOGGER,
	    server_log_cb, NULL, MHD_OPTION_LISTEN_SOCKET, *listener,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)LIM_HTTP_CONNS,
	    MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LIM_HTTP_REQUEST,
	    MHD_OPTION_NOTIFY_CONNECTION, peer_cb, s,
	    MHD_OPTION_NOTIFY_COMPLETED, completed_cb, NULL, MHD_OPTION_END);
	if (s->mhd == NULL)
		return false;
	*listener = -1; /* MHD closes it */
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	assert(info != NULL && info->epoll_fd != -1);
	ev_io_init(&s->io, server_io_cb, info->epoll_fd, EV_READ);
	ev_timer_init(&s->timeout, server_timeout_cb, 0., 0.);
	s->io.data = s->timeout.data = s;
	ev_io_start(loop, &s->io);
	return true;
}

static void server_stop(struct server *s)
{
	if (s->mhd == NULL)
		return;
	ev_io_stop(s->api->app->loop, &s->io);
	ev_timer_stop(s->api->app->loop, &s->timeout);
	MHD_stop_daemon(s->mhd);
	s->mhd = NULL;
	s->magic = 0;
}

static bool make_fixed(struct api *a)
{
	for (int i = 0; i < API_FIXED_N; i++) {
		/* MHD's signature takes void *, but PERSISTENT only reads. */
		a->fixed[i] = MHD_create_response_from_buffer(
		    strlen(fixed[i].text), (void *)(uintptr_t)fixed[i].text,
		    MHD_RESPMEM_PERSISTENT);
		if (a->fixed[i] == NULL)
			return false;
	}
	return MHD_add_response_header(a->fixed[API_405], MHD_HTTP_HEADER_ALLOW,
		   "GET, HEAD") == MHD_YES;
}

struct api *api_new(struct app *app)
{
	struct api *a = calloc(1, sizeof(*a));

	assert(app != NULL);
	if (a == NULL)
		return NULL;
	a->magic = API_MAGIC;
	a->app = app;
	a->streams = api_streams_new(a, app);
	if (a->streams == NULL || !make_fixed(a) ||
	    !server_start(&a->tcp, a, &app->socks.http_tcp) ||
	    !server_start(&a->local, a, &app->socks.http_unix)) {
		api_free(a);
		return NULL;
	}
	return a;
}

void api_end(struct api *a)
{
	assert(a == NULL || a->magic == API_MAGIC);
	if (a != NULL)
		a->is_ending = true;
}

void api_free(struct api *a)
{
	if (a == NULL)
		return;
	assert(a->magic == API_MAGIC);
	if (a->streams != NULL && a->local.mhd != NULL)
		api_streams_end(a->streams);
	server_stop(&a->tcp);
	server_stop(&a->local);
	api_streams_free(a->streams);
	for (int i = 0; i < API_FIXED_N; i++)
		if (a->fixed[i] != NULL)
			MHD_destroy_response(a->fixed[i]);
	a->magic = 0;
	free(a);
}
