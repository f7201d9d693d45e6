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

#include "lim.h"
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
	INTENT_F_CHOOSE = 64,  /* the listener lets the startup data choose */
	INTENT_F_WAITED = 128, /* min_lsn_wait is over: the primary will do */
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
 *
 * What kind of connection it is (TLS, CANCEL, HTTP …) is always said.
 * `options`, patroute.* parameters and application_name are read only where
 * *it has INTENT_F_CHOOSE, which conf_listen_intent() sets for
 * `startup_options = true`. Options are read as the server reads them; both
 * of the former beat application_name. One patroute.*
 * setting that is unknown or makes no sense, or a packet that the server would
 * refuse, makes all of it STARTUP_BAD: half of a wish is not what was meant.
 * Cost: one pass.
 */
enum startup_rc startup_parse(struct slice first, struct intent *it)
    __attribute__((warn_unused_result));

/*
 * Direct TLS (PostgreSQL 17): the first label of the server name chooses, as
 * in `primary.db.example.org`, in whichever case. Nothing happens without
 * INTENT_F_CHOOSE, for an empty name or another label.
 */
void startup_sni(struct slice sni, struct intent *it);

#endif
