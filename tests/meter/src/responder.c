/*
 * responder.c - patroute-responder: stands where a PostgreSQL would stand
 * behind HAProxy, for a load of connections that a PostgreSQL could not bear
 * on a small machine (3-9 ms of processor for each new one).
 *
 * It gives no verdict: the routers under test ask the real PostgreSQL, whose
 * place it takes and whose word (in recovery or not) it was given at start;
 * whoever starts it makes sure that this stays true. One epoll loop, blocking
 * on nothing else.
 */
#include "answers.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS 65536
#define EVENTS 64

struct client {
	int fd;
	bool started;
	size_t len;
	unsigned char in[PGW_IN_MAX];
};

struct responder {
	int epoll_fd, listen_fd;
	struct answers answers;
};

/*
 * With a reset: HAProxy, which is just closing too, would otherwise be left
 * with a TIME_WAIT for each and, at 500 a second, without ports.
 */
static void drop(struct client *c)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	(void)close(c->fd);
	free(c);
}

static bool say(const struct client *c, const void *p, size_t len)
{
	/* A few hundred bytes into an empty socket: all of them or none. */
	return send(c->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

/* Gives: how many bytes it took; 0: more are needed; -1: it is over. */
static ssize_t take_first(const struct responder *r, struct client *c)
{
	size_t used = 0;

	switch (answers_read_first(c->in, c->len, &used)) {
	case ANSWERS_MORE:
		return 0;
	case ANSWERS_ENCRYPT:
		return say(c, "N", 1) ? (ssize_t)used : -1;
	case ANSWERS_STARTUP:
		c->started = true;
		return say(c, r->answers.greeting.b, r->answers.greeting.len)
		    ? (ssize_t)used
		    : -1;
	case ANSWERS_CLOSE:
		return -1;
	}
	abort();
	return -1;
}

static ssize_t take_message(const struct responder *r, struct client *c)
{
	const struct pgw_out *answer;
	struct pgw_msg m;
	size_t used = 0;

	switch (pgw_read(c->in, c->len, &m, &used)) {
	case PGW_MORE:
		return 0;
	case PGW_BAD:
		return -1;
	case PGW_OK:
		break;
	}
	if (m.type != 'Q')
		return -1;
	answer = answers_find(&r->answers, m.body, m.len);
	return say(c, answer->b, answer->len) ? (ssize_t)used : -1;
}

static void on_readable(const struct responder *r, struct client *c)
{
	ssize_t n =
	    recv(c->fd, c->in + c->len, sizeof(c->in) - c->len, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->len += (size_t)n;
	while (c->len > 0) {
		n = c->started ? take_message(r, c) : take_first(r, c);
		if (n == -1) {
			drop(c);
			return;
		}
		if (n == 0)
			return;
		c->len -= (size_t)n;
		memmove(c->in, c->in + n, c->len);
	}
}

/* Gives: false if nobody is left to accept, or there is no room. */
static bool accept_one(const struct responder *r)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct client *c;
	int fd =
	    accept4(r->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd == -1)
		return false;
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		(void)close(fd);
		return false;
	}
	c->fd = fd;
	ev.data.ptr = c;
	if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == -1)
		drop(c);
	return true;
}

static int run(const struct responder *r)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(r->epoll_fd, events, EVENTS, -1);

		if (n == -1 && errno != EINTR)
			return 1;
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr != NULL)
				on_readable(r, events[i].data.ptr);
			else
				while (accept_one(r))
					;
		}
	}
}

static bool listen_on(struct responder *r, const char *address, long port)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct epoll_event ev = {.events = EPOLLIN};
	int on = 1;

	if (port < 1 || port > UINT16_MAX ||
	    inet_pton(AF_INET, address, &to.sin_addr) != 1) {
		errno = EINVAL;
		return false;
	}
	to.sin_port = htons((uint16_t)port);
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r->listen_fd =
	    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return r->epoll_fd != -1 && r->listen_fd != -1 &&
	    setsockopt(
		r->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    bind(r->listen_fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
	    listen(r->listen_fd, SOMAXCONN) == 0 &&
	    epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->listen_fd, &ev) == 0;
}

int main(int argc, char **argv)
{
	struct rlimit lim = {DESCRIPTORS, DESCRIPTORS};
	struct responder r = {.epoll_fd = -1, .listen_fd = -1};
	bool replica = argc == 4 && strcmp(argv[3], "replica") == 0;

	if (argc != 4 || (!replica && strcmp(argv[3], "primary") != 0)) {
		(void)fprintf(stderr,
		    "usage: patroute-responder ADDRESS PORT"
		    " primary|replica\n");
		return 2;
	}
	(void)setrlimit(RLIMIT_NOFILE, &lim);
	if (!listen_on(&r, argv[1], strtol(argv[2], NULL, 10)) ||
	    !answers_init(&r.answers, argv[1], replica)) {
		(void)fprintf(stderr, "patroute-responder: %s port %s: %s\n",
		    argv[1], argv[2], strerror(errno));
		return 1;
	}
	return run(&r);
}
