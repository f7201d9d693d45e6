/*
 * stub_site.c - the members of hundreds of clusters in one process: Patroni's
 * REST API and PostgreSQL of each, for what a prober costs that asks them all.
 *
 * Member M of cluster C (both from 1) is 127.(100 + C / 200).(C % 200).M: one
 * listener a port hears them all, and the address that a client called tells
 * whom it meant. Member 1 leads. WAL grows by 1 MB/s everywhere, so that
 * nothing is as it was a second ago, as in a cluster that works.
 *
 * A line on standard input asks for how many GETs each member had: JSON, on
 * standard output. Its end is ours.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "stub_pg.h"

#define CLUSTERS 1000
#define MEMBERS 3
#define EVENTS 256
#define IN_ROOM 2048

enum kind {
	KIND_REST = 0,
	KIND_PG,
	KIND_N,
	KIND_STDIN
};

struct conn {
	enum kind kind;
	int fd;
	unsigned cluster, member; /* from 0 */
	SSL *tls;
	struct stub_pg pg;
	size_t n;
	unsigned char in[IN_ROOM];
};

struct site {
	int epoll;
	SSL_CTX *tls; /* NULL: cleartext */
	EVP_PKEY *key;
	X509 *cert[CLUSTERS]; /* of the members of each */
	struct stub_pg_door door;
	unsigned clusters;
	uint64_t gets[CLUSTERS][MEMBERS];
	struct conn ear[KIND_N], asked;
};

