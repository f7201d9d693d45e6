/*
 * pg_error.c - see pg_error.h. Called by postgres.c.
 *
 * This process never calls setlocale(), so libpq's sentences and strerror()'s
 * are in English; the server's follow its own lc_messages.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "pg_error.h"

static bool is_state_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

/* "SEVERITY:  XXXXX: " : two blanks, which no sentence of libpq's has. */
bool pg_error_sqlstate(const char *text, char state[static PG_SQLSTATE])
{
	const char *p;
	size_t i;

	assert(text != NULL);
	state[0] = '\0';
	for (p = strstr(text, ":  "); p != NULL; p = strstr(p + 1, ":  ")) {
		const char *s = p + 3;

		for (i = 0; i < PG_SQLSTATE - 1 && is_state_char(s[i]); i++)
			continue;
		if (i == PG_SQLSTATE - 1 && s[i] == ':') {
			memcpy(state, s, PG_SQLSTATE - 1);
			state[PG_SQLSTATE - 1] = '\0';
		}
	}
	return state[0] != '\0';
}

static enum ev_rc of_cannot_connect(const char *text, bool was_stopping)
{
	if (strstr(text, "shutting down") != NULL)
		return EV_RC_STOPPING;
	if (strstr(text, "starting up") != NULL ||
	    strstr(text, "recovery") != NULL ||
	    strstr(text, "not accepting") != NULL ||
	    strstr(text, "not yet accepting") != NULL)
		return EV_RC_STARTING;
	return was_stopping ? EV_RC_STOPPING : EV_RC_STARTING;
}

enum ev_rc pg_error_of_sqlstate(
    const char *state, const char *text, bool was_stopping)
{
	assert(state != NULL && text != NULL);
	if (strcmp(state, "57P01") == 0) /* admin_shutdown */
		return EV_RC_STOPPING;
	if (strcmp(state, "57P02") == 0) /* crash_shutdown */
		return EV_RC_STARTING;
	if (strcmp(state, "57P03") == 0) /* cannot_connect_now */
		return of_cannot_connect(text, was_stopping);
	if (strncmp(state, "53", 2) == 0) /* connections, memory, disk */
		return EV_RC_BUSY;
	/* Who we are, which database, what we may: the server lives. */
	if (strncmp(state, "28", 2) == 0 || strcmp(state, "3D000") == 0 ||
	    strcmp(state, "42501") == 0)
		return EV_RC_AUTH;
	return EV_RC_NONE;
}

enum ev_rc pg_error_of_libpq(const char *text)
{
	static const struct {
		int err;
		enum ev_rc rc;
	} errors[] = {
	    {ECONNREFUSED, EV_RC_REFUSED},
	    {EMFILE, EV_RC_LOCAL},
	    {ENFILE, EV_RC_LOCAL},
	    {ENOMEM, EV_RC_LOCAL},
	    {ENOBUFS, EV_RC_LOCAL},
	    {EADDRNOTAVAIL, EV_RC_LOCAL},
	    {EAGAIN, EV_RC_LOCAL}, /* no ephemeral port, connect(2) */
	    {ETIMEDOUT, EV_RC_TIMEOUT},
	    {EHOSTUNREACH, EV_RC_TIMEOUT},
	    {ENETUNREACH, EV_RC_TIMEOUT},
	    {EHOSTDOWN, EV_RC_TIMEOUT},
	    {ENETDOWN, EV_RC_TIMEOUT},
	    {EACCES, EV_RC_TIMEOUT}, /* a route that prohibits */
	    {EPERM, EV_RC_TIMEOUT},
	    {EINVAL, EV_RC_TIMEOUT}, /* a blackhole route */
	    {ECONNRESET, EV_RC_LOST},
	    {EPIPE, EV_RC_LOST},
	};
	static const struct {
		const char *words;
		enum ev_rc rc;
	} sentences[] = {
	    {"closed the connection unexpectedly", EV_RC_LOST},
	    {"out of memory", EV_RC_LOCAL},
	    {"invalid response to SSL", EV_RC_PARSE}, /* not PostgreSQL */
	    {"SSL", EV_RC_TLS},
	    {"certificate", EV_RC_TLS},
	    {"password", EV_RC_AUTH},
	    {"authentication method", EV_RC_AUTH},
	    {"SASL", EV_RC_AUTH},
	    {"SCRAM", EV_RC_AUTH},
	};
	size_t i;

	assert(text != NULL);
	/* libpq 17 has no word for a socket that it could not make. */
	if (text[0] == '\0')
		return EV_RC_LOCAL;
	/* The server's own exhaustion, sent before it can say an SQLSTATE. */
	if (strstr(text, "could not fork") != NULL)
		return EV_RC_BUSY;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (strstr(text, strerror(errors[i].err)) != NULL)
			return errors[i].rc;
	}
	for (i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
		if (strstr(text, sentences[i].words) != NULL)
			return sentences[i].rc;
	}
	return EV_RC_PARSE;
}
