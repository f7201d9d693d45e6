/*
 * path_load - new PostgreSQL connections to one port, as an application that
 * opens one for each thing it does: connect, say who one is, wait for the
 * server's first byte, leave. Result as JSON on standard output.
 *
 * Closed loop: CLIENTS at once, each begins anew when it was answered. Open
 * loop (`-r`): they are due at a fixed rate, whatever becomes of the earlier
 * ones, and their latency counts from when they were due.
 *
 * They leave with a reset, or the machine would be out of ports in seconds.
 * One thread, which sleeps when nothing is due: the servers behind HAProxy may
 * share its core.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load_hist.h"
#include "load_wire.h"
#include "mono.h"
#include "num.h"

#define CLIENTS_MAX 4096

struct client {
	int fd;
	struct mono due;
	struct client *next; /* in `idle` */
};

struct load {
	struct sockaddr_in to;
	unsigned clients, rate; /* rate 0: closed loop */
	struct dur warm, run;
	bool prints_hist, is_counting;
	int ep;
	struct client client[CLIENTS_MAX], *idle;
	uint64_t done, refused, late;
	struct hist hist;
	struct mono began; /* open loop: how many were due since */
	uint64_t sent;
};

/* StartupMessage of protocol 3.0, as libpq's without TLS. */
static const char startup[] = "\0\0\0\110\0\3\0\0user\0app\0database\0app\0"
			      "application_name\0bench\0client_encoding\0U\0";

_Static_assert(sizeof(startup) == 72, "its length stands in its fourth byte");

static void leave(struct load *l, struct client *c)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	(void)close(c->fd);
	c->next = l->idle;
	l->idle = c;
}

/* Waits for the handshake, which on one machine the kernel does meanwhile. */
static void come(struct load *l, struct mono due)
{
	struct client *c = l->idle;
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	l->idle = c->next;
	c->due = due;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd == -1 ||
	    connect(c->fd, (struct sockaddr *)&l->to, sizeof(l->to)) == -1 ||
	    send(c->fd, startup, sizeof(startup), MSG_NOSIGNAL) !=
		(ssize_t)sizeof(startup) ||
	    epoll_ctl(l->ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		wire_die("connect");
}

static void answered(struct load *l, struct client *c)
{
	unsigned char b[512];
	ssize_t n = recv(c->fd, b, sizeof(b), 0);

	if (l->is_counting && n > 0 && b[0] == 'R') {
		l->done++;
		hist_add(&l->hist, mono_sub(mono_now(), c->due).us);
	} else if (l->is_counting) {
		l->refused++;
	}
	leave(l, c);
}

static struct mono next_due(const struct load *l)
{
	return mono_add(
	    l->began, dur_us((int64_t)(l->sent * 1000000 / l->rate)));
}

static void come_due(struct load *l)
{
	while (!is_mono_before(mono_now(), next_due(l))) {
		if (l->idle == NULL) {
			l->late++;
			return;
		}
		come(l, next_due(l));
		l->sent++;
	}
}

static struct timespec time_left(const struct load *l)
{
	int64_t us = 100000;

	if (l->rate > 0 && l->idle != NULL)
		us = mono_sub(next_due(l), mono_now()).us;
	if (us < 0)
		us = 0;
	return (struct timespec){us / 1000000, us % 1000000 * 1000};
}

static void loop(struct load *l, struct dur time)
{
	struct mono until = mono_add(mono_now(), time);
	struct epoll_event ev[64];

	while (is_mono_before(mono_now(), until)) {
		struct timespec wait = time_left(l);
		int n = epoll_pwait2(l->ep, ev, 64, &wait, NULL);

		for (int i = 0; i < n; i++) {
			answered(l, ev[i].data.ptr);
			if (l->rate == 0)
				come(l, mono_now());
		}
		if (l->rate > 0)
			come_due(l);
	}
}

static void print(const struct load *l, double s)
{
	(void)printf("{\"clients\": %u, \"rate\": %u, \"seconds\": %.3f, "
		     "\"connections\": %llu, \"refused\": %llu, "
		     "\"late\": %llu, \"per_second\": %.0f, "
		     "\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f",
	    l->clients, l->rate, s, (unsigned long long)l->done,
	    (unsigned long long)l->refused, (unsigned long long)l->late,
	    (double)l->done / s, hist_at(&l->hist, 0.5),
	    hist_at(&l->hist, 0.99), hist_at(&l->hist, 0.999));
	if (l->prints_hist) {
		(void)printf(", \"histogram\": ");
		hist_print(&l->hist, stdout);
	}
	(void)printf("}\n");
}

static void run(struct load *l)
{
	struct mono began;

	l->ep = epoll_create1(EPOLL_CLOEXEC);
	if (l->ep == -1)
		wire_die("epoll");
	for (unsigned i = 0; i < (l->rate > 0 ? CLIENTS_MAX : l->clients);
	     i++) {
		l->client[i].next = l->idle;
		l->idle = &l->client[i];
	}
	l->began = mono_now();
	while (l->rate == 0 && l->idle != NULL)
		come(l, mono_now());
	loop(l, l->warm);
	l->is_counting = true;
	l->late = 0;
	began = mono_now();
	loop(l, l->run);
	print(l, dur_to_s(mono_sub(mono_now(), began)));
}

static unsigned number(const char *s, unsigned max)
{
	uint64_t v;

	if (!num_u64(slice_str(s), 1, max, &v)) {
		(void)fprintf(
		    stderr, "path_load: %s, expected 1..%u\n", s, max);
		exit(2);
	}
	return (unsigned)v;
}

static void usage(void)
{
	(void)fprintf(stderr,
	    "usage: path_load [OPTIONS] ADDRESS PORT\n"
	    "  -c CLIENTS   closed loop, so many at once; default 32\n"
	    "  -r RATE      open loop, so many a second\n"
	    "  -m MILLISECONDS  default 3000\n"
	    "  --histogram  print it too\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"histogram", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	static struct load l = {.clients = 32,
	    .to = {.sin_family = AF_INET},
	    .warm = {200000},
	    .run = {3000000}};
	int c;

	while ((c = getopt_long(argc, argv, "c:r:m:", options, NULL)) != -1) {
		if (c == 'c')
			l.clients = number(optarg, CLIENTS_MAX);
		else if (c == 'r')
			l.rate = number(optarg, 1000000);
		else if (c == 'm')
			l.run = dur_ms((int64_t)number(optarg, 3600000));
		else if (c == 'h')
			l.prints_hist = true;
		else
			usage();
	}
	if (optind + 2 != argc ||
	    inet_pton(AF_INET, argv[optind], &l.to.sin_addr) != 1)
		usage();
	l.to.sin_port = htons((uint16_t)number(argv[optind + 1], 65535));
	run(&l);
	return 0;
}
