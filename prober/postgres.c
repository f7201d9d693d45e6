/*
 * postgres.c - see postgres.h. Called by the prober's ticks; reports to a sink.
 *
 * A probe is a small state machine around one PGconn. Every ending goes
 * through conclude(), which says why and leaves the probe ready to be asked
 * again. libpq enforces no time limit of its own on asynchronous calls, and
 * its socket may change at every step: one timer a probe counts from the
 * question, and the watcher is rebuilt after each step.
 */
#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <linux/tcp.h> /* glibc's tcp_info ends too early */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gap.h"
#include "log.h"
#include "pg_error.h"
#include "pg_row.h"
#include "postgres.h"
#include "tick.h"

#define CLIENT_MAGIC 0x5067436cu
#define PROBE_MAGIC 0x50675072u
#define IO_PRIORITY 1    /* data that arrived is read before a deadline */
#define BEGIN_PER_TURN 2 /* connections begun in one turn of the loop */
#define BEGIN_MS 50 /* one at least, however much those begun have to say */
#define POLLS_PER_TURN 2 /* one may cost 3 ms (SCRAM) */

enum pg_state {
	PG_AWAY = 0,   /* no connection */
	PG_QUEUED,     /* asked; waits for its turn to connect */
	PG_CONNECTING, /* asked */
	PG_IDLE,       /* connected; the socket is watched */
	PG_ASKING      /* asked, over a connection that stood before or not */
};

struct pg_client {
	unsigned magic;
	struct ev_loop *loop;
	struct gap gap;
	ev_check turn;  /* a new turn of the loop: new budgets */
	ev_timer begin; /* 0 s, while somebody is queued */
	unsigned begun, polled;
	struct mono began_at;           /* the last one */
	struct pg_probe *first, **last; /* queued */
};

struct pg_probe {
	unsigned magic;
	struct pg_client *client;
	struct pg_probe *next; /* in the queue */
	struct pg_cfg cfg;
	struct sink sink;
	uint8_t member;
	struct pg_target to;
	enum pg_state state;
	PGconn *conn;
	ev_io io;
	ev_timer deadline;
	bool rearmed;
	bool was_stopping; /* the last connection ended with 57P01 */
	struct mono asked;
	uint64_t received;        /* bytes of this connection, when asked */
	char notice[PG_SQLSTATE]; /* of an error that came unasked */
	struct ev_item answer;
	bool answered, unsent;
};

static struct pg_client *client_of(void *p)
{
	struct pg_client *c = p;

	assert(c != NULL && c->magic == CLIENT_MAGIC);
	return c;
}

static struct pg_probe *probe_of(void *p)
{
	struct pg_probe *probe = p;

	assert(probe != NULL && probe->magic == PROBE_MAGIC);
	return probe;
}

static void io_cb(struct ev_loop *loop, ev_io *w, int revents);

static void unqueue(struct pg_probe *p)
{
	struct pg_client *c = p->client;
	struct pg_probe **at = &c->first;

	while (*at != NULL && *at != p)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = p->next;
	if (c->last == &p->next)
		c->last = at;
	p->next = NULL;
}

static void disconnect(struct pg_probe *p)
{
	struct ev_loop *loop = p->client->loop;

	if (p->state == PG_QUEUED)
		unqueue(p);
	ev_io_stop(loop, &p->io);
	ev_timer_stop(loop, &p->deadline);
	PQfinish(p->conn);
	p->conn = NULL;
	p->state = PG_AWAY;
}

/*
 * Ends what is under way with `rc`; the connection is kept only after OK. The
 * last thing its caller does: the sink may ask again at once.
 */
static void conclude(struct pg_probe *p, enum ev_rc rc)
{
	struct ev_item item = p->answer;
	bool unasked = p->state == PG_IDLE;

	item.src = EV_SQL;
	item.member = p->member;
	item.at = mono_now();
	item.asked = unasked ? item.at : p->asked;
	item.rc = rc;
	if (!unasked && is_gap_since(&p->client->gap, p->asked))
		item.rc = EV_RC_LOCAL;
	if (rc == EV_RC_OK) {
		ev_timer_stop(p->client->loop, &p->deadline);
		p->state = PG_IDLE;
	} else {
		disconnect(p);
	}
	if (rc == EV_RC_STOPPING)
		p->was_stopping = true;
	else if (rc == EV_RC_OK)
		p->was_stopping = false;
	p->sink.item(p->sink.arg, &item);
}

