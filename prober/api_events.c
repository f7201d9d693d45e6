/*
 * api_events.c - /events: a list as JSON, or a stream (text/event-stream, the
 * HTML standard's server-sent events) that goes on with each new event.
 *
 * A stream has a place in the ring and nothing of its own but the text that is
 * on its way: who reads slowly falls behind, and is told how many it missed.
 * Between events it is suspended, so that MHD's idle time does not end it; a
 * comment every 10 s tells both sides that the other is there, and once a
 * second each is looked at, for MHD does not see a suspended one go.
 */
#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "api_int.h"
#include "events.h"
#include "events_json.h"
#include "num.h"

#define LOOK_S 1.0
#define BEAT_LOOKS 10
#define BLOCK 4096

struct stream {
	struct api_streams *all; /* NULL: a free place */
	struct MHD_Connection *conn;
	int fd;
	bool is_suspended, is_ending, beat_due;
	unsigned looks;
	uint64_t after; /* what it had last */
	char cluster[LIM_NAME];
	char *text; /* on its way */
	size_t len, sent;
};

struct api_streams {
	struct api *api;
	struct app *app;
	ev_timer look;
	ev_timer wake;
	struct stream stream[LIM_HTTP_STREAMS];
};

static void resume(struct stream *s)
{
	if (!s->is_suspended)
		return;
	s->is_suspended = false;
	MHD_resume_connection(s->conn);
}

/* From within whatever changed: MHD is run when the loop comes round. */
static void woken_cb(void *arg)
{
	struct api_streams *all = arg;

	ev_timer_start(all->app->loop, &all->wake);
}

static void wake_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct api_streams *all = w->data;

	(void)loop, (void)revents;
	for (unsigned i = 0; i < LIM_HTTP_STREAMS; i++)
		if (all->stream[i].all != NULL)
			resume(&all->stream[i]);
	api_run(all->api);
}

static bool is_gone(const struct stream *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1;
}

static void look_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct api_streams *all = w->data;
	bool any = false;

	(void)loop, (void)revents;
	for (unsigned i = 0; i < LIM_HTTP_STREAMS; i++) {
		struct stream *s = &all->stream[i];

		if (s->all == NULL || !s->is_suspended)
			continue;
		s->is_ending = is_gone(s);
		s->beat_due = ++s->looks >= BEAT_LOOKS;
		if (!s->is_ending && !s->beat_due)
			continue;
		resume(s);
		any = true;
	}
	if (any)
		api_run(all->api);
}

/* Gives: false if there is nothing to say, or no memory to say it. */
static bool write_next(struct stream *s)
{
	struct event e;
	size_t size = 0;
	uint64_t missed;
	FILE *f;

	while (events_next(s->all->app->events, s->after, &e) &&
	    !is_event_of(&e, s->cluster[0] != '\0' ? s->cluster : NULL))
		s->after = e.id;
	if (!events_next(s->all->app->events, s->after, &e))
		return false;
	f = open_memstream(&s->text, &size);
	if (f == NULL)
		return false;
	missed = e.id - s->after - 1;
	if (missed > 0 && s->after > 0)
		(void)fprintf(f,
		    "event: missed\ndata: {\"missed\":%" PRIu64 "}\n\n",
		    missed);
	(void)fprintf(f, "id: %" PRIu64 "\nevent: %s\ndata: ", e.id,
	    event_type_name(e.type));
	events_json_one(f, &e);
	(void)fputs("\n\n", f);
	s->after = e.id;
	return fclose(f) == 0 && (s->len = size) > 0;
}

/* Gives: false if there is nothing to send now. */
static bool fill(struct stream *s)
{
	free(s->text);
	s->text = NULL;
	s->sent = s->len = 0;
	if (write_next(s)) {
		s->looks = 0;
		return true;
	}
	if (!s->beat_due)
		return false;
	s->beat_due = false;
	s->looks = 0;
	s->text = strdup(": still here\n\n");
	s->len = s->text == NULL ? 0 : strlen(s->text);
	return s->len > 0;
}

