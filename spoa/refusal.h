/*
 * refusal.h - what the desk says to a client that gets no server.
 *
 * Pure: builds bytes. Source: PostgreSQL manual, "Message Formats" and "Error
 * and Notice Message Fields"; RFC 8446, section 6.
 */
#ifndef REFUSAL_H
#define REFUSAL_H

#include <stddef.h>
#include <stdint.h>

#include "route.h"
#include "snapshot.h"

#define REFUSAL_MAX 1024

struct refusal {
	const char *cluster;         /* NULL: no listener of ours */
	const struct snapshot *snap; /* NULL: nothing fresh is known */
	struct decision d;           /* what it would get now */
	uint8_t want;                /* enum intent_want */
	int64_t since_s; /* how long there has been no write target */
	int64_t held_s;  /* hold_timeout */
};

/* An ErrorResponse: FATAL 57P03, a sentence, a hint. Gives: its length. */
size_t refusal_error(
    const struct refusal *r, unsigned char buf[static REFUSAL_MAX]);

/* The fatal alert internal_error: a TLS client sees no sentence. */
size_t refusal_alert(unsigned char buf[static REFUSAL_MAX]);

/* The same, or the server it would get, as an HTTP answer in JSON. */
size_t refusal_http(
    const struct refusal *r, unsigned char buf[static REFUSAL_MAX]);
/* For a path that means nothing here. */
size_t refusal_http_unknown(unsigned char buf[static REFUSAL_MAX]);

#endif
