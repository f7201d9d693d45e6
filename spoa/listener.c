/*
 * listener.c - the agent's listening sockets; see listener.h.
 *
 * Made by main() while the process may still bind anywhere, served by the loop.
 */
#include "listener.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "numeric.h"

/* HAProxy may open one connection a held stream; the kernel caps it. */
#define BACKLOG 4096
#define RESUME_S 0.1

static int close_keeping_errno(int fd)
{
	int saved = errno;

	(void)close(fd);
	errno = saved;
	return -1;
}

/* Makes way for a new socket file. Gives: -1 and errno if it is in use. */
static int clear_path(const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, rc;

	if (lstat(sa->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = ENOTSOCK;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	rc = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	/* A full queue (EAGAIN) is somebody's too. */
	if (rc == 0 || errno == EAGAIN) {
		errno = EADDRINUSE;
		return close_keeping_errno(fd);
	}
	(void)close(fd);
	return unlink(sa->sun_path);
}

static int bind_unix(const struct sockaddr_un *sa, struct listen_owner owner)
{
	mode_t old;
	int fd, rc;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	/* Nobody else's until it has its owner and mode. */
	old = umask(0177);
	rc = bind(fd, (const struct sockaddr *)sa, sizeof(*sa));
	(void)umask(old);
	/* The mode first: of a file of another's not even root may change it
	   without a capability more. */
	if (rc == -1 || chmod(sa->sun_path, 0660) == -1 ||
	    chown(sa->sun_path, owner.uid, owner.gid) == -1 ||
	    listen(fd, BACKLOG) == -1)
		return close_keeping_errno(fd);
	return fd;
}

static int add(struct listeners *ls, int fd, const char *path)
{
	struct listener *l = &ls->l[ls->n];

	assert(ls->n < LIM_AGENT_LISTEN + 1);
	*l = (struct listener){.fd = fd};
	memcpy(l->path, path, strlen(path) + 1);
	return (int)ls->n++;
}

int listener_unix(
    struct listeners *ls, const char *path, struct listen_owner owner)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int fd;

	assert(ls != NULL && len < sizeof(sa.sun_path));
	memcpy(sa.sun_path, path, len + 1);
	if (clear_path(&sa) == -1)
		return -1;
	fd = bind_unix(&sa, owner);
	return fd == -1 ? -1 : add(ls, fd, path);
}

int listener_tcp(struct listeners *ls, const char *addr, uint16_t port)
{
	struct numeric to;
	int fd, on = 1;

	assert(ls != NULL);
	if (!numeric_addr(addr, port, &to)) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(
	    to.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	/* A restart must not wait for old connections to fade. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    bind(fd, (const struct sockaddr *)&to.sa, to.len) == -1 ||
	    listen(fd, BACKLOG) == -1)
		return close_keeping_errno(fd);
	return add(ls, fd, "");
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

static void listen_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct listeners *ls = w->data;
	struct listener *l =
	    (struct listener *)((char *)w - offsetof(struct listener, io));
	int fd;

	(void)loop;
	(void)revents;
	for (;;) {
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
	if (ls->loop != NULL)
		ev_timer_stop(ls->loop, &ls->resume);
	for (unsigned i = 0; i < ls->n; i++) {
		struct listener *l = &ls->l[i];

		if (ls->loop != NULL)
			ev_io_stop(ls->loop, &l->io);
		if (l->path[0] != '\0')
			(void)unlink(l->path);
		(void)close(l->fd);
	}
	ls->n = 0;
	ls->paused = 0;
	ls->loop = NULL;
}