static void die(const char *what)
{
	perror(what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static uint64_t lsn_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return UINT64_C(0x100000000) + (uint64_t)t.tv_sec * 1000000 +
	    (uint64_t)t.tv_nsec / 1000;
}

static void hang_up(struct conn *c)
{
	SSL_free(c->tls);
	(void)close(c->fd);
	free(c);
}

/* ---- Patroni ---- */

/* As Patroni 3.0.2 words it; headers as Python's http.server has them. */
static int rest_text(const struct conn *c, char *buf, size_t room)
{
	static const char head[] =
	    "HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6 Python/3.11.2\r\n"
	    "Date: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
	    "Content-Type: application/json\r\n\r\n";
	static const char tail[] =
	    "\"timeline\": 1, %s\"dcs_last_seen\": 1795256546, "
	    "\"database_system_identifier\": \"7000000000000000001\", "
	    "\"patroni\": {\"version\": \"3.0.2\", \"scope\": \"c%u\"}}";
	static const char followers[] =
	    "\"replication\": [{\"usename\": \"replicator\", "
	    "\"application_name\": \"node2\", \"client_addr\": \"127.0.0.2\", "
	    "\"state\": \"streaming\", \"sync_state\": \"async\", "
	    "\"sync_priority\": 0}, {\"usename\": \"replicator\", "
	    "\"application_name\": \"node3\", \"client_addr\": \"127.0.0.3\", "
	    "\"state\": \"streaming\", \"sync_state\": \"async\", "
	    "\"sync_priority\": 0}], ";
	uint64_t lsn = lsn_now();
	int n = snprintf(buf, room,
	    "%s{\"state\": \"running\", \"postmaster_start_time\": "
	    "\"2026-11-21 10:22:00.711656+00:00\", \"role\": \"%s\", "
	    "\"server_version\": 150014, \"xlog\": {",
	    head, c->member == 0 ? "master" : "replica");

	if (c->member == 0)
		n += snprintf(buf + n, room - (size_t)n,
		    "\"location\": %" PRIu64 "}, ", lsn);
	else
		n += snprintf(buf + n, room - (size_t)n,
		    "\"received_location\": %" PRIu64
		    ", \"replayed_location\": %" PRIu64
		    ", \"replayed_timestamp\": \"2026-11-21 12:00:00+00:00\", "
		    "\"paused\": false}, ",
		    lsn, lsn);
	n += snprintf(buf + n, room - (size_t)n, tail,
	    c->member == 0 ? followers : "", c->cluster + 1);
	return n;
}

/* Patroni closes after each answer, of TLS too. Gives: false, always. */
static bool rest_answer(struct site *s, struct conn *c)
{
	char buf[STUB_OUT];
	int n = rest_text(c, buf, sizeof(buf));

	s->gets[c->cluster][c->member]++;
	if (c->tls == NULL) {
		(void)send(c->fd, buf, (size_t)n, MSG_NOSIGNAL);
	} else {
		(void)SSL_write(c->tls, buf, n);
		(void)SSL_shutdown(c->tls);
	}
	return false;
}

static bool is_later(struct conn *c, int rc)
{
	int why = SSL_get_error(c->tls, rc);

	ERR_clear_error();
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

/* Gives: false once the connection is over. */
static bool rest_read(struct site *s, struct conn *c)
{
	size_t room = sizeof(c->in) - 1 - c->n;
	ssize_t n;

	if (c->tls != NULL && !SSL_is_init_finished(c->tls)) {
		int rc = SSL_accept(c->tls);

		if (rc != 1)
			return is_later(c, rc);
	}
	if (c->tls != NULL) {
		n = SSL_read(c->tls, c->in + c->n, (int)room);
		if (n <= 0)
			return is_later(c, (int)n);
	} else {
		n = recv(c->fd, c->in + c->n, room, 0);
		if (n <= 0)
			return n == -1 && errno == EAGAIN;
	}
	c->n += (size_t)n;
	c->in[c->n] = '\0';
	if (strstr((char *)c->in, "\r\n\r\n") != NULL)
		return rest_answer(s, c);
	return c->n < sizeof(c->in) - 1;
}

/* ---- PostgreSQL ---- */

static bool pg_read(struct conn *c)
{
	struct stub_out out = {0};
	char lsn[32];
	uint64_t at = lsn_now();
	bool leads = c->member == 0;
	const char *row[7] = {leads ? "f" : "t", leads ? "off" : "on", lsn,
	    leads ? NULL : lsn, leads ? "00000001" : NULL,
	    leads ? NULL : "4711", leads ? NULL : "streaming"};
	long took;
	ssize_t n = recv(c->fd, c->in + c->n, sizeof(c->in) - c->n, 0);

	if (n <= 0)
		return n == -1 && errno == EAGAIN;
	(void)snprintf(lsn, sizeof(lsn), "%" PRIX64 "/%" PRIX64, at >> 32,
	    at & 0xffffffffu);
	c->n += (size_t)n;
	while ((took = stub_pg_take(&c->pg, c->in, c->n, row, &out)) > 0) {
		c->n -= (size_t)took;
		memmove(c->in, c->in + took, c->n);
	}
	if (out.n > 0 &&
	    send(c->fd, out.p, out.n, MSG_NOSIGNAL) != (ssize_t)out.n)
		return false;
	return took == 0 && c->n < sizeof(c->in);
}

/* ---- all of them ---- */

static bool whom(const struct site *s, int fd, struct conn *c)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	uint32_t ip;

	if (getsockname(fd, (struct sockaddr *)&a, &len) == -1)
		return false;
	ip = ntohl(a.sin_addr.s_addr);
	c->cluster = ((ip >> 16 & 0xff) - 100) * 200 + (ip >> 8 & 0xff) - 1;
	c->member = (ip & 0xff) - 1;
	return c->cluster < s->clusters && c->member < MEMBERS;
}

static void listen_to(struct site *s, struct conn *c)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &e) == -1)
		die("epoll_ctl");
}

static bool greet(const struct site *s, struct conn *c)
{
	c->tls = SSL_new(s->tls);
	if (c->tls == NULL || SSL_set_fd(c->tls, c->fd) != 1)
		return false;
	SSL_set_accept_state(c->tls);
	return SSL_use_certificate(c->tls, s->cert[c->cluster]) == 1 &&
	    SSL_use_PrivateKey(c->tls, s->key) == 1;
}

