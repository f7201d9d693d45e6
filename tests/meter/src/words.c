/*
 * words.c - commands as words, numbers and addresses.
 */
#include "words.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Ends the word that starts at `p`, unquoted in place; gives what follows. */
static char *cut_word(char *p)
{
	char *to = p;
	bool quoted = false;

	while (*p != '\0' && (quoted || (*p != ' ' && *p != '\t'))) {
		if (*p == '\'')
			quoted = !quoted;
		else
			*to++ = *p;
		p++;
	}
	if (quoted)
		return NULL;
	if (*p != '\0')
		p++;
	*to = '\0';
	return p;
}

bool words_cut(char *line, struct words *out)
{
	char *p = line;

	assert(line != NULL && out != NULL);
	out->n = 0;
	for (;;) {
		p += strspn(p, " \t");
		if (*p == '\0')
			return true;
		if (out->n == WORDS_MAX)
			return false;
		out->w[out->n++] = p;
		p = cut_word(p);
		if (p == NULL)
			return false;
	}
}

const char *words_value(const struct words *ws, unsigned from, const char *name)
{
	size_t len = strlen(name);

	for (unsigned i = from; i < ws->n; i++)
		if (strncmp(ws->w[i], name, len) == 0 && ws->w[i][len] == '=')
			return ws->w[i] + len + 1;
	return NULL;
}

bool words_int(const char *s, int64_t min, int64_t max, int64_t *out)
{
	int64_t v = 0;

	assert(s != NULL && min >= 0);
	if (*s == '\0' || strlen(s) > 15)
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (*s - '0');
	}
	if (v < min || v > max)
		return false;
	*out = v;
	return true;
}

bool words_addr(const char *s, struct sockaddr_in *out)
{
	char host[INET_ADDRSTRLEN];
	const char *colon = strrchr(s, ':');
	int64_t port;
	size_t n;

	if (colon == NULL || !words_int(colon + 1, 1, 65535, &port))
		return false;
	n = (size_t)(colon - s);
	if (n == 0 || n >= sizeof(host))
		return false;
	memcpy(host, s, n);
	host[n] = '\0';
	memset(out, 0, sizeof(*out));
	out->sin_family = AF_INET;
	out->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &out->sin_addr) == 1;
}
