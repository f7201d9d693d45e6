/*
 * pgc.c - the life of a connection: connect, (ask for TLS,) log in, query.
 *
 * One read callback takes all there is and walks through the messages; each
 * message may end the connection, so the state is looked at after each.
 * Source: PostgreSQL 15, "Frontend/Backend Protocol", Message Flow.
 */
#include "pgc.h"

#include "clock.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* Codes of AuthenticationRequest ('R'). */
enum {
	AUTH_OK = 0,
	AUTH_CLEARTEXT = 3,
	AUTH_MD5 = 5,
	AUTH_SASL = 10,
	AUTH_SASL_CONT = 11,
	AUTH_SASL_FINAL = 12
};

const char *pgc_end_name(enum pgc_end end)
{
	switch (end) {
	case PGC_END_NONE:
		return "none";
	case PGC_END_REFUSED:
		return "refused";
	case PGC_END_RESET:
		return "reset";
	case PGC_END_FIN:
		return "fin";
	case PGC_END_UNREACH:
		return "unreach";
	case PGC_END_LOCAL:
		return "local";
	case PGC_END_PROTO:
		return "proto";
	}
	abort();
	return "";
}

static enum pgc_end end_of_errno(int e)
{
	switch (e) {
	case ECONNREFUSED:
		return PGC_END_REFUSED;
	case ECONNRESET:
	case EPIPE:
	case ECONNABORTED:
		return PGC_END_RESET;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case EADDRNOTAVAIL:
	case EACCES:
	case EPERM:
		return PGC_END_LOCAL;
	default:
		return PGC_END_UNREACH;
	}
}

void pgc_drop(struct pgc *c)
{
	assert(c != NULL && c->magic == PGC_MAGIC);
	if (c->state == PGC_OFF)
		return;
	ev_io_stop(c->loop, &c->io);
	(void)close(c->io.fd);
	c->state = PGC_OFF;
}

static void end(struct pgc *c, enum pgc_end why)
{
	pgc_drop(c);
	c->ops->ended(c, why);
}

