/* stub_pg.c - see stub_pg.h. */
#include "stub_pg.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define SSL_REQUEST 80877103u
#define SALT "patroute-bench.."
#define ROUNDS 4096 /* PostgreSQL's */
#define NONCE "stubstubstubstubstubstub"
#define MESSAGE_MAX 1024

static uint32_t get_be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static void put(struct stub_out *o, const void *p, size_t n)
{
	assert(n <= sizeof(o->p) - o->n);
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void put_be(struct stub_out *o, uint32_t v, size_t bytes)
{
	unsigned char b[4] = {(unsigned char)(v >> 24),
	    (unsigned char)(v >> 16), (unsigned char)(v >> 8),
	    (unsigned char)v};

	put(o, b + 4 - bytes, bytes);
}

/* Begins a message; its length is known at its end. */
static size_t begin(struct stub_out *o, char type)
{
	put(o, &type, 1);
	put_be(o, 0, 4);
	return o->n - 4;
}

static void end(struct stub_out *o, size_t at)
{
	struct stub_out len = {0};

	put_be(&len, (uint32_t)(o->n - at), 4);
	memcpy(o->p + at, len.p, 4);
}

static void put_auth(struct stub_out *o, uint32_t code, const char *text)
{
	size_t at = begin(o, 'R');

	put_be(o, code, 4);
	put(o, text, strlen(text));
	end(o, at);
}

static void put_ready(struct stub_out *o)
{
	size_t at = begin(o, 'Z');

	put(o, "I", 1);
	end(o, at);
}

static void welcome(struct stub_pg *s, struct stub_out *o)
{
	static const char *const said[][2] = {{"server_version", "15.14"},
	    {"server_encoding", "UTF8"}, {"client_encoding", "UTF8"},
	    {"application_name", "patroute-prober"}, {"is_superuser", "off"},
	    {"session_authorization", "patroute"}, {"DateStyle", "ISO, MDY"},
	    {"IntervalStyle", "postgres"}, {"TimeZone", "Etc/UTC"},
	    {"integer_datetimes", "on"}, {"in_hot_standby", "off"},
	    {"default_transaction_read_only", "off"},
	    {"standard_conforming_strings", "on"}};
	size_t at;

	put_auth(o, 0, "");
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		at = begin(o, 'S');
		put(o, said[i][0], strlen(said[i][0]) + 1);
		put(o, said[i][1], strlen(said[i][1]) + 1);
		end(o, at);
	}
	at = begin(o, 'K');
	put(o, "12345678", 8);
	end(o, at);
	put_ready(o);
	s->state = STUB_PG_IN;
}

static void hmac(const unsigned char key[static 32], const char *text,
    unsigned char out[static 32])
{
	unsigned n = 32;
	const unsigned char *p = (const unsigned char *)text;

	(void)HMAC(EVP_sha256(), key, 32, p, strlen(text), out, &n);
}

void stub_pg_open(struct stub_pg_door *door, const char *password)
{
	unsigned char salted[32];

	memset(door, 0, sizeof(*door));
	if (password == NULL)
		return;
	door->scram = true;
	(void)PKCS5_PBKDF2_HMAC(password, (int)strlen(password),
	    (const unsigned char *)SALT, (int)strlen(SALT), ROUNDS,
	    EVP_sha256(), sizeof(salted), salted);
	hmac(salted, "Server Key", door->server_key);
}

/* "SCRAM-SHA-256", its NUL, a length, "n,,n=,r=NONCE". */
static bool scram_first(struct stub_pg *s, const char *body, struct stub_out *o)
{
	const char *bare = strstr(body + strlen(body) + 5, "n,,");
	unsigned char salt[sizeof(SALT) * 2];
	const char *nonce;

	if (bare == NULL || strlen(bare) > sizeof(s->bare))
		return false;
	(void)snprintf(s->bare, sizeof(s->bare), "%s", bare + 3);
	nonce = strstr(s->bare, "r=");
	if (nonce == NULL)
		return false;
	(void)EVP_EncodeBlock(
	    salt, (const unsigned char *)SALT, (int)strlen(SALT));
	(void)snprintf(s->first, sizeof(s->first), "%.60s" NONCE ",s=%s,i=%d",
	    nonce, (const char *)salt, ROUNDS);
	put_auth(o, 11, s->first);
	s->state = STUB_PG_LAST;
	return true;
}

