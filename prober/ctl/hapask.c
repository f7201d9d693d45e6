/*
 * hapask.c - see hapask.h. Source: management.txt of 2.6, 9.3: a command in
 * non-interactive mode, its answer, the end of the stream.
 */
#include "hapask.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mono.h"
#include "sock.h"

#define PATIENCE_MS 5000

static int dial(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(to.sun_path, path, strlen(path) + 1);
	return sock_dial(
	    (const struct sockaddr *)&to, sizeof(to), dur_ms(PATIENCE_MS));
}

struct lines {
	char buf[HAPASK_LINE];
	size_t used;
	bool (*line)(void *arg, struct slice line);
	void *arg;
};

/* Gives: false once the caller wants no more. */
static bool feed(struct lines *l, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != '\n') {
			if (l->used < sizeof(l->buf))
				l->buf[l->used++] = bytes[i];
			continue;
		}
		if (!l->line(l->arg, slice_of(l->buf, l->used)))
			return false;
		l->used = 0;
	}
	return true;
}

static const char *hear(int fd, struct lines *l)
{
	const struct mono until = mono_add(mono_now(), dur_ms(PATIENCE_MS));
	char bytes[16384];

	for (;;) {
		ssize_t n = sock_hear(fd, bytes, sizeof(bytes), until);

		if (n == -1)
			return "no whole answer in time";
		if (n == 0)
			return NULL;
		if (!feed(l, bytes, (size_t)n))
			return NULL;
	}
}

const char *hapask(const char *path, const char *command,
    bool (*line)(void *arg, struct slice line), void *arg)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s\n", command);
	struct lines l = {.line = line, .arg = arg};
	const char *wrong;
	int fd;

	assert(path != NULL && line != NULL && n > 0);
	assert((size_t)n < sizeof(text));
	fd = dial(path);
	if (fd == -1)
		return strerror(errno);
	/* The master answers only once it knows that nothing follows. */
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n ||
	    shutdown(fd, SHUT_WR) == -1)
		wrong = strerror(errno);
	else
		wrong = hear(fd, &l);
	(void)close(fd);
	return wrong;
}
