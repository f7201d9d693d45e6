/*
 * hapcli.c - connect, send one line, read lines to the end of the stream.
 *
 * A HAProxy that is frozen still accepts (its backlog does), so only the
 * deadline ends such a wait. Reads are bounded for each turn of the loop.
 */
#include "hapcli.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sock.h"

#define READS_A_TURN 8
#define READ_BYTES 16384

static void finish(struct hapcli *c, const char *why)
{
	hapcli_stop(c);
	c->sink.done(c->sink.arg, why);
}

/* Cuts the bytes into lines; a line longer than the buffer is cut short. */
static void take(struct hapcli *c, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\n') {
			if (c->line_len < sizeof(c->line))
				c->line[c->line_len++] = p[i];
			continue;
		}
		struct slice line = slice_of(c->line, c->line_len);

		c->line_len = 0;
		c->sink.line(c->sink.arg, line);
	}
}

static void do_read(struct hapcli *c)
{
	char buf[READ_BYTES];

	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n == -1) {
			finish(c, "lost");
			return;
		}
		if (n == 0) {
			finish(c, NULL);
			return;
		}
		take(c, buf, (size_t)n);
	}
}

static void do_write(struct hapcli *c)
{
	ssize_t n = send(c->fd, c->out + c->out_done, c->out_len - c->out_done,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1) {
		finish(c, "lost");
		return;
	}
	c->out_done += (size_t)n;
	if (c->out_done < c->out_len)
		return;
	/* A worker ends the stream by itself, the master (2.6.12) only then. */
	(void)shutdown(c->fd, SHUT_WR);
	ev_io_stop(c->loop, &c->io);
	ev_io_set(&c->io, c->fd, EV_READ);
	ev_io_start(c->loop, &c->io);
}

static void io_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct hapcli *c = w->data;

	(void)loop;
	assert(c->magic == HAPCLI_MAGIC && c->fd != -1);
	if (revents & EV_READ)
		do_read(c);
	else
		do_write(c);
}

static void deadline_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct hapcli *c = w->data;

	(void)revents;
	assert(c->magic == HAPCLI_MAGIC && c->fd != -1);
	/* After a pause timers run before data that has already arrived. */
	if (!c->last_chance) {
		c->last_chance = true;
		ev_timer_set(w, 0., 0.);
		ev_timer_start(loop, w);
		return;
	}
	finish(c, "timeout");
}

void hapcli_init(struct hapcli *c, struct ev_loop *loop, const char *path,
    const struct hapcli_sink *sink)
{
	assert(c != NULL && path != NULL && sink->line != NULL);
	assert(sink->done != NULL);
	memset(c, 0, sizeof(*c));
	c->magic = HAPCLI_MAGIC;
	c->loop = loop;
	c->path = path;
	c->sink = *sink;
	c->fd = -1;
	ev_io_init(&c->io, io_cb, -1, EV_WRITE);
	ev_timer_init(&c->deadline, deadline_cb, 0., 0.);
	ev_set_priority(&c->io, 1); /* data before its deadline */
	c->io.data = c;
	c->deadline.data = c;
}

void hapcli_stop(struct hapcli *c)
{
	assert(c != NULL && c->magic == HAPCLI_MAGIC);
	ev_io_stop(c->loop, &c->io);
	ev_timer_stop(c->loop, &c->deadline);
	sock_close(&c->fd);
}

bool is_hapcli_busy(const struct hapcli *c)
{
	assert(c != NULL && c->magic == HAPCLI_MAGIC);
	return c->fd != -1;
}

void hapcli_begin(struct hapcli *c)
{
	assert(!is_hapcli_busy(c));
	c->out_len = 0;
}

bool hapcli_add(struct hapcli *c, const char *command)
{
	size_t len = strlen(command);
	size_t separator = c->out_len > 0 ? 1 : 0;

	assert(!is_hapcli_busy(c));
	/* One byte more for the newline of the whole line. */
	if (strpbrk(command, ";\n") != NULL ||
	    len + separator + 1 > sizeof(c->out) - c->out_len)
		return false;
	if (separator > 0)
		c->out[c->out_len++] = ';';
	memcpy(c->out + c->out_len, command, len);
	c->out_len += len;
	return true;
}

bool is_hapcli_filled(const struct hapcli *c)
{
	return c->out_len > 0;
}

const char *hapcli_run(struct hapcli *c, struct dur deadline)
{
	assert(!is_hapcli_busy(c) && is_hapcli_filled(c) && deadline.us > 0);
	c->fd = sock_connect_unix(c->path);
	if (c->fd == -1)
		return strerror(errno);
	c->out[c->out_len++] = '\n';
	c->out_done = 0;
	c->line_len = 0;
	c->last_chance = false;
	ev_io_set(&c->io, c->fd, EV_WRITE);
	ev_timer_set(&c->deadline, dur_to_s(deadline), 0.);
	ev_io_start(c->loop, &c->io);
	ev_timer_start(c->loop, &c->deadline);
	return NULL;
}
