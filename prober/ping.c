/*
 * ping.c - asks a running prober; see ping.h.
 *
 * Runs in a process of its own, which may block.
 */
#include "ping.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "numeric.h"

#define QUESTION "GET /healthz HTTP/1.0\r\n\r\n"

/* Gives: the descriptor, or -1 and errno. */
static int dial(const struct conf_prober *p)
{
	/* connect() of a blocking socket honours the time limit for sends. */
	const struct timeval tv = {.tv_usec = (PING_MS - 1) * 1000L};
	struct numeric to;
	int fd;

	errno = EINVAL;
	if (!numeric_addr(p->http_address, p->http_port, &to))
		return -1;
	fd = socket(to.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd != -1 &&
	    (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == -1 ||
		connect(fd, (const struct sockaddr *)&to.sa, to.len) == -1)) {
		int saved = errno;

		(void)close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* "HTTP/1.1 200 OK": the status begins at the tenth byte. */
static const char *judge(const char *line, size_t n)
{
	if (n < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ')
		return "an answer that is not HTTP";
	if (memcmp(line + 9, "200", 3) != 0 && memcmp(line + 9, "503", 3) != 0)
		return "neither 200 nor 503";
	return NULL;
}

static const char *await(int fd, struct mono until)
{
	char line[12];
	size_t n = 0;

	while (n < sizeof(line)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = dur_to_ms(mono_sub(until, mono_now()));
		ssize_t got;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return "no answer in time";
		got = recv(fd, line + n, sizeof(line) - n, 0);
		if (got <= 0)
			return "closed without an answer";
		n += (size_t)got;
	}
	return judge(line, n);
}

const char *ping_prober(const struct conf *conf)
{
	const struct mono until = mono_add(mono_now(), dur_ms(PING_MS));
	const ssize_t len = sizeof(QUESTION) - 1;
	const char *wrong;
	int fd;

	assert(conf != NULL);
	fd = dial(&conf->prober);
	if (fd == -1)
		return strerror(errno);
	if (send(fd, QUESTION, (size_t)len, MSG_NOSIGNAL) != len)
		wrong = strerror(errno);
	else
		wrong = await(fd, until);
	(void)close(fd);
	return wrong;
}
