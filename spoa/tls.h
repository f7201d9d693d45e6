/*
 * tls.h - TLS of the agent's listeners, for HAProxy on another host.
 *
 * OpenSSL, TLS 1.2 and later; the peer must show a certificate that
 * agent.tls_ca signed. The calls look like recv(2) and send(2), so that conn.c
 * knows no more of it than that. Memory: OpenSSL's own. A connection that was
 * greeted has 48 KiB at most, a record each way included; before that its
 * handshake may take 180 KiB, so conns.h bounds how many are that far.
 */
#ifndef TLS_H
#define TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* OpenSSL's SSL_CTX and SSL. */
struct ssl_ctx_st;
struct ssl_st;
struct conf_agent;

#define TLS_SENTENCE 512

/*
 * Reads agent.tls_cert, tls_key and tls_ca: at start and on SIGHUP only.
 * Gives: what tls_free() ends, or NULL and a sentence with key, file, reason.
 */
struct ssl_ctx_st *tls_new(const struct conf_agent *conf,
    char why[static TLS_SENTENCE]) __attribute__((warn_unused_result));
/* Connections that still are keep what they need of it. NULL is none. */
void tls_free(struct ssl_ctx_st *tls);

/* The server's end of a connection that is not there yet; NULL: no memory. */
struct ssl_st *tls_open(struct ssl_ctx_st *tls)
    __attribute__((warn_unused_result));
/* Gives it its descriptor, which stays the caller's. */
void tls_take(struct ssl_st *s, int fd);
/* NULL is none. */
void tls_close(struct ssl_st *s);

/*
 * As recv(2) and send(2) of a non-blocking socket; the handshake is done on the
 * way. Gives: bytes, 0 at the peer's end (recv), or -1 and errno: EAGAIN (not
 * now), EPROTO (not TLS, or not a peer of ours: tls_why() says it), others.
 */
ssize_t tls_recv(struct ssl_st *s, void *buf, size_t size)
    __attribute__((warn_unused_result));
ssize_t tls_send(struct ssl_st *s, const void *buf, size_t n)
    __attribute__((warn_unused_result));

/* Bytes that tls_recv() would give without asking the kernel. */
bool tls_has_more(const struct ssl_st *s);
/* It has to send before it can receive. */
bool tls_wants_send(const struct ssl_st *s);
/* Why the last call gave EPROTO. Takes the reason away. Never NULL. */
const char *tls_why(const struct ssl_st *s);
/* Tells the peer that nothing more comes, if it can be told now. */
void tls_shut(struct ssl_st *s);

#endif
