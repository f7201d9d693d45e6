/*
 * tls.c - OpenSSL behind calls that look like recv(2) and send(2); see tls.h.
 *
 * Called by conn.c for each connection of a `tls:` listener and by app.c with
 * the configuration. Blocks on nothing but the files, at start and on SIGHUP.
 *
 * No session is resumed: what a certificate allowed yesterday is asked again
 * today. That is a whole handshake for each connection, and HAProxy 3.2 opens
 * about one for each stream that is held in a burst.
 */
#include "tls.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "conf.h"

/* Bytes of the peer's certificates: room for a chain of four and more. */
#define CERT_LIST_MAX 16384

/* A key with a passphrase would ask for it on a terminal. */
static int no_passphrase_cb(char *buf, int size, int rwflag, void *arg)
{
	(void)rwflag;
	(void)arg;
	if (size > 0)
		buf[0] = '\0';
	return 0;
}

static const char *last_reason(void)
{
	const char *s = ERR_reason_error_string(ERR_peek_last_error());

	return s != NULL ? s : "no reason given";
}

static bool fail(char why[static TLS_SENTENCE], const char *key,
    const char *path, const char *expected)
{
	(void)snprintf(why, TLS_SENTENCE, "agent.%s: %s: %s, expected %s", key,
	    path, last_reason(), expected);
	ERR_clear_error();
	return false;
}

static bool read_files(
    SSL_CTX *ctx, const struct conf_agent *conf, char why[static TLS_SENTENCE])
{
	STACK_OF(X509_NAME) * names;

	if (SSL_CTX_use_certificate_chain_file(ctx, conf->tls_cert) != 1)
		return fail(
		    why, "tls_cert", conf->tls_cert, "a certificate (PEM)");
	if (SSL_CTX_use_PrivateKey_file(ctx, conf->tls_key, SSL_FILETYPE_PEM) !=
	    1)
		return fail(why, "tls_key", conf->tls_key,
		    "the key of agent.tls_cert (PEM, without a passphrase)");
	/* The call above compares with a certificate of the same type only. */
	if (SSL_CTX_check_private_key(ctx) != 1)
		return fail(
		    why, "tls_key", conf->tls_key, "the key of agent.tls_cert");
	if (SSL_CTX_load_verify_file(ctx, conf->tls_ca) != 1)
		return fail(why, "tls_ca", conf->tls_ca, "certificates (PEM)");
	/* An intermediate CA alone is enough: whom it signed for is let in. */
	if (X509_VERIFY_PARAM_set_flags(
		SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN) != 1)
		return fail(why, "tls_ca", conf->tls_ca, "OpenSSL's memory");
	/* By these names HAProxy may choose which certificate it shows. */
	names = SSL_load_client_CA_file(conf->tls_ca);
	if (names == NULL)
		return fail(why, "tls_ca", conf->tls_ca, "certificates (PEM)");
	SSL_CTX_set_client_CA_list(ctx, names);
	return true;
}

struct ssl_ctx_st *tls_new(
    const struct conf_agent *conf, char why[static TLS_SENTENCE])
{
	SSL_CTX *ctx;

	assert(conf != NULL && conf->tls_cert[0] == '/');
	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_server_method());
	if (ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
		(void)fail(why, "listen", "tls", "OpenSSL with TLS 1.2");
		goto bad;
	}
	SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase_cb);
	SSL_CTX_set_verify(
	    ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	(void)SSL_CTX_set_options(ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
		SSL_OP_CIPHER_SERVER_PREFERENCE |
		/* Frames have a length: a cut is seen without TLS's word. */
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	(void)SSL_CTX_set_num_tickets(ctx, 0);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* Answers move in their buffer when some of them went; an idle
	   connection keeps no buffers of its own. */
	(void)SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	if (read_files(ctx, conf, why))
		return ctx;
bad:
	SSL_CTX_free(ctx);
	return NULL;
}

void tls_free(struct ssl_ctx_st *tls)
{
	SSL_CTX_free(tls);
}

/* With its place for a descriptor, so that taking one over cannot fail. */
struct ssl_st *tls_open(struct ssl_ctx_st *tls)
{
	BIO *bio;
	SSL *s;

	assert(tls != NULL);
	bio = BIO_new(BIO_s_socket());
	s = SSL_new(tls);
	ERR_clear_error();
	if (s == NULL || bio == NULL) {
		(void)BIO_free(bio);
		SSL_free(s);
		return NULL;
	}
	SSL_set_bio(s, bio, bio);
	SSL_set_accept_state(s);
	return s;
}

void tls_take(struct ssl_st *s, int fd)
{
	long done;

	assert(s != NULL && fd != -1);
	done = BIO_set_fd(SSL_get_rbio(s), fd, BIO_NOCLOSE);
	assert(done == 1);
	(void)done;
}

void tls_close(struct ssl_st *s)
{
	SSL_free(s);
}

/* What a call that gave `rc` means, in recv(2)'s words. */
static ssize_t result(SSL *s, int rc, bool is_recv)
{
	int saved = errno;

	switch (SSL_get_error(s, rc)) {
	case SSL_ERROR_WANT_READ:
		/* Sending waits for nothing but room, once greeted. */
		errno = is_recv ? EAGAIN : EPROTO;
		return -1;
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		if (is_recv)
			return 0;
		errno = EPIPE;
		return -1;
	case SSL_ERROR_SYSCALL:
		errno = saved != 0 ? saved : ECONNRESET;
		return -1;
	default:
		errno = EPROTO;
		return -1;
	}
}

static int bounded(size_t n)
{
	return n < INT32_MAX ? (int)n : INT32_MAX;
}

ssize_t tls_recv(struct ssl_st *s, void *buf, size_t size)
{
	int rc;

	assert(s != NULL && buf != NULL && size > 0);
	ERR_clear_error();
	rc = SSL_read(s, buf, bounded(size));
	return rc > 0 ? rc : result(s, rc, true);
}

ssize_t tls_send(struct ssl_st *s, const void *buf, size_t n)
{
	int rc;

	assert(s != NULL && buf != NULL && n > 0);
	ERR_clear_error();
	rc = SSL_write(s, buf, bounded(n));
	return rc > 0 ? rc : result(s, rc, false);
}

bool tls_has_more(const struct ssl_st *s)
{
	assert(s != NULL);
	return SSL_pending(s) > 0;
}

bool tls_wants_send(const struct ssl_st *s)
{
	assert(s != NULL);
	return SSL_want_write(s);
}

const char *tls_why(const struct ssl_st *s)
{
	long verified;
	const char *why;

	assert(s != NULL);
	verified = SSL_get_verify_result(s);
	why = verified != X509_V_OK ? X509_verify_cert_error_string(verified)
				    : last_reason();
	ERR_clear_error();
	return why;
}

void tls_shut(struct ssl_st *s)
{
	assert(s != NULL);
	if (SSL_is_init_finished(s))
		(void)SSL_shutdown(s);
	ERR_clear_error();
}
