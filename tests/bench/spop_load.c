/*
 * spop_load - how many decisions a second an SPOE agent makes, and how long
 * each takes. Result as JSON on standard output.
 *
 * Closed loop: every connection keeps `depth` NOTIFYs on their way and sends
 * one more for each ACK. Open loop (`-r`): NOTIFYs are due at a fixed rate,
 * whatever the agent does, and their latency counts from when they were due.
 *
 * What the machine allows, instead of an agent: `--pingpong` sends one byte to
 * and fro on a bare socket of the same kind; `--echo` makes the same load on
 * sockets whose other end answers as many bytes as an agent and reads none.
 *
 * One thread, no allocation in the loop; run it on another core than the agent.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load_bare.h"
#include "load_hist.h"
#include "load_wire.h"
#include "mono.h"
#include "num.h"
#include "spop.h"

#define CONNS_MAX 1024
#define DEPTH_MAX 1024
#define FRAME_MAX 1024
#define IN_SIZE 65536
struct conn {
	struct wire_end wire;
	unsigned out;   /* NOTIFYs without their ACK */
	unsigned first; /* slot of the oldest of them */
	size_t cut;     /* bytes of the next frame that went already */
	size_t in_n;
	unsigned char in[IN_SIZE];
	struct mono sent[DEPTH_MAX];
};

struct load {
	struct wire_to to;
	unsigned conns, depth, payload;
	unsigned rate; /* a second; 0: closed loop */
	bool prints_hist, is_echo, is_pingpong;
	struct dur warm, run;
	/* One frame a slot; all of one length. */
	unsigned char frames[DEPTH_MAX * FRAME_MAX];
	size_t frame;
	struct conn *conn;
	uint64_t acks, with_vars, sends, reads, postponed;
	struct hist hist;
	bool is_counting;
	pid_t echo;
	/* Open loop: how many were sent, counted from `began`. */
	struct mono began;
	uint64_t sent;
};

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

static void greet(struct wire_end *w)
{
	struct spop_hello hello = {.pipelining = true, .max_frame_size = 16380};
	unsigned char buf[512];
	struct spop_frame f;
	ssize_t got = -1;
	size_t n = spop_put_haproxy_hello(buf, sizeof(buf), &hello);

	if (wire_put(w, buf, n) != (ssize_t)n)
		wire_die("hello");
	while (got == -1)
		got = wire_take(w, buf, sizeof(buf));
	if (spop_frame_get(slice_of(buf, (size_t)got), 4096, &f) != SPOP_OK ||
	    f.type != SPOP_AGENT_HELLO)
		wire_die("hello");
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
		ssize_t n = wire_put(
		    &c->wire, l->frames + slot * l->frame + c->cut, want);
		l->sends++;
		if (n == -1)
			return;
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
	if (frame.p[SPOP_LENGTH] != SPOP_ACK || c->out == 0) {
		(void)fprintf(stderr, "not an ACK\n");
		exit(1);
	}
	if (l->is_counting) {
		l->acks++;
		l->with_vars += frame.len > 16;
		hist_add(&l->hist, mono_sub(now, c->sent[c->first]).us);
	}
	c->first = (c->first + 1) % l->depth;
	c->out--;
}

/* Gives: false if there was nothing. */
static bool drain(struct load *l, struct conn *c)
{
	ssize_t n = wire_take(&c->wire, c->in + c->in_n, IN_SIZE - c->in_n);
	struct mono now = mono_now();
	size_t at = 0;

	l->reads++;
	if (n == -1)
		return false;
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
	if (l->rate == 0)
		fill(l, c, now);
	return true;
}

/* One NOTIFY, due at `due`. Gives: false if the connection takes no more. */
static bool send_one(struct load *l, struct conn *c, struct mono due)
{
	unsigned slot = (c->first + c->out) % l->depth;

	if (c->out == l->depth ||
	    wire_put(&c->wire, l->frames + slot * l->frame, l->frame) !=
		(ssize_t)l->frame)
		return false;
	l->sends++;
	c->sent[slot] = due;
	c->out++;
	return true;
}

static struct mono next_due(const struct load *l)
{
	return mono_add(
	    l->began, dur_us((int64_t)(l->sent * 1000000 / l->rate)));
}

/* Sends what is due by now, the connections by turns. */
static void send_due(struct load *l)
{
	for (;;) {
		struct mono due = next_due(l);

		if (is_mono_before(mono_now(), due))
			return;
		if (!send_one(l, &l->conn[l->sent % l->conns], due)) {
			l->postponed++;
			return;
		}
		l->sent++;
	}
}

