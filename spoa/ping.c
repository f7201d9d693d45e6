/*
 * ping.c - asks a running agent; see ping.h.
 *
 * Runs in a process of its own, which may block.
 */
#include "ping.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "numeric.h"
#include "sock.h"
#include "spop.h"
#include "wire.h"

#define STREAM 1
#define FRAME 1

/* For less than PING_MS. Gives: the descriptor, or -1 and errno. */
static int dial(const struct conf_agent_listen *l)
{
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	const struct dur limit = dur_ms(PING_MS - 1);
	struct numeric to;

	if (l->is_unix) {
		memcpy(path.sun_path, l->path, strlen(l->path) + 1);
		return sock_dial(
		    (const struct sockaddr *)&path, sizeof(path), limit);
	}
	if (!numeric_addr(l->addr, l->port, &to)) {
		errno = EINVAL;
		return -1;
	}
	return sock_dial((const struct sockaddr *)&to.sa, to.len, limit);
}

/* SPOE.txt 3.2.6. Every length is below 240, where a varint is one byte. */
static size_t put_notify(unsigned char *buf, size_t size, const char *listen)
{
	struct wire_out w = wire_to(buf + SPOP_LENGTH, size - SPOP_LENGTH);
	struct wire_out length = wire_to(buf, SPOP_LENGTH);
	size_t n;

	wire_put(&w, SPOP_NOTIFY, 1);
	wire_put(&w, SPOP_F_FIN, 4);
	wire_put(&w, STREAM, 1);
	wire_put(&w, FRAME, 1);
	wire_put_str(&w, "route");
	wire_put(&w, 1, 1);
	wire_put_str(&w, "listen");
	wire_put(&w, SPOP_STRING, 1);
	wire_put_str(&w, listen);
	assert(w.ok);
	n = size - w.left;
	wire_put(&length, n - SPOP_LENGTH, SPOP_LENGTH);
	return n;
}

static const char *judge_hello(const struct spop_frame *f)
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

/* Without a fresh snapshot it decides nothing, and rightly says so. */
static const char *judge_ack(const struct spop_frame *f)
{
	if (f->type != SPOP_ACK || f->stream_id != STREAM ||
	    f->frame_id != FRAME || (f->flags & SPOP_F_ABORT) != 0)
		return "not the ACK of what was asked";
	return NULL;
}

typedef const char *judge_fn(const struct spop_frame *f);

static const char *await(int fd, struct mono until, judge_fn *judge)
{
	unsigned char buf[SPOP_LENGTH + LIM_SPOP_FRAME];
	struct spop_frame f;
	size_t n = 0;

	for (;;) {
		ssize_t got = sock_hear(fd, buf + n, sizeof(buf) - n, until);

		if (got <= 0)
			return got == 0 ? "closed without an answer"
					: "no answer in time";
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

/* Says the n bytes. Gives: what is wrong with the answer, or NULL. */
static const char *ask(int fd, const unsigned char *buf, size_t n,
    struct mono until, judge_fn *judge)
{
	if (send(fd, buf, n, MSG_NOSIGNAL) != (ssize_t)n)
		return strerror(errno);
	return await(fd, until, judge);
}

static const struct conf_agent_listen *plain_listener(const struct conf *conf)
{
	for (unsigned i = 0; i < conf->agent.listen_n; i++) {
		if (!conf->agent.listen[i].tls)
			return &conf->agent.listen[i];
	}
	return NULL;
}

bool ping_is_possible(const struct conf *conf)
{
	assert(conf != NULL);
	return plain_listener(conf) != NULL;
}

const char *ping_agent(const struct conf *conf, bool deep)
{
	struct spop_hello hello = {.pipelining = true,
	    .healthcheck = !deep,
	    .max_frame_size = LIM_SPOP_FRAME};
	unsigned char buf[LIM_SPOP_FRAME_MIN];
	struct mono until = mono_add(mono_now(), dur_ms(PING_MS));
	const char *wrong;
	size_t n;
	int fd;

	assert(ping_is_possible(conf));
	fd = dial(plain_listener(conf));
	if (fd == -1)
		return strerror(errno);
	n = spop_put_haproxy_hello(buf, sizeof(buf), &hello);
	assert(n > 0);
	wrong = ask(fd, buf, n, until, judge_hello);
	if (wrong == NULL && deep) {
		n = put_notify(buf, sizeof(buf),
		    conf->listen_n > 0 ? conf->listen[0].name : "");
		wrong = ask(fd, buf, n, until, judge_ack);
	}
	(void)close(fd);
	return wrong;
}
