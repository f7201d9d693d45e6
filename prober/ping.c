/*
 * ping.c - asks a running prober; see ping.h.
 *
 * Runs in a process of its own, which may block.
 */
#include "ping.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "numeric.h"
#include "sock.h"

#define QUESTION "GET /healthz HTTP/1.0\r\n\r\n"

/* For less than PING_MS. Gives: the descriptor, or -1 and errno. */
static int dial(const struct conf_prober *p)
{
	struct numeric to;

	errno = EINVAL;
	return numeric_addr(p->http_address, p->http_port, &to)
	    ? sock_dial(
		  (const struct sockaddr *)&to.sa, to.len, dur_ms(PING_MS - 1))
	    : -1;
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
		ssize_t got = sock_hear(fd, line + n, sizeof(line) - n, until);

		if (got <= 0)
			return got == 0 ? "closed without an answer"
					: "no answer in time";
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
