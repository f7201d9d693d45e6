/*
 * scram.h - how a client proves its password: SCRAM-SHA-256, with the costly
 * half kept, and md5.
 *
 * PBKDF2 costs 3 ms a login; its result depends on password, salt and
 * iterations only, which are the same on every member and for every
 * connection. With it kept, a login costs microseconds, so that the meter can
 * open hundreds a second beside the cluster it measures.
 * The server's own signature is not verified: a meter protects no secret.
 * Source: RFC 5802, RFC 7677. Pure but for the nonce, which is the caller's.
 */
#ifndef METER_SCRAM_H
#define METER_SCRAM_H

#include <stdbool.h>
#include <stddef.h>

#define SCRAM_TEXT 512
#define SCRAM_MD5 36 /* "md5", 32 digits, NUL */

struct scram_cache {
	char password[64];
	char salt[64]; /* as the server sent it, base64; empty: nothing kept */
	unsigned long iterations;
	unsigned char client_key[32];
	unsigned char stored_key[32];
};

/* One login: all of it is the caller's. */
struct scram {
	struct scram_cache *cache;
	const char *password;
	const char *nonce;
};

/*
 * Writes "n,,n=,r=NONCE" (PostgreSQL takes the user from the startup packet).
 * Gives: false if it does not fit.
 */
bool scram_first(const struct scram *s, char *out, size_t size)
    __attribute__((warn_unused_result));

/*
 * Answers the server's first message (`len` bytes, not NUL-ended).
 * Gives: false if it is malformed, does not continue the nonce, asks for more
 * than 100,000 iterations, or the crypto library refuses.
 */
bool scram_final(const struct scram *s, const char *server, size_t len,
    char *out, size_t size) __attribute__((warn_unused_result));

/*
 * The older way: "md5" and md5(md5(password user) salt), in hex.
 * Gives: false if the crypto library refuses, or the words are too long.
 * Source: PostgreSQL 15, Message Flow, AuthenticationMD5Password.
 */
bool scram_md5(const char *user, const char *password,
    const unsigned char salt[static 4], char out[static SCRAM_MD5])
    __attribute__((warn_unused_result));

#endif
