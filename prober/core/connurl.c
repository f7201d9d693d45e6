/*
 * connurl.c - see connurl.h.
 *
 * Source: PostgreSQL manual, "Connection URIs"; RFC 3986, 3.2 (authority).
 */
#include <assert.h>
#include <string.h>

#include "connurl.h"
#include "num.h"

static const struct {
	const char *text;
	enum connurl_scheme scheme;
	uint16_t port;
} schemes[] = {
    {"postgres://", CONNURL_POSTGRES, 5432},
    {"postgresql://", CONNURL_POSTGRES, 5432},
    {"http://", CONNURL_HTTP, 80},
    {"https://", CONNURL_HTTPS, 443},
};

/* Index of the first byte that is one of `set`, s.len if there is none. */
static size_t find_any(struct slice s, const char *set)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (s.p[i] != '\0' && strchr(set, s.p[i]) != NULL)
			return i;
	}
	return s.len;
}

static bool take_scheme(struct slice *s, struct connurl *out)
{
	size_t i, len;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		len = strlen(schemes[i].text);
		if (s->len < len || memcmp(s->p, schemes[i].text, len) != 0)
			continue;
		out->scheme = schemes[i].scheme;
		out->port = schemes[i].port;
		*s = slice_skip(*s, len);
		return true;
	}
	return false;
}

static bool is_host(struct slice s, bool bracketed)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		unsigned char c = s.p[i];
		bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';

		/* A colon and a zone only stand in an IPv6 address. */
		if (!word && !(bracketed && (c == ':' || c == '%')))
			return false;
	}
	return s.len > 0;
}

/* "[::1]" or "name"; leaves what follows in *s. */
static bool take_host(struct slice *s, struct connurl *out)
{
	bool bracketed = s->len > 0 && s->p[0] == '[';
	struct slice host;
	size_t end;

	if (bracketed)
		*s = slice_skip(*s, 1);
	end = find_any(*s, bracketed ? "]" : ":");
	if (bracketed && end == s->len)
		return false;
	host = slice_of(s->p, end);
	*s = slice_skip(*s, bracketed ? end + 1 : end);
	return is_host(host, bracketed) &&
	    slice_copy(host, out->host, sizeof(out->host));
}

static bool take_port(struct slice s, struct connurl *out)
{
	uint64_t port;

	if (s.len == 0)
		return true;
	if (s.p[0] != ':' || !num_u64(slice_skip(s, 1), 1, 65535, &port))
		return false;
	out->port = (uint16_t)port;
	return true;
}

/* Drops "user:password@". A password may hold an '@' of its own. */
static struct slice skip_user(struct slice s)
{
	size_t i;

	for (i = s.len; i > 0; i--) {
		if (s.p[i - 1] == '@')
			return slice_skip(s, i);
	}
	return s;
}

bool connurl_parse(struct slice url, struct connurl *out)
{
	struct slice s = url;

	assert(out != NULL);
	memset(out, 0, sizeof(*out));
	if (take_scheme(&s, out)) {
		s = skip_user(slice_of(s.p, find_any(s, "/?#")));
		if (take_host(&s, out) && take_port(s, out))
			return true;
	}
	memset(out, 0, sizeof(*out));
	return false;
}
