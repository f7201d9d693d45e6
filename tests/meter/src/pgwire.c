/*
 * pgwire.c - PostgreSQL's messages, both ways.
 */
#include "pgwire.h"

#include <assert.h>
#include <string.h>

/* Code numbers of "Message Formats". */
#define PGW_PROTOCOL_3_0 196608U
#define PGW_SSL_REQUEST 80877103U

uint32_t pgw_be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

enum pgw_rc pgw_read(
    const unsigned char *p, size_t len, struct pgw_msg *m, size_t *used)
{
	uint32_t n;

	assert(p != NULL && m != NULL && used != NULL);
	if (len < 5)
		return PGW_MORE;
	n = pgw_be32(p + 1);
	if (n < 4 || n > PGW_IN_MAX - 1)
		return PGW_BAD;
	if (n > len - 1)
		return PGW_MORE;
	m->type = (char)p[0];
	m->body = p + 5;
	m->len = n - 4;
	*used = (size_t)n + 1;
	return PGW_OK;
}

static void copy_field(
    char *to, size_t size, const unsigned char *p, size_t len)
{
	size_t n = len < size - 1 ? len : size - 1;

	memcpy(to, p, n);
	to[n] = '\0';
}

void pgw_error_read(const struct pgw_msg *m, struct pgw_error *e)
{
	const unsigned char *p;
	size_t left;

	assert(m != NULL && e != NULL);
	memset(e, 0, sizeof(*e));
	p = m->body;
	left = m->len;
	while (left > 1 && *p != 0) {
		const unsigned char *end = memchr(p + 1, 0, left - 1);
		size_t len;

		if (end == NULL)
			return;
		len = (size_t)(end - p) - 1;
		if (*p == 'V')
			copy_field(
			    e->severity, sizeof(e->severity), p + 1, len);
		else if (*p == 'C')
			copy_field(e->state, sizeof(e->state), p + 1, len);
		else if (*p == 'M')
			copy_field(e->text, sizeof(e->text), p + 1, len);
		left -= len + 2;
		p = end + 1;
	}
}

bool pgw_column(const struct pgw_msg *m, unsigned i, char *buf, size_t size)
{
	const unsigned char *p;
	size_t left;
	unsigned n;

	assert(m != NULL && buf != NULL && size > 0);
	buf[0] = '\0';
	if (m->len < 2)
		return false;
	n = (unsigned)m->body[0] << 8 | m->body[1];
	p = m->body + 2;
	left = m->len - 2;
	for (unsigned k = 0; k < n && left >= 4; k++) {
		uint32_t len = pgw_be32(p);
		bool is_null = len == UINT32_MAX;

		p += 4;
		left -= 4;
		if (is_null)
			len = 0;
		if (len > left)
			return false;
		if (k == i) {
			if (is_null || len >= size)
				return false;
			copy_field(buf, size, p, len);
			return true;
		}
		p += len;
		left -= len;
	}
	return false;
}

void pgw_put(struct pgw_out *o, const void *p, size_t len)
{
	if (o->full || len > sizeof(o->b) - o->len) {
		o->full = true;
		return;
	}
	memcpy(o->b + o->len, p, len);
	o->len += len;
}

static void put_be32(struct pgw_out *o, uint32_t v)
{
	unsigned char b[4] = {(unsigned char)(v >> 24),
	    (unsigned char)(v >> 16), (unsigned char)(v >> 8),
	    (unsigned char)v};

	pgw_put(o, b, sizeof(b));
}

static void put_cstr(struct pgw_out *o, const char *s)
{
	pgw_put(o, s, strlen(s) + 1);
}

/* The length counts itself and everything behind it, not the type. */
static void set_length(struct pgw_out *o, size_t at)
{
	uint32_t n;

	if (o->full)
		return;
	n = (uint32_t)(o->len - at);
	o->b[at] = (unsigned char)(n >> 24);
	o->b[at + 1] = (unsigned char)(n >> 16);
	o->b[at + 2] = (unsigned char)(n >> 8);
	o->b[at + 3] = (unsigned char)n;
}

void pgw_startup(struct pgw_out *o, const char *const *params)
{
	size_t at = o->len;

	put_be32(o, 0);
	put_be32(o, PGW_PROTOCOL_3_0);
	for (; params[0] != NULL; params += 2) {
		if (params[1] == NULL || params[1][0] == '\0')
			continue;
		put_cstr(o, params[0]);
		put_cstr(o, params[1]);
	}
	pgw_put(o, "", 1);
	set_length(o, at);
}

void pgw_ssl_request(struct pgw_out *o)
{
	put_be32(o, 8);
	put_be32(o, PGW_SSL_REQUEST);
}

static void put_text_message(struct pgw_out *o, char type, const char *s)
{
	size_t at;

	pgw_put(o, &type, 1);
	at = o->len;
	put_be32(o, 0);
	put_cstr(o, s);
	set_length(o, at);
}

void pgw_query(struct pgw_out *o, const char *sql)
{
	put_text_message(o, 'Q', sql);
}

void pgw_password(struct pgw_out *o, const char *password)
{
	put_text_message(o, 'p', password);
}

void pgw_sasl_initial(struct pgw_out *o, const char *first)
{
	size_t at;

	pgw_put(o, "p", 1);
	at = o->len;
	put_be32(o, 0);
	put_cstr(o, "SCRAM-SHA-256");
	put_be32(o, (uint32_t)strlen(first));
	pgw_put(o, first, strlen(first));
	set_length(o, at);
}

void pgw_sasl_response(struct pgw_out *o, const char *final)
{
	size_t at;

	pgw_put(o, "p", 1);
	at = o->len;
	put_be32(o, 0);
	pgw_put(o, final, strlen(final));
	set_length(o, at);
}

void pgw_terminate(struct pgw_out *o)
{
	pgw_put(o, "X", 1);
	put_be32(o, 4);
}
