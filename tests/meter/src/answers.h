/*
 * answers.h - what patroute-responder says: the other side of the meter's own
 * questions, made once and sent many times.
 *
 * Pure: bytes in, bytes out; no socket, no clock, no allocation.
 * Source: PostgreSQL 15, "Frontend/Backend Protocol", Message Formats.
 */
#ifndef METER_ANSWERS_H
#define METER_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgwire.h"

/* What each of the meter's connections asks, first and foremost. */
#define ANSWERS_ASK "SELECT inet_server_addr(),pg_is_in_recovery()"

/* Whose place it takes: the address, and whether that is in recovery. */
struct answers {
	struct pgw_out greeting; /* logged in, idle */
	struct pgw_out read;     /* who it is, idle */
	struct pgw_out write;    /* the same, and the write refused or taken */
	struct pgw_out unknown;  /* an error: not the meter's question */
};

/*
 * Makes the four answers. Needs: `address` as text, numeric.
 * Gives: false if one does not fit.
 */
bool answers_init(struct answers *a, const char *address, bool in_recovery)
    __attribute__((warn_unused_result));

/* Gives the answer to a simple query's text of `len` bytes, never NULL. */
const struct pgw_out *answers_find(
    const struct answers *a, const unsigned char *sql, size_t len);

/* What the first packet of a connection asks for. */
enum answers_first {
	ANSWERS_MORE = 0, /* not whole yet */
	ANSWERS_STARTUP,  /* protocol 3 */
	ANSWERS_ENCRYPT,  /* TLS or GSS: one byte 'N' */
	ANSWERS_CLOSE,    /* a cancel request, or not the protocol */
};

/* Reads the packet at the front of `len` bytes; its length goes to *used. */
enum answers_first answers_read_first(const unsigned char *p, size_t len,
    size_t *used) __attribute__((warn_unused_result));

#endif
