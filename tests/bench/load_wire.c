/* load_wire.c - see load_wire.h. */
#include "load_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "numeric.h"

void wire_die(const char *what)
{
	perror(what);
	exit(1);
}

static void die_tls(const char *what)
{
	(void)fprintf(stderr, "%s: ", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

struct ssl_ctx_st *wire_tls(const char *cert, const char *ca)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_load_verify_file(ctx, ca) != 1 ||
	    SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, cert, SSL_FILETYPE_PEM) != 1)
		die_tls("certificates");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	(void)SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

static void send_at_once(int fd)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == -1)
		wire_die("TCP_NODELAY");
}

static int dial_host(const struct wire_to *to)
{
	struct numeric n;
	int fd;

	errno = EINVAL;
	if (!numeric_addr(to->host, to->port, &n))
		wire_die(to->host);
	fd = socket(n.sa.ss_family, SOCK_STREAM, 0);
	if (fd == -1 || connect(fd, (struct sockaddr *)&n.sa, n.len) == -1)
		wire_die("connect");
	send_at_once(fd);
	return fd;
}

static int dial_path(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (fd == -1 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1)
		wire_die("connect");
	return fd;
}

struct wire_end wire_dial(const struct wire_to *to)
{
	struct wire_end w = {0};

	w.fd = to->path != NULL ? dial_path(to->path) : dial_host(to);
	if (to->tls != NULL) {
		w.tls = SSL_new(to->tls);
		if (w.tls == NULL || SSL_set_fd(w.tls, w.fd) != 1 ||
		    SSL_connect(w.tls) != 1)
			die_tls("handshake");
	}
	wire_blocks(&w, false);
	return w;
}

void wire_blocks(struct wire_end *w, bool blocks)
{
	if (fcntl(w->fd, F_SETFL, blocks ? 0 : O_NONBLOCK) == -1)
		wire_die("fcntl");
}

void wire_hang_up(struct wire_end *w)
{
	SSL_free(w->tls);
	(void)close(w->fd);
}

static ssize_t tls_result(struct wire_end *w, int rc)
{
	int why;

	if (rc > 0)
		return rc;
	why = SSL_get_error(w->tls, rc);
	if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
		die_tls("tls");
	return -1;
}

static ssize_t plain_result(ssize_t n, const char *what)
{
	if (n == 0 || (n == -1 && errno != EAGAIN))
		wire_die(what);
	return n;
}

ssize_t wire_put(struct wire_end *w, const void *buf, size_t n)
{
	if (w->tls != NULL)
		return tls_result(w, SSL_write(w->tls, buf, (int)n));
	return plain_result(send(w->fd, buf, n, 0), "send");
}

ssize_t wire_take(struct wire_end *w, void *buf, size_t n)
{
	if (w->tls != NULL)
		return tls_result(w, SSL_read(w->tls, buf, (int)n));
	return plain_result(recv(w->fd, buf, n, 0), "recv");
}

static void tcp_pair(int fd[2])
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof(sa);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (l == -1 || fd[0] == -1 ||
	    bind(l, (struct sockaddr *)&sa, len) == -1 || listen(l, 1) == -1 ||
	    getsockname(l, (struct sockaddr *)&sa, &len) == -1 ||
	    connect(fd[0], (struct sockaddr *)&sa, len) == -1 ||
	    (fd[1] = accept(l, NULL, NULL)) == -1)
		wire_die("pair");
	(void)close(l);
	send_at_once(fd[0]);
	send_at_once(fd[1]);
}

void wire_pair(const struct wire_to *to, int fd[2])
{
	if (to->host != NULL)
		tcp_pair(fd);
	else if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == -1)
		wire_die("pair");
}