static ssize_t read_cb(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct stream *s = arg;
	size_t n;

	(void)pos;
	assert(s->all != NULL);
	if (s->is_ending)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (s->sent == s->len && !fill(s)) {
		s->is_suspended = true;
		MHD_suspend_connection(s->conn);
		return 0;
	}
	n = s->len - s->sent < max ? s->len - s->sent : max;
	memcpy(buf, s->text + s->sent, n);
	s->sent += n;
	return (ssize_t)n;
}

static void free_cb(void *arg)
{
	struct stream *s = arg;

	free(s->text);
	memset(s, 0, sizeof(*s));
}

static struct stream *place_for(struct api_streams *all)
{
	for (unsigned i = 0; i < LIM_HTTP_STREAMS; i++)
		if (all->stream[i].all == NULL)
			return &all->stream[i];
	return NULL;
}

static const char *param(
    const struct request *q, enum MHD_ValueKind kind, const char *name)
{
	return MHD_lookup_connection_value(q->conn, kind, name);
}

/* Behind which event it goes on; none asked for: from the oldest that is
   kept. A number from before our start is of another count. */
static uint64_t after_of(const struct request *q)
{
	const char *text = param(q, MHD_HEADER_KIND, "Last-Event-ID");
	uint64_t n = 0;

	if (text == NULL)
		text = param(q, MHD_GET_ARGUMENT_KIND, "after");
	if (text == NULL || !num_u64(slice_str(text), 0, UINT64_MAX, &n) ||
	    n > events_last(q->app->events))
		return 0;
	return n;
}

static enum MHD_Result start_stream(const struct request *q)
{
	struct stream *s = place_for(api_streams_of(q));
	const char *cluster = param(q, MHD_GET_ARGUMENT_KIND, "cluster");
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(q->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct MHD_Response *r;

	if (s == NULL || info == NULL)
		return api_answer(q, API_503);
	*s = (struct stream){.all = api_streams_of(q),
	    .conn = q->conn,
	    .fd = info->connect_fd,
	    .after = after_of(q),
	    .beat_due = true}; /* so that it sees at once that it is open */
	if (cluster != NULL)
		(void)slice_copy(
		    slice_str(cluster), s->cluster, sizeof(s->cluster));
	r = MHD_create_response_from_callback(
	    MHD_SIZE_UNKNOWN, BLOCK, read_cb, s, free_cb);
	if (r == NULL) {
		memset(s, 0, sizeof(*s));
		return MHD_NO;
	}
	api_keep(q);
	/* HAProxy and others before us shall pass on what there is. */
	(void)MHD_add_response_header(r, "X-Accel-Buffering", "no");
	return api_answer_response(q, r, MHD_HTTP_OK, "text/event-stream");
}

enum MHD_Result api_events(const struct request *q)
{
	const char *accept = param(q, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);

	if (accept != NULL && strstr(accept, "text/event-stream") != NULL)
		return start_stream(q);
	return api_answer_text(q, MHD_HTTP_OK,
	    events_json_all(q->app->events, q->app->boot_id, after_of(q),
		param(q, MHD_GET_ARGUMENT_KIND, "cluster")),
	    "application/json");
}

struct api_streams *api_streams_new(struct api *a, struct app *app)
{
	struct api_streams *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return NULL;
	all->api = a;
	all->app = app;
	ev_timer_init(&all->wake, wake_cb, 0., 0.);
	ev_timer_init(&all->look, look_cb, LOOK_S, LOOK_S);
	all->wake.data = all->look.data = all;
	ev_timer_start(app->loop, &all->look);
	events_on_put(app->events, woken_cb, all);
	return all;
}

void api_streams_end(struct api_streams *all)
{
	assert(all != NULL);
	for (unsigned i = 0; i < LIM_HTTP_STREAMS; i++) {
		all->stream[i].is_ending = true;
		if (all->stream[i].all != NULL)
			resume(&all->stream[i]);
	}
	api_run(all->api);
}

void api_streams_free(struct api_streams *all)
{
	if (all == NULL)
		return;
	events_on_put(all->app->events, NULL, NULL);
	ev_timer_stop(all->app->loop, &all->look);
	ev_timer_stop(all->app->loop, &all->wake);
	free(all);
}
