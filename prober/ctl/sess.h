/*
 * sess.h - whose a session of HAProxy is, from `show sess all`.
 *
 * Pure; line by line, as HAProxy 2.6 to 3.3 word it. Nothing here is trusted.
 */
#ifndef SESS_H
#define SESS_H

#include <stdbool.h>
#include <stdint.h>

#include "lim.h"
#include "slice.h"

struct sess_at {
	char addr[LIM_ADDR]; /* "" unknown */
	uint16_t port;
};

struct sess {
	char id[24];         /* "0x55bbb2aaf900" */
	char since[48];      /* "21/Nov/2026:19:27:47" */
	struct sess_at from; /* the application */
	struct sess_at to;   /* where it connected to */
	struct sess_at out;  /* HAProxy's own end of the server's connection */
	struct sess_at at;   /* the server's */
	char listener[LIM_NAME], backend[LIM_NAME], server[LIM_NAME];
};

/* Zeroed before the first line. */
struct sess_reader {
	struct sess now; /* being read */
	bool begun;
};

/*
 * Takes a line, without its end. Gives: true and *out where it ends a session:
 * the first line of the next, or an empty one.
 */
bool sess_line(struct sess_reader *r, struct slice line, struct sess *out)
    __attribute__((warn_unused_result));

/* "10.0.0.1:5432", "::1:5432", "[::1]:5432". Gives: false, and "" otherwise. */
bool sess_at(struct slice text, struct sess_at *out);

/* The same address, be it an IPv4 one as IPv6 has it (::ffff:), and port. */
bool is_sess_at(const struct sess_at *a, const char *addr, uint16_t port);

#endif
