/*
 * api.c - libmicrohttpd on libev: one daemon a listener, no thread. Each
 * daemon has an epoll descriptor of its own, which the loop watches; when it
 * is readable, or when the daemon's own timeout is due, it is run.
 *
 * A check comes up to 30 times a second from each HAProxy: its answers are
 * made once, at start. Nothing blocks.
 */
#include "api.h"

#include <assert.h>
#include <ev.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "cluster.h"
#include "haproxy.h"
#include "hapsync.h"
#include "haptext.h"
#include "log.h"
#include "metrics.h"
#include "page.h"
#include "sock.h"
#include "topology.h"

#define API_MAGIC 0x61706921u
#define SERVER_MAGIC 0x61706973u
#define CONNECTIONS 256
#define IDLE_S 10u
#define UNWATCHED_S 0.1

struct server {
	unsigned magic;
	struct api *api;
	struct MHD_Daemon *mhd;
	ev_io io;
	ev_timer timeout;
};

/* The answers that never change, by status. */
enum fixed {
	FIXED_200 = 0,
	FIXED_400,
	FIXED_404,
	FIXED_405,
	FIXED_503,
	FIXED_N
};

static const struct {
	unsigned status;
	const char *text;
} fixed[FIXED_N] = {
    [FIXED_200] = {MHD_HTTP_OK, "ok\n"},
    [FIXED_400] = {MHD_HTTP_BAD_REQUEST, "bad request\n"},
    [FIXED_404] = {MHD_HTTP_NOT_FOUND, "not here\n"},
    [FIXED_405] = {MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n"},
    [FIXED_503] = {MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable\n"},
};

struct api {
	unsigned magic;
	struct app *app;
	struct MHD_Response *fixed[FIXED_N];
	struct server tcp, local;
};

static enum MHD_Result answer(
    struct api *a, struct MHD_Connection *conn, enum fixed which)
{
	return MHD_queue_response(conn, fixed[which].status, a->fixed[which]);
}

static enum MHD_Result answer_check(
    struct api *a, struct MHD_Connection *conn, struct slice path)
{
	struct haptext_check check;
	char server[LIM_NAME];
	enum hap_backend b = HAP_WRITE;

	if (!haptext_check(path, &check) ||
	    !slice_copy(check.server, server, sizeof(server)))
		return answer(a, conn, FIXED_400);
	haproxy_checked(a->app->haproxy, check.pid);
	for (uint16_t i = 0; i < a->app->cluster_n; i++) {
		struct cluster *c = a->app->cluster[i];

		if (!haptext_backend(check.backend, c->conf->name, &b) ||
		    b >= HAP_BACKEND_N) /* asks Patroni, not us */
			continue;
		/* Until there is a verdict, a failure: unlike 404 it takes
		   some in a row to change the server's state. */
		if (!is_cluster_usable(c, mono_now()))
			return answer(a, conn, FIXED_503);
		switch (hap_check_code(cluster_snapshot(c), b, server)) {
		case MHD_HTTP_OK:
			return answer(a, conn, FIXED_200);
		case MHD_HTTP_NOT_FOUND:
			return answer(a, conn, FIXED_404);
		default:
			return answer(a, conn, FIXED_503);
		}
	}
	return answer(a, conn, FIXED_503);
}

static enum MHD_Result answer_healthz(
    struct api *a, struct MHD_Connection *conn)
{
	struct mono now = mono_now();

	for (uint16_t i = 0; i < a->app->cluster_n; i++)
		if (!is_cluster_usable(a->app->cluster[i], now))
			return answer(a, conn, FIXED_503);
	return answer(a, conn, FIXED_200);
}

/* `text` is freed; NULL: memory is out. */
static enum MHD_Result answer_text(
    struct api *a, struct MHD_Connection *conn, char *text, const char *type)
{
	if (text == NULL)
		return answer(a, conn, FIXED_503);
	struct MHD_Response *r = MHD_create_response_from_buffer(
	    strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (r == NULL) {
		free(text);
		return MHD_NO;
	}
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void)MHD_add_response_header(
	    r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	enum MHD_Result rc = MHD_queue_response(conn, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return rc;
}

/* The page to a browser, which asks for its files next; JSON to a program. */
static enum MHD_Result answer_topology(
    struct api *a, struct MHD_Connection *conn, struct slice path)
{
	const struct page_file *f = page_find(path);
	struct topology_ask ask = {0};

	if (f == NULL)
		return answer(a, conn, FIXED_404);
	if (!is_slice_eq(path, "/topology") ||
	    is_page_wanted(MHD_lookup_connection_value(
		conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT)))
		return page_answer(conn, f);
	const char *summary =
	    MHD_lookup_connection_value(conn, MHD_GET_ARGUMENT_KIND, "summary");
	ask.summary = summary != NULL && strcmp(summary, "1") == 0;
	ask.cluster =
	    MHD_lookup_connection_value(conn, MHD_GET_ARGUMENT_KIND, "cluster");
	return answer_text(a, conn, topology_json(a->app, &ask, mono_now()),
	    "application/json");
}

static enum MHD_Result request_cb(void *arg, struct MHD_Connection *conn,
    const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_n, void **request) /* NOLINT: MHD's */
{
	struct api *a = arg;
	struct slice path = slice_str(url);

	(void)version, (void)upload, (void)request;
	assert(a->magic == API_MAGIC);
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		/* With a body under way MHD takes no answer: it closes. */
		if (*upload_n > 0)
			return MHD_NO;
		return answer(a, conn, FIXED_405);
	}
	if (strncmp(url, "/check/", 7) == 0)
		return answer_check(a, conn, path);
	if (is_slice_eq(path, "/healthz"))
		return answer_healthz(a, conn);
	if (strncmp(url, "/topology", 9) == 0)
		return answer_topology(a, conn, path);
	if (is_slice_eq(path, "/metrics"))
		return answer_text(a, conn, metrics_text(a->app, mono_now()),
		    "text/plain; version=0.0.4");
	return answer(a, conn, FIXED_404);
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
	s->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL,
	    NULL, request_cb, a, MHD_OPTION_EXTERNAL_LOGGER, server_log_cb,
	    NULL, MHD_OPTION_LISTEN_SOCKET, *listener,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
	    MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LIM_HTTP_REQUEST,
	    MHD_OPTION_END);
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
	for (int i = 0; i < FIXED_N; i++) {
		/* MHD's signature takes void *, but PERSISTENT only reads. */
		a->fixed[i] = MHD_create_response_from_buffer(
		    strlen(fixed[i].text), (void *)(uintptr_t)fixed[i].text,
		    MHD_RESPMEM_PERSISTENT);
		if (a->fixed[i] == NULL)
			return false;
	}
	return MHD_add_response_header(a->fixed[FIXED_405],
		   MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES;
}

struct api *api_new(struct app *app)
{
	struct api *a = calloc(1, sizeof(*a));

	assert(app != NULL);
	if (a == NULL)
		return NULL;
	a->magic = API_MAGIC;
	a->app = app;
	if (!make_fixed(a) || !server_start(&a->tcp, a, &app->socks.http_tcp) ||
	    !server_start(&a->local, a, &app->socks.http_unix)) {
		api_free(a);
		return NULL;
	}
	return a;
}

void api_free(struct api *a)
{
	if (a == NULL)
		return;
	assert(a->magic == API_MAGIC);
	server_stop(&a->tcp);
	server_stop(&a->local);
	for (int i = 0; i < FIXED_N; i++)
		if (a->fixed[i] != NULL)
			MHD_destroy_response(a->fixed[i]);
	a->magic = 0;
	free(a);
}
