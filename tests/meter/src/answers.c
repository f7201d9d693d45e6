/*
 * answers.c - the bytes of a PostgreSQL that knows one question.
 *
 * It asks for no password: what is measured behind HAProxy is the way there.
 */
#include "answers.h"

#include <assert.h>
#include <string.h>

#define AUTH_OK 0U
#define OID_TEXT 25U
#define FIRST_MIN 8U
#define FIRST_MAX PGW_IN_MAX

/* Code numbers of "Message Formats". */
#define CODE_PROTOCOL 3U
#define CODE_SSL 80877103U
#define CODE_GSSENC 80877104U

static void put_number(struct pgw_out *o, uint32_t v, unsigned bytes)
{
	for (unsigned i = bytes; i > 0; i--) {
		unsigned char byte = (unsigned char)(v >> 8 * (i - 1));

		pgw_put(o, &byte, 1);
	}
}

/* Gives where the length of the message stands, for end(). */
static size_t begin(struct pgw_out *o, char type)
{
	size_t at;

	pgw_put(o, &type, 1);
	at = o->len;
	put_number(o, 0, 4);
	return at;
}

static void end(struct pgw_out *o, size_t at)
{
	struct pgw_out length = {.len = 0};

	if (o->full)
		return;
	put_number(&length, (uint32_t)(o->len - at), 4);
	memcpy(o->b + at, length.b, 4);
}

static void put_text(struct pgw_out *o, char type, const char *text)
{
	size_t at = begin(o, type);

	pgw_put(o, text, strlen(text) + 1);
	end(o, at);
}

static void put_idle(struct pgw_out *o)
{
	size_t at = begin(o, 'Z');

	pgw_put(o, "I", 1);
	end(o, at);
}

/* One row of text columns, described, with its command's tag. */
static void put_rows(struct pgw_out *o, const char *const columns[static 2],
    unsigned n, const char *tag)
{
	size_t at = begin(o, 'T');

	put_number(o, n, 2);
	for (unsigned i = 0; i < n; i++) {
		pgw_put(o, "c", 2);
		put_number(o, 0, 4); /* of no table */
		put_number(o, 0, 2);
		put_number(o, OID_TEXT, 4);
		put_number(o, UINT16_MAX, 2); /* any length */
		put_number(o, UINT32_MAX, 4); /* no modifier */
		put_number(o, 0, 2);
	}
	end(o, at);
	at = begin(o, 'D');
	put_number(o, n, 2);
	for (unsigned i = 0; i < n; i++) {
		put_number(o, (uint32_t)strlen(columns[i]), 4);
		pgw_put(o, columns[i], strlen(columns[i]));
	}
	end(o, at);
	put_text(o, 'C', tag);
}

static void put_error(struct pgw_out *o, const char *state, const char *text)
{
	size_t at = begin(o, 'E');

	pgw_put(o, "SERROR", 7);
	pgw_put(o, "VERROR", 7);
	pgw_put(o, "C", 1);
	pgw_put(o, state, strlen(state) + 1);
	pgw_put(o, "M", 1);
	pgw_put(o, text, strlen(text) + 1);
	pgw_put(o, "", 1);
	end(o, at);
}

static void put_greeting(struct pgw_out *o)
{
	size_t at = begin(o, 'R');

	put_number(o, AUTH_OK, 4);
	end(o, at);
	/* No key: it takes no cancel request, and id 0 is nobody's. */
	at = begin(o, 'K');
	put_number(o, 0, 4);
	put_number(o, 0, 4);
	end(o, at);
	put_idle(o);
}

bool answers_init(struct answers *a, const char *address, bool in_recovery)
{
	const char *who[2] = {address, in_recovery ? "t" : "f"};
	/* Any number but 0: it is stored nowhere. */
	const char *txid[2] = {"1", ""};

	assert(a != NULL && address != NULL);
	memset(a, 0, sizeof(*a));
	put_greeting(&a->greeting);
	put_rows(&a->read, who, 2, "SELECT 1");
	a->write = a->read;
	put_idle(&a->read);
	if (in_recovery)
		put_error(&a->write, "25006",
		    "cannot execute INSERT in a read-only transaction");
	else
		put_rows(&a->write, txid, 1, "INSERT 0 1");
	put_idle(&a->write);
	put_error(&a->unknown, "0A000", "only the meter's own question");
	put_idle(&a->unknown);
	return !a->greeting.full && !a->read.full && !a->write.full &&
	    !a->unknown.full;
}

static bool takes(const unsigned char **p, size_t *len, const char *word)
{
	size_t n = strlen(word);

	if (*len < n || memcmp(*p, word, n) != 0)
		return false;
	*p += n;
	*len -= n;
	return true;
}

const struct pgw_out *answers_find(
    const struct answers *a, const unsigned char *sql, size_t len)
{
	assert(a != NULL && sql != NULL);
	if (!takes(&sql, &len, ANSWERS_ASK))
		return &a->unknown;
	if (len == 1 && *sql == '\0')
		return &a->read;
	return takes(&sql, &len, ";INSERT INTO ") ? &a->write : &a->unknown;
}

enum answers_first answers_read_first(
    const unsigned char *p, size_t len, size_t *used)
{
	uint32_t n, code;

	assert(p != NULL && used != NULL);
	if (len < FIRST_MIN)
		return ANSWERS_MORE;
	n = pgw_be32(p);
	code = pgw_be32(p + 4);
	if (n < FIRST_MIN || n > FIRST_MAX)
		return ANSWERS_CLOSE;
	if (n > len)
		return ANSWERS_MORE;
	*used = n;
	if (code == CODE_SSL || code == CODE_GSSENC)
		return ANSWERS_ENCRYPT;
	return code >> 16 == CODE_PROTOCOL ? ANSWERS_STARTUP : ANSWERS_CLOSE;
}
