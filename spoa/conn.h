/*
 * conn.h - one connection of HAProxy: bytes in, frames, bytes out.
 *
 * Owns: its socket, watchers and two fixed buffers. A read pass
 * reads what is there, answers every whole frame and sends all answers with one
 * call. Nothing is allocated but the connection itself, when it is accepted
 * (and OpenSSL's own behind a `tls:` listener).
 */
#ifndef CONN_H
#define CONN_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "hold.h"
#include "lim.h"
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
struct ssl_st;

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
	bool has_asked; /* a NOTIFY came */
	bool is_left;   /* whole frames may be left for lack of room */
	bool has_moved; /* a frame came or bytes went since the last look */
	struct conn *dirty_next;
	uint32_t held; /* streams in the hold */
	uint32_t max_frame;
	struct ssl_st *tls; /* NULL: the bytes are the socket's */
	ev_io rd, wr;
	uint32_t in_n, out_n;
	unsigned char in[CONN_IN], out[CONN_OUT];
};

/* Begins on an accepted socket. Needs: memory that is zeroed up to `in`, with
   its app and ref; `tls`, or NULL, becomes its own. */
void conn_begin(struct conn *c, int fd, struct ssl_st *tls);
/* Ends it at once; its memory is gone then. */
void conn_close(struct conn *c, const char *why);

/*
 * Reads what is there, answers it, sends the answers.
 * Gives: false if the connection is no more.
 */
bool conn_pass(struct conn *c);
/* Sends what there is to send. It may be no more then. */
void conn_flush(struct conn *c);
/* Once a second: closes it if it is late. */
void conn_watch(struct conn *c, struct mono now);

/*
 * The agent ends: answers what has come and says DISCONNECT with status 0. Who
 * has not asked anything yet may be about to, and waits until it is late.
 */
void conn_stop(struct conn *c, bool is_late);

/*
 * Puts an ACK behind the others; the end of the read pass sends them all.
 * Outside of a read pass, conn_mark() and conns_flush() do.
 * Gives: false if the peer left no room by not reading.
 */
bool conn_ack(struct conn *c, const struct spop_ack *ack)
    __attribute__((warn_unused_result));

#endif
