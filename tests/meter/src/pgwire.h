/*
 * pgwire.h - the few messages of PostgreSQL's protocol 3.0 that a client
 * needs which logs in, asks simple queries and says goodbye.
 *
 * Pure: bytes to messages and back; no socket, no clock, no allocation.
 * Source: PostgreSQL 15, "Frontend/Backend Protocol", Message Formats.
 */
#ifndef METER_PGWIRE_H
#define METER_PGWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest message taken from a server; everything asked for is far below. */
#define PGW_IN_MAX 2048
#define PGW_OUT_MAX 2048

enum pgw_rc {
	PGW_MORE = 0,
	PGW_OK,
	PGW_BAD
};

/* One message; the body points into the caller's bytes. */
struct pgw_msg {
	char type;
	const unsigned char *body;
	size_t len;
};

/*
 * Takes the message at the front of `len` bytes.
 * Gives: PGW_OK with *m and *used set; PGW_MORE if it is not whole yet;
 * PGW_BAD if its length is impossible or above PGW_IN_MAX.
 */
enum pgw_rc pgw_read(const unsigned char *p, size_t len, struct pgw_msg *m,
    size_t *used) __attribute__((warn_unused_result));

/* A big-endian number at the front of a body. Needs: four bytes there. */
uint32_t pgw_be32(const unsigned char *p);

struct pgw_error {
	char severity[12]; /* "ERROR", "FATAL", … as the server says it */
	char state[6];     /* SQLSTATE; empty: no error */
	char text[160];    /* the message, cut */
};

/* Reads an ErrorResponse ('E'). Fields that are not there stay empty. */
void pgw_error_read(const struct pgw_msg *m, struct pgw_error *e);

/*
 * Copies column `i` of a DataRow ('D') into buf with a NUL behind it.
 * Gives: false (and an empty string) where there is no such column, it is
 * NULL, or it does not fit.
 */
bool pgw_column(const struct pgw_msg *m, unsigned i, char *buf, size_t size);

/* Bytes to send. `full` is set, and stays, once something did not fit. */
struct pgw_out {
	unsigned char b[PGW_OUT_MAX];
	size_t len;
	bool full;
};

/* Bytes as they are. */
void pgw_put(struct pgw_out *o, const void *p, size_t len);
/* `params` are names and values in turn, ended by NULL; NULL values skip. */
void pgw_startup(struct pgw_out *o, const char *const *params);
void pgw_ssl_request(struct pgw_out *o);
void pgw_query(struct pgw_out *o, const char *sql);
void pgw_password(struct pgw_out *o, const char *password);
void pgw_sasl_initial(struct pgw_out *o, const char *first);
void pgw_sasl_response(struct pgw_out *o, const char *final);
void pgw_terminate(struct pgw_out *o);

#endif
