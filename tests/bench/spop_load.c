/*
 * spop_load - how many decisions a second an SPOE agent makes, and how long
 * each takes. Closed loop: every connection keeps `depth` NOTIFYs on their way
 * and sends one more for each ACK. Result as JSON on standard output.
 *
 * `--pingpong` measures, instead of an agent, a bare unix socket with a process
 * that sends back what it reads, one byte at a time: what the machine allows.
 *
 * One thread, no allocation in the loop; run it on another core than the agent.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mono.h"
#include "num.h"
#include "numeric.h"
#include "spop.h"

#define CONNS_MAX 1024
#define DEPTH_MAX 1024
#define FRAME_MAX 1024
#define IN_SIZE 65536
/* Linear within each power of two: 3 % wide. */
#define SUB 32
#define HIST (40 * SUB)

struct conn {
	int fd;
	unsigned out;   /* NOTIFYs without their ACK */
	unsigned first; /* slot of the oldest of them */
	size_t cut;     /* bytes of the next frame that went already */
	size_t in_n;
	unsigned char in[IN_SIZE];
	struct mono sent[DEPTH_MAX];
};

struct load {
	const char *path;
	const char *host;
	uint16_t port;
	unsigned conns, depth, payload;
	struct dur warm, run;
	/* One frame a slot; all of one length. */
	unsigned char frames[DEPTH_MAX * FRAME_MAX];
	size_t frame;
	struct conn *conn;
	uint64_t acks, with_vars, sends, reads;
	uint64_t hist[HIST];
	bool is_counting;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned bucket_of(uint64_t ns)
{
	unsigned power = 0;

	while (ns >> power >= SUB * 2)
		power++;
	if (power == 0)
		return (unsigned)ns < HIST ? (unsigned)ns : HIST - 1;
	unsigned i = power * SUB + (unsigned)(ns >> power);
	return i < HIST ? i : HIST - 1;
}

static double bucket_us(unsigned i)
{
	if (i < SUB * 2)
		return i / 1e3;
	unsigned power = i / SUB - 1;
	return (double)((uint64_t)(i - power * SUB) << power) / 1e3;
}

static double percentile(const struct load *l, double p)
{
	uint64_t all = 0, sum = 0;

	for (unsigned i = 0; i < HIST; i++)
		all += l->hist[i];
	for (unsigned i = 0; i < HIST; i++) {
		sum += l->hist[i];
		if ((double)sum >= p * (double)all)
			return bucket_us(i);
	}
	return 0;
}

static int dial(const struct load *l)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct numeric to;
	int fd;

	if (l->host != NULL) {
		if (!numeric_addr(l->host, l->port, &to))
			die("address");
		fd = socket(to.sa.ss_family, SOCK_STREAM, 0);
		if (fd == -1 ||
		    connect(fd, (struct sockaddr *)&to.sa, to.len) == -1)
			die("connect");
		return fd;
	}
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", l->path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd == -1 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1)
		die("connect");
	return fd;
}

/* Text as SPOP has it, shorter than 240 bytes. */
static size_t put_text(unsigned char *p, const char *s)
{
	p[0] = (unsigned char)strlen(s);
	memcpy(p + 1, s, p[0]);
	return 1U + p[0];
}

/* What HAProxy sends for a connection to `write`, with its first packet. */
static size_t make_notify(unsigned char *p, unsigned slot, unsigned payload)
{
	size_t n = SPOP_LENGTH, len;

	p[n++] = SPOP_NOTIFY;
	memcpy(p + n, "\0\0\0\1", 4);
	n += 4;
	/* Two bytes of a varint, whatever the slot: one length for all. */
	p[n++] = (unsigned char)(240 | slot % 16);
	p[n++] = (unsigned char)(slot / 16);
	p[n++] = 1;
	n += put_text(p + n, "route");
	p[n++] = 4;
	n += put_text(p + n, "listen");
	p[n++] = SPOP_STRING;
	n += put_text(p + n, "write");
	n += put_text(p + n, "src");
	memcpy(p + n, "\6\300\250\42\62", 5);
	n += 5;
	n += put_text(p + n, "sni");
	p[n++] = SPOP_NULL;
	n += put_text(p + n, "first");
	p[n++] = SPOP_BINARY;
	p[n++] = (unsigned char)payload;
	memset(p + n, 'x', payload);
	memcpy(p + n, "\0\0\0\0\0\3\0\0", 8);
	p[n + 3] = (unsigned char)payload;
	n += payload;
	len = n - SPOP_LENGTH;
	p[0] = p[1] = 0;
	p[2] = (unsigned char)(len >> 8);
	p[3] = (unsigned char)len;
	return n;
}

