/*
 * pgc.h - one PostgreSQL connection on the loop, with the instants of its
 * life: connected, first byte from a server, logged in.
 *
 * libpq is not used: it repeats SCRAM's 3 ms for every login, hides the
 * first bytes and their times, and does not tell a FIN from a reset. Numeric
 * addresses only, in cleartext (ssl=ask sends the SSLRequest that libpq's
 * default sends, and goes on when the answer is 'N').
 */
#ifndef METER_PGC_H
#define METER_PGC_H

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>

#include <ev.h>

#include "pgwire.h"
#include "scram.h"

#define PGC_MAGIC 0x70676331U

enum pgc_state {
	PGC_OFF = 0, /* no socket */
	PGC_CONNECT, /* waits for TCP */
	PGC_SSL,     /* waits for the answer to an SSLRequest */
	PGC_STARTUP, /* waits to be logged in */
	PGC_READY,   /* idle */
	PGC_QUERY,   /* waits for the end of a query */
};

/* How the other side, or the way to it, ended a connection. */
enum pgc_end {
	PGC_END_NONE = 0,
	PGC_END_REFUSED,
	PGC_END_RESET,
	PGC_END_FIN,
	PGC_END_UNREACH, /* no route, host unreachable, TCP's own timeout */
	PGC_END_LOCAL,   /* our exhaustion: descriptors, ports, memory */
	PGC_END_PROTO,   /* bytes that are not the protocol, or TLS wanted */
};

/* Gives: a word for the history. */
const char *pgc_end_name(enum pgc_end end);

struct pgc;

/*
 * What an owner hears. It may call pgc_query, pgc_close or pgc_drop from any
 * of them, but must not free the memory of `c` before they have returned.
 */
struct pgc_ops {
	void (*ready)(struct pgc *c);
	void (*row)(struct pgc *c, const struct pgw_msg *m);
	void (*done)(struct pgc *c); /* err.state is set if it failed */
	void (*ended)(struct pgc *c, enum pgc_end end); /* socket is closed */
};

/* Who logs in, shared by many connections; `scram` is filled at first use. */
struct pgc_login {
	char user[64];
	char password[64];
	char database[64];
	char application[64];
	char options[256];
	bool ssl_ask;
	struct scram_cache *scram;
};

struct pgc {
	unsigned magic;
	enum pgc_state state;
	struct ev_loop *loop;
	const struct pgc_ops *ops;
	const struct pgc_login *login;
	ev_io io;
	int64_t start_ns, connected_ns, hello_ns, ready_ns; /* 0: not yet */
	uint16_t port;        /* our own, host order: HAProxy's log has it */
	uint32_t backend_pid; /* 0: not told yet */
	struct pgw_error err; /* the last ErrorResponse */
	char nonce[40];
	size_t in_len;
	unsigned char in[PGW_IN_MAX];
};

/*
 * Starts to connect. Needs: c->state PGC_OFF; login and ops outlive c.
 * Gives: PGC_END_NONE, or why it could not even start (then ops are not
 * called). Never blocks.
 */
enum pgc_end pgc_open(struct pgc *c, struct ev_loop *loop,
    const struct pgc_ops *ops, const struct pgc_login *login,
    const struct sockaddr_in *to) __attribute__((warn_unused_result));

/* Sends a simple query. Needs: PGC_READY. Gives: false if it was not sent. */
bool pgc_query(struct pgc *c, const char *sql)
    __attribute__((warn_unused_result));

/* Says goodbye where it can, and closes. ops are not called. */
void pgc_close(struct pgc *c);

/* Closes without a word. ops are not called. */
void pgc_drop(struct pgc *c);

#endif
