/*
 * desk.h - the agent's own PostgreSQL-speaking socket.
 *
 * Whoever gets no server gets a sentence here, never a bare reset; a
 * CancelRequest is passed to every member; a plain HTTP GET is told the server
 * it would get. HAProxy's backend `desk` connects with send-proxy-v2, which
 * names the listener. Owns: a fixed pool of connections, each with a deadline.
 */
#ifndef DESK_H
#define DESK_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "cancel.h"
#include "lim.h"
#include "listener.h"
#include "proxy2.h"

#define DESK_CONNS_MAX 256
#define DESK_IN (16 + PROXY2_MAX + LIM_STARTUP)
#define DESK_MS 5000 /* from accept to close, whatever the client does */
#define DESK_LINGER_MS 500
#define DESK_ENCRYPTION_MAX 2 /* GSSENCRequest, then SSLRequest */

struct app;

enum desk_state {
	DESK_FREE = 0,
	DESK_PROXY,  /* waits for the PROXY header */
	DESK_FIRST,  /* waits for the client's first words */
	DESK_CANCEL, /* a cancel request is on its way */
	DESK_CLOSING /* all is said, the peer's close is waited for */
};

struct desk_conn {
	unsigned magic;
	struct app *app;
	enum desk_state state;
	uint16_t index, gen;
	uint16_t port;     /* that the client connected to, 0 unknown */
	unsigned refusals; /* of encryption, so far */
	uint16_t next_free;
	ev_io io;
	ev_timer deadline;
	size_t in_n;
	unsigned char in[DESK_IN];
};

struct desk {
	struct app *app; /* NULL: not begun */
	uint32_t max, n; /* connections, at most and now */
	uint16_t free;   /* 1 + an index, 0 none */
	struct cancels cancels;
	struct desk_conn conn[DESK_CONNS_MAX];
};

/* Needs: 1 <= max <= DESK_CONNS_MAX. `cancels`: descriptors for them. */
void desk_init(
    struct desk *desk, struct app *app, uint32_t max, uint32_t cancels);
void desk_free(struct desk *desk);

/* The listener's host. */
struct listen_host desk_host(struct desk *desk);

#endif
