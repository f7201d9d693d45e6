/*
 * listener.c - the agent's listening sockets; see listener.h.
 *
 * Made by main() while the process may still bind anywhere, served by the loop.
 */
#include "listener.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "process.h"
#include "sock.h"

#define RESUME_S 0.1
/* In a turn of the loop: the others come in the next. */
#define ACCEPT_TURN 256

static void add(struct listeners *ls, int fd, const char *path)
{
	struct listener *l = &ls->l[ls->n++];

	assert(ls->n <= LIM_AGENT_LISTEN + 1);
	*l = (struct listener){.fd = fd};
	memcpy(l->path, path, strlen(path) + 1);
}

static void listen_unix(struct listeners *ls, const char *conf_path,
    const char *key, const char *path, struct sock_owner owner)
{
	int fd = sock_listen_unix(path, SOCK_STREAM, owner);

	if (fd == -1)
		fatal("%s: %s: cannot listen on unix:%s: %s", conf_path, key,
		    path, process_listen_error());
	add(ls, fd, path);
}

void listeners_make(
    const struct conf *conf, const char *path, struct listeners *ls)
{
	struct sock_owner owner;

	assert(conf != NULL && path != NULL && ls != NULL);
	owner = process_owner(conf, path);
	for (unsigned i = 0; i < conf->agent.listen_n; i++) {
		const struct conf_agent_listen *l = &conf->agent.listen[i];
		int fd;

		if (l->is_unix) {
			listen_unix(ls, path, "agent.listen", l->path, owner);
			continue;
		}
		fd = sock_listen_tcp(l->addr, l->port);
		if (fd == -1)
			fatal("%s: agent.listen: cannot listen on %s port "
			      "%u: %s",
			    path, l->addr, l->port, process_listen_error());
		add(ls, fd, "");
	}
	listen_unix(
	    ls, path, "agent.desk_socket", conf->agent.desk_socket, owner);
}

void listener_serve(
    struct listeners *ls, unsigned i, const struct listen_host *host)
{
	assert(ls != NULL && i < ls->n && host != NULL);
	assert(host->has_room != NULL && host->open != NULL);
	ls->l[i].host = *host;
}

static void pause_one(struct listeners *ls, struct listener *l, const char *why)
{
	log_debug("stop accept fd=%d why=\"%s\"", l->fd, why);
	l->is_paused = true;
	ls->paused++;
	ev_io_stop(ls->loop, &l->io);
	if (!ev_is_active(&ls->resume)) {
		ev_timer_set(&ls->resume, RESUME_S, 0.0);
		ev_timer_start(ls->loop, &ls->resume);
	}
}

/* Errors of one connection that never was; accept(2) says to try again. */
static bool is_passing(int error)
{
	return error == ECONNABORTED || error == EINTR || error == EPROTO ||
	    error == EPERM || error == ENETDOWN || error == ENETUNREACH ||
	    error == EHOSTUNREACH || error == EHOSTDOWN || error == ENONET ||
	    error == ENOPROTOOPT || error == EOPNOTSUPP;
}

static void accept_some(struct listeners *ls, struct listener *l, unsigned max)
{
	int fd;

	for (unsigned i = 0; i < max; i++) {
		if (!l->host.has_room(l->host.arg)) {
			pause_one(ls, l, "room");
			return;
		}
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1) {
			l->host.open(l->host.arg, fd);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (!is_passing(errno)) {
			pause_one(ls, l, strerror(errno));
			return;
		}
	}
}

static void listen_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct listener *l =
	    (struct listener *)((char *)w - offsetof(struct listener, io));

	(void)loop;
	if ((revents & EV_ERROR) != 0) /* libev has stopped watching it */
		pause_one(w->data, l, "not watched: no memory");
	else
		accept_some(w->data, l, ACCEPT_TURN);
}

void listeners_resume(struct listeners *ls)
{
	assert(ls != NULL);
	if (ls->paused == 0 || ls->loop == NULL)
		return;
	ls->paused = 0;
	ev_timer_stop(ls->loop, &ls->resume);
	for (unsigned i = 0; i < ls->n; i++) {
		if (!ls->l[i].is_paused)
			continue;
		ls->l[i].is_paused = false;
		ev_io_start(ls->loop, &ls->l[i].io);
	}
}

static void resume_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	listeners_resume(w->data);
}

void listeners_start(struct listeners *ls, struct ev_loop *loop)
{
	assert(ls != NULL && loop != NULL);
	ls->loop = loop;
	ev_timer_init(&ls->resume, resume_cb, RESUME_S, 0.0);
	ls->resume.data = ls;
	for (unsigned i = 0; i < ls->n; i++) {
		assert(ls->l[i].host.open != NULL);
		ev_io_init(&ls->l[i].io, listen_cb, ls->l[i].fd, EV_READ);
		ls->l[i].io.data = ls;
		ev_io_start(loop, &ls->l[i].io);
	}
}

void listeners_stop(struct listeners *ls)
{
	assert(ls != NULL);
	for (unsigned i = 0; i < ls->n; i++) {
		struct listener *l = &ls->l[i];

		/* Who waits in the queue was promised an answer. */
		if (ls->loop != NULL && !l->is_paused)
			accept_some(ls, l, UINT_MAX);
		if (ls->loop != NULL)
			ev_io_stop(ls->loop, &l->io);
		if (l->path[0] != '\0')
			(void)unlink(l->path);
		(void)close(l->fd);
	}
	if (ls->loop != NULL)
		ev_timer_stop(ls->loop, &ls->resume);
	ls->n = 0;
	ls->paused = 0;
	ls->loop = NULL;
}