/* The watcher follows libpq's socket, which may be another one by now. */
static void watch(struct pg_probe *p, int events)
{
	int fd = PQsocket(p->conn);

	/* Nothing to tell the kernel, as with most answers. */
	if (ev_is_active(&p->io) && p->io.fd == fd &&
	    (p->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(p->client->loop, &p->io);
	if (fd == -1)
		return;
	ev_io_set(&p->io, fd, events);
	ev_io_start(p->client->loop, &p->io);
}

/* What a failed connection, or one that was lost, says. */
static enum ev_rc why_failed(const struct pg_probe *p, bool kept)
{
	const char *text = PQerrorMessage(p->conn);
	char state[PG_SQLSTATE];
	enum ev_rc rc;

	if (p->notice[0] != '\0') {
		rc = pg_error_of_sqlstate(p->notice, text, p->was_stopping);
		return rc != EV_RC_NONE ? rc : EV_RC_LOST;
	}
	if (!kept && pg_error_sqlstate(text, state)) {
		rc = pg_error_of_sqlstate(state, text, p->was_stopping);
		return rc != EV_RC_NONE ? rc : EV_RC_PARSE;
	}
	rc = pg_error_of_libpq(text);
	/* What stood is lost, however libpq words it: a question. */
	return kept && rc != EV_RC_LOCAL ? EV_RC_LOST : rc;
}

/* An error outside of any answer: 57P01 of a server that stops. */
static void notice_cb(void *arg, const PGresult *res)
{
	struct pg_probe *p = probe_of(arg);
	const char *severity =
	    PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	if (state == NULL || strlen(state) != PG_SQLSTATE - 1)
		return;
	/* 57P02 is announced as a warning; other warnings end nothing. */
	if (strncmp(state, "57P", 3) == 0 ||
	    (severity != NULL && strcmp(severity, "FATAL") == 0))
		memcpy(p->notice, state, PG_SQLSTATE);
}

static uint64_t bytes_received(const struct pg_probe *p)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(PQsocket(p->conn), IPPROTO_TCP, TCP_INFO, &info, &len) ==
	    -1)
		return p->received; /* libpq has closed it: nothing came */
	return info.tcpi_bytes_received;
}

/* A flood of notices or rows grows libpq's buffers without a bound. */
static bool is_flooded(const struct pg_probe *p)
{
	return bytes_received(p) - p->received > LIM_HTTP_BODY;
}

static void send_question(struct pg_probe *p)
{
	p->state = PG_ASKING;
	p->answered = false;
	p->unsent = false;
	memset(&p->answer, 0, sizeof(p->answer));
	p->received = bytes_received(p);
	if (PQsendQuery(p->conn, PG_ROW_SQL) == 0) {
		/* Heard of in the next turn: this may be inside of an ask. */
		p->unsent = true;
		ev_feed_event(p->client->loop, &p->io, EV_READ);
		return;
	}
	watch(p, PQflush(p->conn) == 1 ? EV_READ | EV_WRITE : EV_READ);
}

static enum ev_rc read_result(struct pg_probe *p, const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	enum ev_rc rc;

	if (PQresultStatus(res) == PGRES_TUPLES_OK)
		return pg_row_read(res, &p->answer.u.sql) ? EV_RC_OK
							  : EV_RC_PARSE;
	if (state == NULL)
		return why_failed(p, true);
	rc = pg_error_of_sqlstate(
	    state, PQresultErrorMessage(res), p->was_stopping);
	return rc != EV_RC_NONE ? rc : EV_RC_PARSE;
}

/* Takes results as they come; the question is over at the NULL behind them. */
static void read_answer(struct pg_probe *p)
{
	PGresult *res;
	enum ev_rc rc;

	while (!PQisBusy(p->conn)) {
		res = PQgetResult(p->conn);
		if (res == NULL) {
			if (PQstatus(p->conn) == CONNECTION_BAD)
				conclude(p, why_failed(p, true));
			else
				conclude(
				    p, p->answered ? EV_RC_OK : EV_RC_PARSE);
			return;
		}
		rc = read_result(p, res);
		PQclear(res);
		p->answered = true;
		if (rc != EV_RC_OK) {
			conclude(p, rc);
			return;
		}
	}
}

