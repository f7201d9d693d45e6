/*
 * load_wire.h - the load's end of a connection: unix, TCP, TLS. Whatever
 * goes wrong ends the program with a sentence.
 */
#ifndef LOAD_WIRE_H
#define LOAD_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ssl_st;
struct ssl_ctx_st;

struct wire_to {
	const char *path; /* of a unix socket, or NULL */
	const char *host; /* numeric */
	uint16_t port;
	struct ssl_ctx_st *tls; /* NULL: cleartext */
};

struct wire_end {
	int fd;
	struct ssl_st *tls;
};

/* `cert`: a file with certificate and key; `ca`: who signed the agent's. */
struct ssl_ctx_st *wire_tls(const char *cert, const char *ca);
/* Connects and greets by TLS; blocks. */
struct wire_end wire_dial(const struct wire_to *to);
void wire_hang_up(struct wire_end *w);
/* Does it wait for its peer? As wire_dial() gives it, it does not. */
void wire_blocks(struct wire_end *w, bool blocks);
/* As send and recv; without waiting: -1 is "not now". */
ssize_t wire_put(struct wire_end *w, const void *buf, size_t n);
ssize_t wire_take(struct wire_end *w, void *buf, size_t n);

/* Two ends of a bare connection, of the kind that `to` is. */
void wire_pair(const struct wire_to *to, int fd[2]);

void wire_die(const char *what) __attribute__((noreturn));

#endif