static bool send_out(struct pgc *c, const struct pgw_out *o)
{
	ssize_t n;

	if (o->full)
		return false;
	/* A few hundred bytes into an empty socket: all of them or none. */
	n = send(c->io.fd, o->b, o->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n != -1 && (size_t)n == o->len;
}

void pgc_close(struct pgc *c)
{
	struct pgw_out o = {.len = 0};

	assert(c != NULL && c->magic == PGC_MAGIC);
	if (c->state == PGC_READY || c->state == PGC_QUERY) {
		pgw_terminate(&o);
		(void)send_out(c, &o);
	}
	pgc_drop(c);
}

bool pgc_query(struct pgc *c, const char *sql)
{
	struct pgw_out o = {.len = 0};

	assert(c != NULL && c->magic == PGC_MAGIC && c->state == PGC_READY);
	memset(&c->err, 0, sizeof(c->err));
	pgw_query(&o, sql);
	if (!send_out(c, &o))
		return false;
	c->state = PGC_QUERY;
	return true;
}

static void send_or_end(struct pgc *c, const struct pgw_out *o)
{
	if (!send_out(c, o))
		end(c, PGC_END_RESET);
}

static void send_startup(struct pgc *c)
{
	const struct pgc_login *l = c->login;
	struct pgw_out o = {.len = 0};
	const char *const params[] = {"user", l->user, "database", l->database,
	    "application_name", l->application, "options", l->options, NULL};

	c->state = PGC_STARTUP;
	pgw_startup(&o, params);
	send_or_end(c, &o);
}

static void on_connected(struct pgc *c)
{
	struct pgw_out o = {.len = 0};
	int e = 0;
	socklen_t len = sizeof(e);

	if (getsockopt(c->io.fd, SOL_SOCKET, SO_ERROR, &e, &len) == -1)
		e = errno;
	if (e != 0) {
		end(c, end_of_errno(e));
		return;
	}
	c->connected_ns = clock_now_ns();
	ev_io_stop(c->loop, &c->io);
	ev_io_set(&c->io, c->io.fd, EV_READ);
	ev_io_start(c->loop, &c->io);
	if (!c->login->ssl_ask) {
		send_startup(c);
		return;
	}
	c->state = PGC_SSL;
	pgw_ssl_request(&o);
	send_or_end(c, &o);
}

static void make_nonce(char *out, size_t size)
{
	uint64_t r[2];

	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		abort();
	(void)snprintf(
	    out, size, "%016jx%016jx", (uintmax_t)r[0], (uintmax_t)r[1]);
}

static void on_sasl(struct pgc *c)
{
	struct pgw_out o = {.len = 0};
	char first[SCRAM_TEXT];

	make_nonce(c->nonce, sizeof(c->nonce));
	if (!scram_first(
		&(struct scram){.nonce = c->nonce}, first, sizeof(first))) {
		end(c, PGC_END_PROTO);
		return;
	}
	pgw_sasl_initial(&o, first);
	send_or_end(c, &o);
}

static void on_sasl_continue(struct pgc *c, const struct pgw_msg *m)
{
	struct pgw_out o = {.len = 0};
	struct scram s = {c->login->scram, c->login->password, c->nonce};
	char final[SCRAM_TEXT];

	if (!scram_final(&s, (const char *)m->body + 4, m->len - 4, final,
		sizeof(final))) {
		end(c, PGC_END_PROTO);
		return;
	}
	pgw_sasl_response(&o, final);
	send_or_end(c, &o);
}

static void on_md5(struct pgc *c, const struct pgw_msg *m)
{
	struct pgw_out o = {.len = 0};
	char answer[SCRAM_MD5];

	if (m->len < 8 ||
	    !scram_md5(
		c->login->user, c->login->password, m->body + 4, answer)) {
		end(c, PGC_END_PROTO);
		return;
	}
	pgw_password(&o, answer);
	send_or_end(c, &o);
}

static void on_auth(struct pgc *c, const struct pgw_msg *m)
{
	struct pgw_out o = {.len = 0};

	switch (m->len < 4 ? UINT32_MAX : pgw_be32(m->body)) {
	case AUTH_OK:
	case AUTH_SASL_FINAL:
		return;
	case AUTH_CLEARTEXT:
		pgw_password(&o, c->login->password);
		send_or_end(c, &o);
		return;
	case AUTH_MD5:
		on_md5(c, m);
		return;
	case AUTH_SASL:
		on_sasl(c);
		return;
	case AUTH_SASL_CONT:
		on_sasl_continue(c, m);
		return;
	default:
		end(c, PGC_END_PROTO);
	}
}

static void on_idle(struct pgc *c)
{
	bool first = c->state == PGC_STARTUP;

	c->state = PGC_READY;
	if (!first) {
		c->ops->done(c);
		return;
	}
	c->ready_ns = clock_now_ns();
	memset(&c->err, 0, sizeof(c->err));
	c->ops->ready(c);
}

static void on_message(struct pgc *c, const struct pgw_msg *m)
{
	switch (m->type) {
	case 'R':
		on_auth(c, m);
		return;
	case 'K':
		if (m->len >= 4)
			c->backend_pid = pgw_be32(m->body);
		return;
	case 'E':
		pgw_error_read(m, &c->err);
		return;
	case 'D':
		c->ops->row(c, m);
		return;
	case 'Z':
		on_idle(c);
		return;
	default: /* ParameterStatus, RowDescription, notices: not needed */
		return;
	}
}

static void walk(struct pgc *c)
{
	size_t at = 0;

	if (c->state == PGC_SSL && c->in_len > 0) {
		if (c->in[0] != 'N') {
			end(c, PGC_END_PROTO);
			return;
		}
		at = 1;
		send_startup(c);
	}
	while (c->state != PGC_OFF) {
		struct pgw_msg m;
		size_t used = 0;
		enum pgw_rc rc =
		    pgw_read(c->in + at, c->in_len - at, &m, &used);

		if (rc == PGW_BAD) {
			end(c, PGC_END_PROTO);
			return;
		}
		if (rc == PGW_MORE)
			break;
		at += used;
		on_message(c, &m);
	}
	if (c->state == PGC_OFF)
		return;
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
}

static void io_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct pgc *c = w->data;
	ssize_t n;

	(void)loop;
	(void)revents;
	assert(c != NULL && c->magic == PGC_MAGIC && c->state != PGC_OFF);
	if (c->state == PGC_CONNECT) {
		on_connected(c);
		return;
	}
	n = recv(c->io.fd, c->in + c->in_len, sizeof(c->in) - c->in_len,
	    MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(c, n == 0 ? PGC_END_FIN : end_of_errno(errno));
		return;
	}
	if (c->hello_ns == 0)
		c->hello_ns = clock_now_ns();
	c->in_len += (size_t)n;
	walk(c);
}

static void note_port(struct pgc *c, int fd)
{
	struct sockaddr_in me = {0};
	socklen_t len = sizeof(me);

	if (getsockname(fd, (struct sockaddr *)&me, &len) == 0)
		c->port = ntohs(me.sin_port);
}

enum pgc_end pgc_open(struct pgc *c, struct ev_loop *loop,
    const struct pgc_ops *ops, const struct pgc_login *login,
    const struct sockaddr_in *to)
{
	int fd;

	assert(c != NULL && c->state == PGC_OFF && to != NULL);
	memset(c, 0, offsetof(struct pgc, in));
	c->magic = PGC_MAGIC;
	c->loop = loop;
	c->ops = ops;
	c->login = login;
	c->start_ns = clock_now_ns();
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return PGC_END_LOCAL;
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == -1 &&
	    errno != EINPROGRESS) {
		int e = errno;

		(void)close(fd);
		return end_of_errno(e);
	}
	note_port(c, fd);
	c->state = PGC_CONNECT;
	ev_io_init(&c->io, io_cb, fd, EV_WRITE);
	c->io.data = c;
	ev_set_priority(&c->io, 1); /* data before timeouts */
	ev_io_start(loop, &c->io);
	return PGC_END_NONE;
}