static void asking_step(struct pg_probe *p)
{
	bool flowing = PQconsumeInput(p->conn) == 1 && !p->unsent;
	int left = flowing ? PQflush(p->conn) : 0;

	if (is_flooded(p)) {
		conclude(p, EV_RC_LIMIT);
		return;
	}
	if (left == -1)
		flowing = false;
	/* What came before the end is read even so. */
	read_answer(p);
	if (p->state != PG_ASKING)
		return;
	if (!flowing)
		conclude(p, why_failed(p, true));
	else
		watch(p, left == 1 ? EV_READ | EV_WRITE : EV_READ);
}

/* Nothing was asked, so what comes is the end, or a notice on the way to it. */
static void idle_step(struct pg_probe *p)
{
	bool flowing = PQconsumeInput(p->conn) == 1;

	(void)PQisBusy(p->conn); /* makes libpq read what came */
	if (!flowing || p->notice[0] != '\0' || is_flooded(p))
		conclude(p, why_failed(p, true));
}

static void connecting_step(struct pg_probe *p)
{
	/* The socket stays readable: the next turn of the loop comes back, and
	   before a deadline does. */
	if (p->client->polled >= POLLS_PER_TURN) {
		p->rearmed = false;
		return;
	}
	p->client->polled++;
	/* The poll may close the socket and open another. */
	ev_io_stop(p->client->loop, &p->io);
	switch (PQconnectPoll(p->conn)) {
	case PGRES_POLLING_READING:
		watch(p, EV_READ);
		return;
	case PGRES_POLLING_WRITING:
		watch(p, EV_WRITE);
		return;
	case PGRES_POLLING_OK:
		(void)PQsetnonblocking(p->conn, 1);
		send_question(p);
		return;
	case PGRES_POLLING_ACTIVE: /* unused by libpq */
	case PGRES_POLLING_FAILED:
		break;
	}
	conclude(p, why_failed(p, false));
}

static void io_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct pg_probe *p = probe_of(w->data);

	(void)loop;
	(void)revents;
	switch (p->state) {
	case PG_CONNECTING:
		connecting_step(p);
		return;
	case PG_ASKING:
		asking_step(p);
		return;
	case PG_IDLE:
		idle_step(p);
		return;
	case PG_AWAY:
	case PG_QUEUED:
		break;
	}
	assert(false); /* no watcher without a connection */
}

/* As in http_client.c: data that arrived by now is read first. */
static void deadline_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct pg_probe *p = probe_of(w->data);

	(void)revents;
	if (!p->rearmed) {
		p->rearmed = true;
		ev_timer_set(w, 0.0, 0.0);
		ev_timer_start(loop, w);
		return;
	}
	/* Who never had its turn heard no silence. */
	conclude(p, p->state == PG_QUEUED ? EV_RC_LOCAL : EV_RC_TIMEOUT);
}

static void begin_connection(struct pg_probe *p)
{
	p->state = PG_CONNECTING;
	p->notice[0] = '\0';
	p->conn = pg_start(&p->cfg, &p->to);
	if (p->conn == NULL) {
		conclude(p, EV_RC_LOCAL);
		return;
	}
	(void)PQsetErrorVerbosity(p->conn, PQERRORS_VERBOSE);
	(void)PQsetNoticeReceiver(p->conn, notice_cb, p);
	if (PQstatus(p->conn) == CONNECTION_BAD) {
		conclude(p, why_failed(p, false));
		return;
	}
	watch(p, EV_WRITE);
}

/*
 * What has begun is ended first: hundreds of logins at our start would all be
 * half done when their time is over. Silent peers need no turn, so they hold
 * nobody up; those that say a little again and again, not for long.
 */
static bool has_room(struct pg_client *c)
{
	struct mono now = mono_now();

	if (c->begun >= BEGIN_PER_TURN ||
	    (c->polled >= POLLS_PER_TURN &&
		mono_sub(now, c->began_at).us < dur_ms(BEGIN_MS).us))
		return false;
	c->began_at = now;
	return true;
}

