/*
 * api_int.h - what the files of the HTTP side have of each other.
 *
 *   api.c          libmicrohttpd on libev, connections, requests
 *   api_routes.c   the table of paths; checks, health, what is one text
 *   api_events.c   /events, as a list and as a stream
 *   api_control.c  POST /control
 */
#ifndef API_INT_H
#define API_INT_H

#include <ev.h>
#include <microhttpd.h>
#include <stdbool.h>

#include "api.h"
#include "app.h"
#include "lim.h"
#include "slice.h"

struct api_streams;

/* The answers that never change, by status. */
enum api_fixed {
	API_200 = 0,
	API_400,
	API_404,
	API_405,
	API_413,
	API_503,
	API_FIXED_N
};

/* One request, whole. */
struct request {
	struct api *api;
	struct app *app;
	struct MHD_Connection *conn;
	const char *url;
	const char *rest;  /* of the path, behind the route's */
	bool is_local;     /* by the unix socket */
	struct slice body; /* of a POST */
	void **state;      /* of a POST, over its suspension */
};

/* An exact path, or with `below` all that begin with it. */
struct route {
	const char *path;
	bool below, is_post;
	enum MHD_Result (*answer)(const struct request *);
};

/* ---- api_routes.c ---- */

/* Gives: NULL if no such path is served. */
const struct route *api_route(const char *url);

/* ---- api.c ---- */

enum MHD_Result api_answer(const struct request *, enum api_fixed which);

/* What of one text is the same for all: type, and headers that keep a browser
   from keeping, guessing or running it. */
enum MHD_Result api_answer_response(const struct request *,
    struct MHD_Response *r, unsigned status, const char *type);

/* `text` is freed; NULL: memory is out, 503. */
enum MHD_Result api_answer_text(
    const struct request *, unsigned status, char *text, const char *type);

struct api_streams *api_streams_of(const struct request *);

/* A connection that shall live on without a request of its own: none of those
   that make room for others. */
void api_keep(const struct request *);

/* Each of our daemons is run, for one of its connections may go on. */
void api_run(struct api *a);
/* Likewise, from anywhere: when the loop comes round. */
void api_run_soon(struct api *a);

/* ---- api_events.c ---- */

struct api_streams *api_streams_new(struct api *a, struct app *app);
/* All of them end; to be called before their daemons do. */
void api_streams_end(struct api_streams *s);
void api_streams_free(struct api_streams *s);
enum MHD_Result api_events(const struct request *);

/* ---- api_control.c ---- */

enum MHD_Result api_control(const struct request *);
/* Frees a POST's state; it may be NULL. */
void api_control_free(void *state);

#endif