/* One connection is waited for as the ping-pong's is. */
static bool is_lone(const struct load *l)
{
	return l->conns == 1 && l->rate == 0 && l->to.tls == NULL;
}

static void loop(struct load *l, int ep, struct dur time)
{
	struct mono until = mono_add(mono_now(), time);
	struct epoll_event ev[64];

	while (is_lone(l) && is_mono_before(mono_now(), until))
		(void)drain(l, &l->conn[0]);
	while (is_mono_before(mono_now(), until)) {
		int n = epoll_wait(ep, ev, 64, l->rate > 0 ? 0 : 100);

		for (int i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;

			/* TLS keeps what the kernel speaks no more of. */
			while (drain(l, c) && c->wire.tls != NULL)
				;
		}
		if (l->rate > 0)
			send_due(l);
	}
}

static const char *transport(const struct load *l)
{
	if (l->to.tls != NULL)
		return "tls";
	return l->to.host != NULL ? "tcp" : "unix";
}

static const char *peer(const struct load *l)
{
	if (l->is_pingpong)
		return "pingpong";
	return l->is_echo ? "echo" : "agent";
}

static void print(const struct load *l, double s)
{
	(void)printf("{\"transport\": \"%s\", \"peer\": \"%s\", "
		     "\"conns\": %u, \"depth\": %u, "
		     "\"rate\": %u, \"payload\": %u, \"seconds\": %.3f, "
		     "\"decisions\": %llu, \"with_route\": %llu, "
		     "\"postponed\": %llu, \"per_second\": %.0f, "
		     "\"acks_per_read\": %.1f, \"p50_us\": %.1f, "
		     "\"p99_us\": %.1f, \"p999_us\": %.1f",
	    transport(l), peer(l), l->conns, l->depth, l->rate, l->payload, s,
	    (unsigned long long)l->acks, (unsigned long long)l->with_vars,
	    (unsigned long long)l->postponed, (double)l->acks / s,
	    (double)l->acks / (double)(l->reads > 0 ? l->reads : 1),
	    hist_at(&l->hist, 0.5), hist_at(&l->hist, 0.99),
	    hist_at(&l->hist, 0.999));
	if (l->prints_hist) {
		(void)printf(", \"histogram\": ");
		hist_print(&l->hist, stdout);
	}
	(void)printf("}\n");
}

/* An ACK as long as the agent's. */
static const unsigned char ack_like[60] = {0, 0, 0, 56, SPOP_ACK};

/* Connects to the agent, or to what stands in its place. */
static void dial(struct load *l)
{
	struct bare b = {.n = l->conns,
	    .in = l->frame,
	    .out = ack_like,
	    .out_n = sizeof(ack_like)};

	for (unsigned i = 0; i < l->conns; i++) {
		if (l->is_echo) {
			int fd[2];

			wire_pair(&l->to, fd);
			l->conn[i].wire = (struct wire_end){.fd = fd[0]};
			b.fd[i] = fd[1];
		} else {
			l->conn[i].wire = wire_dial(&l->to);
			greet(&l->conn[i].wire);
		}
	}
	if (l->is_echo)
		l->echo = bare_start(&b);
	for (unsigned i = 0; i < l->conns; i++)
		wire_blocks(&l->conn[i].wire, is_lone(l));
}

static void run(struct load *l)
{
	int ep = epoll_create1(0);
	struct mono began;

	l->conn = calloc(l->conns, sizeof(*l->conn));
	if (ep == -1 || l->conn == NULL)
		wire_die("start");
	for (unsigned i = 0; i < l->depth; i++)
		l->frame = make_notify(l->frames + i * l->frame, i, l->payload);
	dial(l);
	for (unsigned i = 0; i < l->conns; i++) {
		struct conn *c = &l->conn[i];
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

		if (epoll_ctl(ep, EPOLL_CTL_ADD, c->wire.fd, &ev) == -1)
			wire_die("epoll");
		if (l->rate == 0)
			fill(l, c, mono_now());
	}
	l->began = mono_now();
	loop(l, ep, l->warm);
	l->is_counting = true;
	l->reads = l->postponed = 0;
	began = mono_now();
	loop(l, ep, l->run);
	print(l, dur_to_s(mono_sub(mono_now(), began)));
	for (unsigned i = 0; i < l->conns; i++)
		wire_hang_up(&l->conn[i].wire);
	if (l->is_echo)
		bare_stop(l->echo);
	free(l->conn);
	(void)close(ep);
}

