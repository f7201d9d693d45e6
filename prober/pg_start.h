/*
 * pg_start.h - how a connection to a member's PostgreSQL is asked for.
 */
#ifndef PG_START_H
#define PG_START_H

#include <libpq-fe.h>
#include <stdint.h>

#include "conf.h"

struct pg_cfg {
	char user[LIM_NAME];
	char dbname[LIM_NAME];
	char passfile[LIM_TEXT]; /* libpq's format; "": none */
	enum conf_sslmode sslmode;
	/* PEM files; "": none. */
	char sslrootcert[LIM_TEXT], sslcert[LIM_TEXT], sslkey[LIM_TEXT];
};

struct pg_target {
	char addr[LIM_ADDR]; /* numeric; "": none */
	char name[LIM_ADDR]; /* for TLS and the passfile; "": addr */
	uint16_t port;
};

/* Takes libpq's variables out of the environment. Needs: no thread runs yet. */
void pg_start_forget_env(void);

/*
 * Begins a connection without blocking: the address is numeric, so libpq asks
 * no resolver. Its connect_timeout is not enforced by asynchronous calls.
 * Gives: NULL if memory is out.
 */
PGconn *pg_start(const struct pg_cfg *cfg, const struct pg_target *to)
    __attribute__((warn_unused_result));

#endif
