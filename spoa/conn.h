/*
 * conn.h - HAProxy's connections: bytes in, frames, bytes out.
 *
 * Owns: each connection's socket, watchers and two fixed buffers. A read pass
 * reads what is there, answers every whole frame and sends all answers with one
 * call. Nothing is allocated but the connection itself, when it is accepted.
 */
#ifndef CONN_H
#define CONN_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "hold.h"
#include "lim.h"
#include "listener.h"
#include "mono.h"
#include "spop.h"

/* No frame is begun with less room than this; no ACK of ours is longer. */
#define CONN_ANSWER_MAX LIM_SPOP_FRAME_MIN
#define CONN_IN 6144 /* more than the largest frame and its length field */
#define CONN_OUT 8192
#define CONN_OUT_HIGH 4096 /* above it nothing more is read */

#define CONN_HELLO_MS 3000    /* from the connection to its HELLO */
#define CONN_PARTIAL_MS 5000  /* from a frame's first byte to its last */
#define CONN_BLOCKED_MS 30000 /* the peer takes no byte of its answers */
#define CONN_LINGER_MS 1000   /* from our DISCONNECT to the peer's close */

struct app;

enum conn_state {
	CONN_NONE = 0,
	CONN_HELLO,   /* accepted */
	CONN_READY,   /* HELLO answered */
	CONN_CHECKED, /* a health check's HELLO answered: the peer closes */
	CONN_CLOSING  /* DISCONNECT is out or on its way, input is dropped */
};

/* What a connection's deadline is for. */
enum conn_wait {
	CONN_WAIT_NONE = 0,
	CONN_WAIT_HELLO,
	CONN_WAIT_PARTIAL,
	CONN_WAIT_BLOCKED,
	CONN_WAIT_CLOSE
};

struct conn {
	unsigned magic;
	struct app *app;
	struct conn_ref ref;
	enum conn_state state;
	enum conn_wait wait;
	struct mono deadline;
	bool suspect;   /* past its deadline; gets one more second */
	bool is_shut;   /* our side is closed */
	bool is_dirty;  /* in conns.dirty */
	bool has_moved; /* a frame came or bytes went since the last look */
	struct conn *dirty_next;
	uint32_t held; /* streams in the hold */
	uint32_t max_frame;
	ev_io rd, wr;
	uint32_t in_n, out_n;
	unsigned char in[CONN_IN], out[CONN_OUT];
};

struct conn_slot {
	struct conn *conn; /* NULL: free */
	uint32_t gen, next_free;
};

struct conns {
	struct app *app;
	struct conn_slot *slot; /* max of them */
	uint32_t max, n;
	uint32_t used;      /* slots that ever were; the others are untouched */
	uint32_t free;      /* of those: 1 + an index, 0 none */
	struct conn *spare; /* memory for the next one */
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

/* Gives: the connection, NULL if it was closed meanwhile. */
struct conn *conn_find(const struct conns *cs, struct conn_ref ref);

/*
 * Puts an ACK behind the others; the end of the read pass sends them all.
 * Outside of a read pass, conn_mark() and conns_flush() do.
 * Gives: false if the peer left no room by not reading.
 */
bool conn_ack(struct conn *c, const struct spop_ack *ack)
    __attribute__((warn_unused_result));
void conn_mark(struct conn *c);

/* Sends to those that are marked. May close them. */
void conns_flush(struct conns *cs);

/* For the end: answers what has come, as far as it can be answered. */
void conns_drain(struct conns *cs);
/* Says DISCONNECT with status 0 to all. */
void conns_stop(struct conns *cs);

#endif