/* Whatever the proof: that the client knows ours is what costs it. */
static bool scram_last(struct stub_pg *s, const char *body, struct stub_out *o)
{
	char all[MESSAGE_MAX], said[80];
	unsigned char sum[32], text[64];
	const char *proof = strstr(body, ",p=");

	if (proof == NULL)
		return false;
	(void)snprintf(all, sizeof(all), "%s,%s,%.*s", s->bare, s->first,
	    (int)(proof - body), body);
	hmac(s->door->server_key, all, sum);
	(void)EVP_EncodeBlock(text, sum, sizeof(sum));
	(void)snprintf(said, sizeof(said), "v=%s", (const char *)text);
	put_auth(o, 12, said);
	welcome(s, o);
	return true;
}

static void answer(const char *const row[static 7], struct stub_out *o)
{
	size_t at = begin(o, 'T');

	put_be(o, 7, 2);
	for (int i = 0; i < 7; i++) {
		put(o, "column", 7);
		put_be(o, 0, 4);           /* table */
		put_be(o, 0, 2);           /* its column */
		put_be(o, 25, 4);          /* text */
		put_be(o, 0xffff, 2);      /* of any length */
		put_be(o, 0xffffffffu, 4); /* no modifier */
		put_be(o, 0, 2);           /* as text */
	}
	end(o, at);
	at = begin(o, 'D');
	put_be(o, 7, 2);
	for (int i = 0; i < 7; i++) {
		uint32_t n = row[i] == NULL ? 0 : (uint32_t)strlen(row[i]);

		put_be(o, row[i] == NULL ? 0xffffffffu : n, 4);
		put(o, row[i] == NULL ? "" : row[i], n);
	}
	end(o, at);
	at = begin(o, 'C');
	put(o, "SELECT 1", 9);
	end(o, at);
	put_ready(o);
}

/* The first messages have no type. */
static long take_start(
    struct stub_pg *s, const unsigned char *in, size_t n, struct stub_out *o)
{
	uint32_t len;

	if (n < 8)
		return 0;
	len = get_be32(in);
	if (len < 8 || len > MESSAGE_MAX)
		return -1;
	if (n < len)
		return 0;
	if (get_be32(in + 4) == SSL_REQUEST) {
		put(o, "N", 1);
	} else if (s->door->scram) {
		size_t at = begin(o, 'R');

		put_be(o, 10, 4);
		put(o, "SCRAM-SHA-256\0", 15);
		end(o, at);
		s->state = STUB_PG_FIRST;
	} else {
		welcome(s, o);
	}
	return (long)len;
}

long stub_pg_take(struct stub_pg *s, const unsigned char *in, size_t n,
    const char *const row[static 7], struct stub_out *out)
{
	char body[MESSAGE_MAX + 8] = {0}; /* whatever comes ends with NULs */
	uint32_t len;

	if (s->state == STUB_PG_START)
		return take_start(s, in, n, out);
	if (n < 5)
		return 0;
	len = get_be32(in + 1);
	if (len < 4 || len > MESSAGE_MAX || in[0] == 'X')
		return -1;
	if (n < len + 1u)
		return 0;
	memcpy(body, in + 5, len - 4);
	if (in[0] == 'Q' && s->state == STUB_PG_IN)
		answer(row, out);
	else if (in[0] != 'p' ||
	    !(s->state == STUB_PG_FIRST ? scram_first(s, body, out)
					: scram_last(s, body, out)))
		return -1;
	return (long)len + 1;
}
