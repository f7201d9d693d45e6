/*
 * cancel.c - a CancelRequest for every member; see cancel.h.
 *
 * Called by desk.c. Source: PostgreSQL manual, "Canceling Requests in
 * Progress": the server acts and closes the connection without an answer.
 */
#include "cancel.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "mono.h"
#include "numeric.h"

static void drop(struct cancel_job *j, ev_io *io)
{
	struct cancels *cs = j->cancels;

	ev_io_stop(cs->loop, io);
	(void)close(io->fd);
	io->fd = -1;
	j->open--;
	cs->open--;
}

static void finish(struct cancel_job *j)
{
	struct cancels *cs = j->cancels;

	for (unsigned i = 0; i < LIM_MEMBERS; i++) {
		if (j->io[i].fd != -1)
			drop(j, &j->io[i]);
	}
	ev_timer_stop(cs->loop, &j->deadline);
	j->is_busy = false;
	cs->done_cb(cs->arg, j->tag);
}

static void deadline_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	finish(w->data);
}

/* The packet is small enough for an empty socket to take it whole. */
static bool is_sent(const struct cancel_job *j, int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 ||
	    error != 0)
		return false;
	return send(fd, j->packet, j->len, MSG_NOSIGNAL) == (ssize_t)j->len;
}

static void member_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct cancel_job *j = w->data;
	char rest[64];
	int fd = w->fd;

	if ((revents & EV_WRITE) != 0 && is_sent(j, fd)) {
		ev_io_stop(loop, w);
		ev_io_set(w, fd, EV_READ);
		ev_io_start(loop, w);
		return;
	}
	if ((revents & EV_WRITE) == 0 &&
	    recv(fd, rest, sizeof(rest), 0) == -1 &&
	    (errno == EAGAIN || errno == EINTR))
		return;
	drop(j, w);
	if (j->open == 0)
		finish(j);
}

static void ask(struct cancel_job *j, unsigned i, const struct snap_member *m)
{
	struct cancels *cs = j->cancels;
	struct numeric to;
	int fd;

	if (cs->open >= cs->max || !numeric_addr(m->addr, m->port, &to))
		return;
	fd = socket(
	    to.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return;
	if (connect(fd, (const struct sockaddr *)&to.sa, to.len) == -1 &&
	    errno != EINPROGRESS) {
		(void)close(fd);
		return;
	}
	ev_io_set(&j->io[i], fd, EV_WRITE);
	ev_io_start(cs->loop, &j->io[i]);
	j->open++;
	cs->open++;
}

static struct cancel_job *free_job(struct cancels *cs)
{
	for (unsigned i = 0; i < CANCEL_JOBS; i++) {
		if (!cs->job[i].is_busy)
			return &cs->job[i];
	}
	return NULL;
}

bool cancel_start(struct cancels *cs, const struct snapshot *snap,
    struct slice packet, uint32_t tag)
{
	struct cancel_job *j = free_job(cs);

	assert(snap != NULL && packet.len > 0);
	assert(packet.len <= CANCEL_PACKET_MAX);
	if (j == NULL)
		return false;
	memcpy(j->packet, packet.p, packet.len);
	j->len = packet.len;
	j->tag = tag;
	for (unsigned i = 0; i < snap->n; i++)
		ask(j, i, &snap->m[i]);
	if (j->open == 0)
		return false;
	j->is_busy = true;
	ev_timer_set(&j->deadline, dur_to_s(dur_ms(CANCEL_MS)), 0.0);
	ev_timer_start(cs->loop, &j->deadline);
	return true;
}

static void init_job(struct cancel_job *j, struct cancels *cs)
{
	j->cancels = cs;
	ev_timer_init(&j->deadline, deadline_cb, 0.0, 0.0);
	j->deadline.data = j;
	for (unsigned i = 0; i < LIM_MEMBERS; i++) {
		ev_io_init(&j->io[i], member_cb, -1, EV_READ);
		j->io[i].data = j;
	}
}

void cancels_init(struct cancels *cs, struct ev_loop *loop, uint32_t max)
{
	assert(cs != NULL && loop != NULL);
	cs->loop = loop;
	cs->max = max;
	for (unsigned i = 0; i < CANCEL_JOBS; i++)
		init_job(&cs->job[i], cs);
}

void cancels_free(struct cancels *cs)
{
	assert(cs != NULL);
	if (cs->loop == NULL)
		return;
	for (unsigned i = 0; i < CANCEL_JOBS; i++) {
		if (cs->job[i].is_busy)
			finish(&cs->job[i]);
	}
}