static void greet(int fd)
{
	struct spop_hello hello = {.pipelining = true, .max_frame_size = 16380};
	unsigned char buf[512];
	struct spop_frame f;
	ssize_t got = 0;
	size_t n = spop_put_haproxy_hello(buf, sizeof(buf), &hello);

	if (send(fd, buf, n, 0) != (ssize_t)n ||
	    (got = recv(fd, buf, sizeof(buf), 0)) <= 0 ||
	    spop_frame_get(slice_of(buf, (size_t)got), 4096, &f) != SPOP_OK ||
	    f.type != SPOP_AGENT_HELLO)
		die("hello");
}

/* Sends until `depth` are on their way; frames leave in runs of slots. */
static void fill(struct load *l, struct conn *c, struct mono now)
{
	while (c->out < l->depth) {
		unsigned slot = (c->first + c->out) % l->depth;
		unsigned run = l->depth - c->out;

		if (run > l->depth - slot)
			run = l->depth - slot;
		size_t want = run * l->frame - c->cut;
		ssize_t n = send(c->fd, l->frames + slot * l->frame + c->cut,
		    want, MSG_DONTWAIT);
		l->sends++;
		if (n == -1 && errno == EAGAIN)
			return;
		if (n == -1)
			die("send");
		size_t whole = ((size_t)n + c->cut) / l->frame;
		for (size_t i = 0; i < whole; i++)
			c->sent[slot + i] = now;
		c->out += (unsigned)whole;
		c->cut = ((size_t)n + c->cut) % l->frame;
		if ((size_t)n < want)
			return;
	}
}

static void take_ack(
    struct load *l, struct conn *c, struct slice frame, struct mono now)
{
	uint64_t us = (uint64_t)mono_sub(now, c->sent[c->first]).us;

	if (frame.p[SPOP_LENGTH] != SPOP_ACK || c->out == 0) {
		(void)fprintf(stderr, "not an ACK\n");
		exit(1);
	}
	c->first = (c->first + 1) % l->depth;
	c->out--;
	if (!l->is_counting)
		return;
	l->acks++;
	l->with_vars += frame.len > 16;
	l->hist[bucket_of(us * 1000)]++;
}

static void drain(struct load *l, struct conn *c)
{
	ssize_t n =
	    recv(c->fd, c->in + c->in_n, IN_SIZE - c->in_n, MSG_DONTWAIT);
	struct mono now = mono_now();
	size_t at = 0;

	l->reads++;
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("recv");
	c->in_n += (size_t)n;
	while (c->in_n - at >= SPOP_LENGTH) {
		const unsigned char *p = c->in + at;
		size_t len = SPOP_LENGTH + ((size_t)p[2] << 8 | p[3]);

		if (c->in_n - at < len)
			break;
		take_ack(l, c, slice_of(p, len), now);
		at += len;
	}
	c->in_n -= at;
	memmove(c->in, c->in + at, c->in_n);
	fill(l, c, now);
}

static void loop(struct load *l, int ep, struct dur time)
{
	struct mono until = mono_add(mono_now(), time);
	struct epoll_event ev[64];

	while (is_mono_before(mono_now(), until)) {
		int n = epoll_wait(ep, ev, 64, 100);

		for (int i = 0; i < n; i++)
			drain(l, ev[i].data.ptr);
	}
}

static void print(const struct load *l, double s)
{
	(void)printf("{\"transport\": \"%s\", \"conns\": %u, \"depth\": %u, "
		     "\"payload\": %u, \"seconds\": %.3f, "
		     "\"decisions\": %llu, \"with_route\": %llu, "
		     "\"per_second\": %.0f, \"acks_per_read\": %.1f, "
		     "\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f}\n",
	    l->host != NULL ? "tcp" : "unix", l->conns, l->depth, l->payload, s,
	    (unsigned long long)l->acks, (unsigned long long)l->with_vars,
	    (double)l->acks / s, (double)l->acks / (double)l->reads,
	    percentile(l, 0.5), percentile(l, 0.99), percentile(l, 0.999));
}