static void let_in(struct site *s, const struct conn *ear)
{
	int fd;

	while ((fd = accept4(
		    ear->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		struct conn *c = calloc(1, sizeof(*c));

		if (c == NULL)
			die("memory");
		c->kind = ear->kind;
		c->fd = fd;
		c->pg.door = &s->door;
		if (!whom(s, fd, c)) {
			hang_up(c);
			continue;
		}
		if (c->kind == KIND_REST && s->tls != NULL && !greet(s, c))
			die("TLS");
		listen_to(s, c);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		die("accept");
}

static void tell(const struct site *s)
{
	char line[64];

	if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
		exit(0);
	(void)putchar('[');
	for (unsigned i = 0; i < s->clusters * MEMBERS; i++)
		(void)printf("%s%" PRIu64, i > 0 ? "," : "",
		    s->gets[i / MEMBERS][i % MEMBERS]);
	(void)puts("]");
	(void)fflush(stdout);
}

static void serve(struct site *s, struct conn *c)
{
	if (c->kind == KIND_STDIN)
		tell(s);
	else if (c == &s->ear[c->kind])
		let_in(s, c);
	else if (!(c->kind == KIND_PG ? pg_read(c) : rest_read(s, c)))
		hang_up(c);
}

static void open_ear(struct site *s, enum kind kind, const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	struct conn *c = &s->ear[kind];
	int one = 1;

	c->kind = kind;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1 ||
	    setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ==
		-1 ||
	    bind(c->fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    listen(c->fd, SOMAXCONN) == -1)
		die(port);
	listen_to(s, c);
}

/* A file with everybody's key, and a certificate for each cluster's members. */
static void open_tls(struct site *s, const char *path)
{
	BIO *in = BIO_new_file(path, "r");

	s->tls = SSL_CTX_new(TLS_server_method());
	if (s->tls == NULL || in == NULL)
		die(path);
	s->key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
	for (unsigned i = 0; i < s->clusters; i++) {
		s->cert[i] = PEM_read_bio_X509(in, NULL, NULL, NULL);
		if (s->cert[i] == NULL)
			die(path);
	}
	BIO_free(in);
}

static void raise_files(void)
{
	struct rlimit rl = {16384, 16384};

	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		die("RLIMIT_NOFILE");
}

static void set_up(struct site *s, int argc, char **argv)
{
	const char *rest = "8008", *pg = "5432", *pem = NULL, *password = NULL;
	int c;

	s->clusters = 1;
	while ((c = getopt(argc, argv, "n:r:p:t:w:")) != -1) {
		if (c == 'n')
			s->clusters = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'r')
			rest = optarg;
		else if (c == 'p')
			pg = optarg;
		else if (c == 't')
			pem = optarg;
		else if (c == 'w')
			password = optarg;
		else
			exit(2);
	}
	if (s->clusters > CLUSTERS)
		exit(2);
	if (pem != NULL)
		open_tls(s, pem);
	stub_pg_open(&s->door, password);
	open_ear(s, KIND_REST, rest);
	open_ear(s, KIND_PG, pg);
	s->asked = (struct conn){.kind = KIND_STDIN, .fd = STDIN_FILENO};
	listen_to(s, &s->asked);
}

int main(int argc, char **argv)
{
	static struct site s;
	struct epoll_event e[EVENTS];

	raise_files();
	/* A client that goes while we write to it by TLS. */
	(void)sigaction(
	    SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	s.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s.epoll == -1)
		die("epoll");
	set_up(&s, argc, argv);
	(void)puts("ready");
	(void)fflush(stdout);
	for (;;) {
		int n = epoll_wait(s.epoll, e, EVENTS, -1);

		for (int i = 0; i < n; i++)
			serve(&s, e[i].data.ptr);
	}
}
