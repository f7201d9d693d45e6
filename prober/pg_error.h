/*
 * pg_error.h - what PostgreSQL's and libpq's error texts say of a server.
 *
 * Pure. libpq gives no SQLSTATE for a connection that failed, only a text;
 * with PQERRORS_VERBOSE the text holds it: "FATAL:  57P03: the database…".
 * Source: PostgreSQL manual, Appendix A; libpq's fe-protocol3.c.
 */
#ifndef PG_ERROR_H
#define PG_ERROR_H

#include <stdbool.h>

#include "ev_item.h"

#define PG_SQLSTATE 6 /* five characters and NUL */

/*
 * The last SQLSTATE in a verbose text (after a refused TLS attempt there are
 * two). Gives: false and "" if there is none.
 */
bool pg_error_sqlstate(const char *text, char state[static PG_SQLSTATE]);

/*
 * What an SQLSTATE says. 57P03 covers starting and stopping; its sentence
 * tells them apart where it is in English, else `was_stopping` (this server
 * ended our last connection with 57P01) decides. Both mean: no primary here.
 * Gives: NONE if the state is one that says nothing of the server's life.
 */
enum ev_rc pg_error_of_sqlstate(
    const char *state, const char *text, bool was_stopping);

/* What libpq says of a connection that failed without a word of the server. */
enum ev_rc pg_error_of_libpq(const char *text);

#endif