static void pingpong(struct load *l)
{
	struct mono until, began;
	struct bare other = {.n = 1, .in = 1, .out = "", .out_n = 1};
	pid_t child;
	int fd[2];
	char b = 0;

	wire_pair(&l->to, fd);
	other.fd[0] = fd[1];
	child = bare_start(&other);
	began = mono_now();
	until = mono_add(began, l->run);
	for (struct mono t = began; is_mono_before(t, until);) {
		struct mono after;

		if (send(fd[0], &b, 1, 0) != 1 || recv(fd[0], &b, 1, 0) != 1)
			wire_die("pingpong");
		after = mono_now();
		l->acks++;
		l->reads++;
		hist_add(&l->hist, mono_sub(after, t).us);
		t = after;
	}
	l->conns = l->depth = 1;
	print(l, dur_to_s(mono_sub(mono_now(), began)));
	(void)close(fd[0]);
	bare_stop(child);
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
	    "usage: spop_load [OPTIONS] unix:PATH | ADDRESS PORT\n"
	    "  -c CONNS   connections, default 1\n"
	    "  -d DEPTH   NOTIFYs on their way on each, default 1\n"
	    "  -r RATE    open loop: so many a second, DEPTH at most on each\n"
	    "  -s SECONDS  default 3; -m MILLISECONDS\n"
	    "  -b BYTES   of the first packet, default 60\n"
	    "  --cert FILE --ca FILE  TLS: certificate with key, CA\n"
	    "  --histogram  print it too\n"
	    "  --pingpong  a bare socket of the same kind, instead\n"
	    "  --echo      the same load on such sockets, instead\n");
	exit(2);
}

enum option_of {
	OPT_PINGPONG = 256,
	OPT_ECHO,
	OPT_HIST,
	OPT_CERT,
	OPT_CA
};

struct args {
	const char *cert, *ca;
};

static void take_option(struct load *l, struct args *a, int c)
{
	switch (c) {
	case 'c':
		l->conns = number(optarg, CONNS_MAX);
		return;
	case 'd':
		l->depth = number(optarg, DEPTH_MAX);
		return;
	case 'r':
		l->rate = number(optarg, 1000000);
		return;
	case 's':
		l->run = dur_ms((int64_t)number(optarg, 3600) * 1000);
		return;
	case 'm':
		l->run = dur_ms((int64_t)number(optarg, 3600000));
		return;
	case 'b':
		l->payload = number(optarg, 200);
		return;
	case OPT_PINGPONG:
		l->is_pingpong = true;
		return;
	case OPT_ECHO:
		l->is_echo = true;
		return;
	case OPT_HIST:
		l->prints_hist = true;
		return;
	case OPT_CERT:
		a->cert = optarg;
		return;
	case OPT_CA:
		a->ca = optarg;
		return;
	default:
		usage();
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"pingpong", no_argument, NULL, OPT_PINGPONG},
	    {"echo", no_argument, NULL, OPT_ECHO},
	    {"histogram", no_argument, NULL, OPT_HIST},
	    {"cert", required_argument, NULL, OPT_CERT},
	    {"ca", required_argument, NULL, OPT_CA}, {NULL, 0, NULL, 0}};
	static struct load l = {.conns = 1,
	    .depth = 1,
	    .payload = 60,
	    .warm = {200000},
	    .run = {3000000}};
	struct args a = {0};
	int c;

	while (
	    (c = getopt_long(argc, argv, "c:d:r:s:m:b:", options, NULL)) != -1)
		take_option(&l, &a, c);
	if (optind + 1 == argc && strncmp(argv[optind], "unix:", 5) == 0)
		l.to.path = argv[optind] + 5;
	else if (optind + 2 == argc) {
		l.to.host = argv[optind];
		l.to.port = (uint16_t)number(argv[optind + 1], 65535);
	} else
		usage();
	if (l.is_pingpong) {
		pingpong(&l);
		return 0;
	}
	if ((a.cert == NULL) != (a.ca == NULL) ||
	    (l.is_echo && l.conns > BARE_ENDS))
		usage();
	if (a.cert != NULL)
		l.to.tls = wire_tls(a.cert, a.ca);
	run(&l);
	return 0;
}