static void run(struct load *l)
{
	int ep = epoll_create1(0);
	struct mono began;

	l->conn = calloc(l->conns, sizeof(*l->conn));
	if (ep == -1 || l->conn == NULL)
		die("start");
	for (unsigned i = 0; i < l->depth; i++)
		l->frame = make_notify(l->frames + i * l->frame, i, l->payload);
	for (unsigned i = 0; i < l->conns; i++) {
		struct conn *c = &l->conn[i];
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

		c->fd = dial(l);
		greet(c->fd);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
			die("epoll");
		fill(l, c, mono_now());
	}
	loop(l, ep, l->warm);
	l->is_counting = true;
	l->reads = 0;
	began = mono_now();
	loop(l, ep, l->run);
	print(l, dur_to_s(mono_sub(mono_now(), began)));
	for (unsigned i = 0; i < l->conns; i++)
		(void)close(l->conn[i].fd);
	free(l->conn);
	(void)close(ep);
}

/* The child sends back each byte, on the core that the agent has. */
static void echo(int fd)
{
	cpu_set_t first;
	char b;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first) == -1)
		die("affinity");
	while (recv(fd, &b, 1, 0) == 1 && send(fd, &b, 1, MSG_NOSIGNAL) == 1)
		;
	_exit(0);
}

static void pingpong(struct load *l)
{
	struct mono until, began;
	int fd[2];
	pid_t child = -1;
	char b = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == -1 ||
	    (child = fork()) == -1)
		die("pingpong");
	if (child == 0) {
		(void)close(fd[0]);
		echo(fd[1]);
	}
	(void)close(fd[1]);
	began = mono_now();
	until = mono_add(began, l->run);
	for (struct mono t = began; is_mono_before(t, until);) {
		struct mono after;

		if (send(fd[0], &b, 1, 0) != 1 || recv(fd[0], &b, 1, 0) != 1)
			die("pingpong");
		after = mono_now();
		l->acks++;
		l->reads++;
		l->hist[bucket_of((uint64_t)mono_sub(after, t).us * 1000)]++;
		t = after;
	}
	l->conns = l->depth = 1;
	print(l, dur_to_s(mono_sub(mono_now(), began)));
	(void)close(fd[0]);
	(void)waitpid(child, NULL, 0);
}

static unsigned number(const char *s, unsigned max)
{
	uint64_t v;

	if (!num_u64(slice_str(s), 1, max, &v)) {
		(void)fprintf(
		    stderr, "spop_load: %s, expected 1..%u\n", s, max);
		exit(2);
	}
	return (unsigned)v;
}

static void usage(void)
{
	(void)fprintf(stderr,
	    "usage: spop_load [-c CONNS] [-d DEPTH] [-s SECONDS] [-b BYTES]\n"
	    "                 unix:PATH | ADDRESS PORT | --pingpong\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"pingpong", no_argument, NULL, 'p'}, {NULL, 0, NULL, 0}};
	static struct load l = {.conns = 1,
	    .depth = 1,
	    .payload = 60,
	    .warm = {300000},
	    .run = {3000000}};
	bool bare = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:d:s:b:", options, NULL)) != -1) {
		if (c == 'c')
			l.conns = number(optarg, CONNS_MAX);
		else if (c == 'd')
			l.depth = number(optarg, DEPTH_MAX);
		else if (c == 's')
			l.run = dur_ms((int64_t)number(optarg, 3600) * 1000);
		else if (c == 'b')
			l.payload = number(optarg, 200);
		else if (c == 'p')
			bare = true;
		else
			usage();
	}
	if (bare) {
		pingpong(&l);
		return 0;
	}
	if (optind + 1 == argc && strncmp(argv[optind], "unix:", 5) == 0)
		l.path = argv[optind] + 5;
	else if (optind + 2 == argc) {
		l.host = argv[optind];
		l.port = (uint16_t)number(argv[optind + 1], 65535);
	} else
		usage();
	run(&l);
	return 0;
}
