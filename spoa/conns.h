/*
 * conns.h - the places of HAProxy's connections, and what concerns all of them.
 *
 * Owns: their memory, from accept to close. A reference to a connection
 * (struct conn_ref) outlives it and then finds nothing.
 */
#ifndef CONNS_H
#define CONNS_H

#include "conn.h"
#include "listener.h"

struct ssl_ctx_st;

/*
 * Whoever has not said HELLO under TLS is a stranger that may cost 180 KiB
 * until its deadline (OpenSSL keeps a whole ClientHello, 128 KiB at most).
 */
#define CONNS_TLS_HELLO_MAX 256
/*
 * Of those so many are heard in a turn of the loop: a step of their handshake
 * takes up to 2 ms (RSA), and others' decisions wait for the turn's end.
 */
#define CONNS_TLS_TURN 8

struct conn_slot {
	struct conn *conn; /* NULL: free */
	uint32_t gen, next_free;
};

struct conns {
	struct app *app;
	struct conn_slot *slot; /* max of them */
	uint32_t max, n;
	uint32_t tls_n;       /* of n: behind `tls:`, half of max at most */
	uint32_t tls_hello_n; /* of those: before their HELLO */
	unsigned turn;        /* ev_iteration() of the last that was heard */
	uint32_t turn_n;      /* of those: heard in that turn */
	uint32_t used;      /* slots that ever were; the others are untouched */
	uint32_t free;      /* of those: 1 + an index, 0 none */
	struct conn *spare; /* memory for the next one */
	struct ssl_ctx_st *tls; /* of the listeners that want it; or NULL */
	struct ssl_st *spare_tls;
	struct conn *dirty;
	ev_timer sweep;
	uint64_t accepted;
};

/* At start. Gives: false if there is no memory. Needs: max >= 1. */
bool conns_init(struct conns *cs, struct app *app, uint32_t max)
    __attribute__((warn_unused_result));
/* Closes every connection at once. */
void conns_free(struct conns *cs);

/* The listeners' host: it has room while there is a place and memory. */
struct listen_host conns_host(struct conns *cs);
/*
 * The same for `tls:` listeners, bounded twice more: HAProxy of this host has
 * half of the places to itself, whatever strangers do. Needs: conns_tls()
 * before the first one.
 */
struct listen_host conns_tls_host(struct conns *cs);
/* From now on connections are accepted with these certificates; takes `tls`. */
void conns_tls(struct conns *cs, struct ssl_ctx_st *tls);

/* Gives: the connection, NULL if it was closed meanwhile. */
struct conn *conn_find(const struct conns *cs, struct conn_ref ref);
/* From conn.c only: may `c`, before its HELLO, be heard in this turn? If not,
   its event comes again in the next. */
bool conns_hear(struct conns *cs, const struct conn *c);
/* From conn.c only: `c` has left CONN_HELLO. Call once for each. */
void conns_greeted(struct conns *cs, const struct conn *c);
/* From conn_close() only: the place and the memory are free again. */
void conns_give_back(struct conns *cs, struct conn *c);

/* Marks one that has answers to send; sends to all of those. May close them. */
void conn_mark(struct conn *c);
void conns_flush(struct conns *cs);

/* For the end: conn_stop() of all. */
void conns_stop(struct conns *cs, bool is_late);

#endif
