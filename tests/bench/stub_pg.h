/*
 * stub_pg.h - a PostgreSQL that can be let in to and asked one question.
 *
 * Bytes in, bytes out, no I/O: stub_site.c has the sockets.
 * Source: PostgreSQL 15, chapter 55 (protocol), RFC 5802 (SCRAM).
 */
#ifndef STUB_PG_H
#define STUB_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STUB_OUT 2048

struct stub_out {
	size_t n;
	unsigned char p[STUB_OUT];
};

/* Who may come in; made once, for the key takes its time. */
struct stub_pg_door {
	bool scram; /* else anybody */
	unsigned char server_key[32];
};

enum stub_pg_state {
	STUB_PG_START = 0,
	STUB_PG_FIRST,
	STUB_PG_LAST,
	STUB_PG_IN
};

struct stub_pg {
	const struct stub_pg_door *door;
	enum stub_pg_state state;
	char bare[128], first[128]; /* of SCRAM: what both have said */
};

/* `password` NULL: no SCRAM. */
void stub_pg_open(struct stub_pg_door *door, const char *password);

/*
 * Takes one whole message from the front of `in`; `row` answers a question.
 * Gives: bytes taken, 0 while there is no whole one, -1: hang up.
 */
long stub_pg_take(struct stub_pg *s, const unsigned char *in, size_t n,
    const char *const row[static 7], struct stub_out *out);

#endif
