/*
 * scram.c - SCRAM-SHA-256 without channel binding, and md5.
 */
#include "scram.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#define ITERATIONS_MAX 100000UL

struct server_first {
	char nonce[128];
	char salt[64];
	unsigned long iterations;
};

bool scram_first(const struct scram *s, char *out, size_t size)
{
	int n = snprintf(out, size, "n,,n=,r=%s", s->nonce);

	return n > 0 && (size_t)n < size;
}

static bool hmac(const unsigned char key[static 32], const char *text,
    unsigned char out[static 32])
{
	unsigned int n = 0;

	return HMAC(EVP_sha256(), key, 32, (const unsigned char *)text,
		   strlen(text), out, &n) != NULL &&
	    n == 32;
}

/* Copies "X=value" up to the next comma. */
static const char *take(const char *p, char name, char *out, size_t size)
{
	size_t n;

	if (p[0] != name || p[1] != '=')
		return NULL;
	p += 2;
	n = strcspn(p, ",");
	if (n == 0 || n >= size)
		return NULL;
	memcpy(out, p, n);
	out[n] = '\0';
	p += n;
	return *p == ',' ? p + 1 : p;
}

static bool parse_server(const char *text, struct server_first *s)
{
	char number[16];
	char *end;

	text = take(text, 'r', s->nonce, sizeof(s->nonce));
	if (text != NULL)
		text = take(text, 's', s->salt, sizeof(s->salt));
	if (text != NULL)
		text = take(text, 'i', number, sizeof(number));
	if (text == NULL)
		return false;
	s->iterations = strtoul(number, &end, 10);
	return *end == '\0' && s->iterations > 0 &&
	    s->iterations <= ITERATIONS_MAX;
}

/* base64 with padding. Gives: bytes written, or 0. */
static size_t unbase64(const char *text, unsigned char *out, size_t size)
{
	size_t len = strlen(text);
	size_t pad = 0;
	int n;

	if (len == 0 || len % 4 != 0 || len / 4 * 3 > size)
		return 0;
	n = EVP_DecodeBlock(out, (const unsigned char *)text, (int)len);
	while (pad < 2 && text[len - 1 - pad] == '=')
		pad++;
	return n < 3 ? 0 : (size_t)n - pad;
}

static bool is_kept(const struct scram_cache *c, const char *password,
    const struct server_first *s)
{
	return strcmp(c->salt, s->salt) == 0 &&
	    c->iterations == s->iterations &&
	    strcmp(c->password, password) == 0;
}

static bool keep_keys(
    struct scram_cache *c, const char *password, const struct server_first *s)
{
	unsigned char salt[64];
	unsigned char salted[32];
	size_t n = unbase64(s->salt, salt, sizeof(salt));

	c->salt[0] = '\0';
	if (n == 0 || strlen(password) >= sizeof(c->password))
		return false;
	if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, (int)n,
		(int)s->iterations, EVP_sha256(), sizeof(salted), salted) != 1)
		return false;
	if (!hmac(salted, "Client Key", c->client_key))
		return false;
	SHA256(c->client_key, sizeof(c->client_key), c->stored_key);
	(void)snprintf(c->password, sizeof(c->password), "%s", password);
	(void)snprintf(c->salt, sizeof(c->salt), "%s", s->salt);
	c->iterations = s->iterations;
	return true;
}

/* ClientProof := ClientKey XOR HMAC(StoredKey, AuthMessage), in base64. */
static bool make_proof(
    const struct scram_cache *c, const char *auth, char out[static 48])
{
	unsigned char proof[32];

	if (!hmac(c->stored_key, auth, proof))
		return false;
	for (size_t i = 0; i < sizeof(proof); i++)
		proof[i] ^= c->client_key[i];
	return EVP_EncodeBlock((unsigned char *)out, proof, sizeof(proof)) ==
	    44;
}

bool scram_final(const struct scram *s, const char *server, size_t len,
    char *out, size_t size)
{
	struct server_first f;
	char first[SCRAM_TEXT];
	char bare[192];
	char auth[SCRAM_TEXT * 2];
	char proof[48];
	int n;

	assert(s != NULL && s->cache != NULL && s->password != NULL);
	if (len >= sizeof(first))
		return false;
	memcpy(first, server, len);
	first[len] = '\0';
	if (!parse_server(first, &f) ||
	    strncmp(f.nonce, s->nonce, strlen(s->nonce)) != 0)
		return false;
	if (!is_kept(s->cache, s->password, &f) &&
	    !keep_keys(s->cache, s->password, &f))
		return false;
	n = snprintf(bare, sizeof(bare), "c=biws,r=%s", f.nonce);
	if (n < 0 || (size_t)n >= sizeof(bare))
		return false;
	n = snprintf(
	    auth, sizeof(auth), "n=,r=%s,%s,%s", s->nonce, first, bare);
	if (n < 0 || (size_t)n >= sizeof(auth) ||
	    !make_proof(s->cache, auth, proof))
		return false;
	n = snprintf(out, size, "%s,p=%s", bare, proof);
	return n > 0 && (size_t)n < size;
}

static bool md5_hex(const void *p, size_t len, char out[static 33])
{
	unsigned char sum[16];
	unsigned int n = 0;

	if (EVP_Digest(p, len, sum, &n, EVP_md5(), NULL) != 1 || n != 16)
		return false;
	for (size_t i = 0; i < sizeof(sum); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", sum[i]);
	return true;
}

bool scram_md5(const char *user, const char *password,
    const unsigned char salt[static 4], char out[static SCRAM_MD5])
{
	char text[160];
	char inner[33 + 4];
	int n = snprintf(text, sizeof(text), "%s%s", password, user);

	if (n < 0 || (size_t)n >= sizeof(text) ||
	    !md5_hex(text, (size_t)n, inner))
		return false;
	memcpy(inner + 32, salt, 4);
	memcpy(out, "md5", 4);
	return md5_hex(inner, 36, out + 3);
}