static void begin_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct pg_client *c = client_of(w->data);
	struct pg_probe *p;

	(void)revents;
	while (c->first != NULL && has_room(c)) {
		p = c->first;
		unqueue(p);
		c->begun++;
		begin_connection(p);
	}
	if (c->first != NULL && !ev_is_active(w)) {
		ev_timer_set(w, 0.0, 0.0);
		ev_timer_start(loop, w);
	}
}

static void turn_cb(struct ev_loop *loop, ev_check *w, int revents)
{
	struct pg_client *c = client_of(w->data);

	(void)loop;
	(void)revents;
	c->begun = 0;
	c->polled = 0;
}

static void queue(struct pg_probe *p)
{
	struct pg_client *c = p->client;

	p->state = PG_QUEUED;
	p->next = NULL;
	*c->last = p;
	c->last = &p->next;
	if (!ev_is_active(&c->begin)) {
		ev_timer_set(&c->begin, 0.0, 0.0);
		ev_timer_start(c->loop, &c->begin);
	}
}

bool pg_probe_ask(struct pg_probe *p)
{
	struct ev_loop *loop = probe_of(p)->client->loop;

	if (is_pg_probe_busy(p) || p->to.addr[0] == '\0')
		return false;
	p->asked = mono_now();
	p->rearmed = false;
	/* From now, not from when this turn of the loop began. */
	ev_now_update(loop);
	ev_timer_set(&p->deadline, TICK_DEADLINE_MS / 1000.0, 0.0);
	ev_timer_start(loop, &p->deadline);
	if (p->state == PG_IDLE)
		send_question(p);
	else
		queue(p);
	return true;
}

bool is_pg_probe_busy(const struct pg_probe *p)
{
	assert(p != NULL && p->magic == PROBE_MAGIC);
	return p->state == PG_QUEUED || p->state == PG_CONNECTING ||
	    p->state == PG_ASKING;
}

void pg_probe_target(struct pg_probe *p, const struct pg_target *to)
{
	struct pg_probe *probe = probe_of(p);

	assert(to != NULL);
	if (strcmp(probe->to.addr, to->addr) == 0 &&
	    strcmp(probe->to.name, to->name) == 0 && probe->to.port == to->port)
		return;
	disconnect(probe);
	probe->was_stopping = false;
	probe->to = *to;
}

struct pg_probe *pg_probe_new(struct pg_client *c, const struct pg_cfg *cfg,
    const struct sink *sink, uint8_t member)
{
	struct pg_probe *p = calloc(1, sizeof(*p));

	assert(client_of(c) != NULL && cfg != NULL);
	assert(sink != NULL && sink->item != NULL);
	if (p == NULL)
		return NULL;
	p->magic = PROBE_MAGIC;
	p->client = c;
	p->cfg = *cfg;
	p->sink = *sink;
	p->member = member;
	ev_init(&p->io, io_cb);
	p->io.data = p;
	ev_set_priority(&p->io, IO_PRIORITY);
	ev_init(&p->deadline, deadline_cb);
	p->deadline.data = p;
	return p;
}

void pg_probe_free(struct pg_probe *p)
{
	if (p == NULL)
		return;
	disconnect(probe_of(p));
	p->magic = 0;
	free(p);
}

struct pg_client *pg_client_new(struct ev_loop *loop)
{
	struct pg_client *c = calloc(1, sizeof(*c));

	assert(loop != NULL);
	if (c == NULL)
		return NULL;
	pg_start_forget_env();
	c->magic = CLIENT_MAGIC;
	c->loop = loop;
	c->last = &c->first;
	gap_start(&c->gap, loop);
	ev_check_init(&c->turn, turn_cb);
	ev_set_priority(&c->turn, EV_MAXPRI);
	c->turn.data = c;
	ev_check_start(loop, &c->turn);
	ev_unref(loop);
	ev_init(&c->begin, begin_cb);
	c->begin.data = c;
	return c;
}

void pg_client_free(struct pg_client *c)
{
	if (c == NULL)
		return;
	assert(client_of(c)->first == NULL);
	ev_timer_stop(c->loop, &c->begin);
	ev_ref(c->loop);
	ev_check_stop(c->loop, &c->turn);
	gap_stop(&c->gap);
	c->magic = 0;
	free(c);
}
