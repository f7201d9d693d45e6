/*
 * ping.c - asks a running agent; see ping.h.
 *
 * Runs in a process of its own, which may block.
 */
#include "ping.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "numeric.h"
#include "spop.h"

static int dial_path(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (fd != -1 &&
	    connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == -1) {
		int saved = errno;

		(void)close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static int dial(const struct conf_agent_listen *l)
{
	struct numeric to;
	int fd;

	if (l->is_unix)
		return dial_path(l->path);
	if (!numeric_addr(l->addr, l->port, &to))
		return -1;
	fd = socket(to.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* connect() of a blocking socket honours the time limit for sends. */
	struct timeval tv = {.tv_usec = (PING_MS - 1) * 1000L};
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

static const char *judge(const struct spop_frame *f)
{
	struct spop_hello hello;
	enum spop_status status;

	if (f->type == SPOP_AGENT_DISCONNECT)
		return spop_status_text(
		    (enum spop_status)spop_disconnect_get(f->payload));
	if (f->type != SPOP_AGENT_HELLO)
		return "not an AGENT-HELLO";
	status = spop_agent_hello_get(f->payload, &hello);
	return status == SPOP_ST_NONE ? NULL : spop_status_text(status);
}

static const char *await(int fd, struct mono until)
{
	unsigned char buf[SPOP_LENGTH + LIM_SPOP_FRAME];
	struct spop_frame f;
	size_t n = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = dur_to_ms(mono_sub(until, mono_now()));
		ssize_t got;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return "no answer in time";
		got = recv(fd, buf + n, sizeof(buf) - n, 0);
		if (got <= 0)
			return "closed without an answer";
		n += (size_t)got;
		switch (spop_frame_get(slice_of(buf, n), LIM_SPOP_FRAME, &f)) {
		case SPOP_OK:
			return judge(&f);
		case SPOP_BAD:
			return "an answer that is no frame";
		case SPOP_MORE:
			break;
		}
	}
}

const char *ping_agent(const struct conf *conf)
{
	struct spop_hello hello = {.pipelining = true,
	    .healthcheck = true,
	    .max_frame_size = LIM_SPOP_FRAME};
	unsigned char buf[LIM_SPOP_FRAME_MIN];
	struct mono until = mono_add(mono_now(), dur_ms(PING_MS));
	const char *wrong;
	size_t n;
	unsigned i = 0;
	int fd;

	assert(conf != NULL);
	/* It has no certificate to show. */
	while (i < conf->agent.listen_n && conf->agent.listen[i].tls)
		i++;
	if (i == conf->agent.listen_n)
		return "agent.listen has only tls:, expected unix: or tcp: too";
	fd = dial(&conf->agent.listen[i]);
	if (fd == -1)
		return strerror(errno);
	n = spop_put_haproxy_hello(buf, sizeof(buf), &hello);
	assert(n > 0);
	if (send(fd, buf, n, MSG_NOSIGNAL) != (ssize_t)n)
		wrong = strerror(errno);
	else
		wrong = await(fd, until);
	(void)close(fd);
	return wrong;
}
