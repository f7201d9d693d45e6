/*
 * startup.h - what a connection asks for, read from its first bytes.
 *
 * Pure, no allocation, never trusts a byte. Source: PostgreSQL manual,
 * "Message Formats": StartupMessage (196608 and 3.2: 196610), SSLRequest
 * 80877103, GSSENCRequest 80877104, CancelRequest 80877102.
 */
#ifndef STARTUP_H
#define STARTUP_H

#include <stdint.h>

#include "limits.h"
#include "slice.h"

enum intent_want {
	INTENT_NONE = 0,
	INTENT_PRIMARY,
	INTENT_REPLICA,
	INTENT_SYNC,
	INTENT_ANY,
};

enum intent_flag {
	INTENT_F_FALLBACK = 1, /* reads may go to the primary if none is left */
	INTENT_F_TLS = 2, /* SSLRequest, GSSENCRequest, ClientHello: unread */
	INTENT_F_CANCEL = 4, /* for the desk */
	INTENT_F_HTTP = 8,   /* GET: for the desk */
	INTENT_F_REPLICATION = 16,
	INTENT_F_OPTIONS = 32, /* the startup data chose, not the listener */
};

struct intent {
	uint16_t listen;        /* index of the listener in the configuration */
	uint8_t want;           /* enum intent_want */
	uint8_t flags;          /* enum intent_flag */
	uint64_t min_lsn;       /* 0: none */
	uint64_t max_lag_bytes; /* UINT64_MAX: as the snapshot has it */
	uint32_t max_lag_ms;    /* UINT32_MAX: likewise */
};

enum startup_rc {
	STARTUP_OK = 0,
	STARTUP_MORE,
	STARTUP_BAD
};

/*
 * Refines *it, which holds the listener's own intent, by `first`, the first
 * bytes of the connection, of which HAProxy passes LIM_STARTUP at most: a
 * longer packet is read as far as it goes, parameter by parameter.
 * Gives: STARTUP_OK and a refined *it; STARTUP_MORE (fewer than 8 bytes, or a
 * length that says more is to come within LIM_STARTUP) or STARTUP_BAD, and *it
 * untouched: then the listener's intent is all there is.
 * Cost: one pass.
 */
enum startup_rc startup_parse(struct slice first, struct intent *it)
    __attribute__((warn_unused_result));

#endif
