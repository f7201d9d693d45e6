/*
 * text.c - see text.h. Called for all that patroutectl shows.
 */
#include "text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

/* One character of UTF-8 at the front. Gives: its bytes, 0 if it is none. */
static size_t utf8_next(struct slice s, uint32_t *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s.p[0] < 0x80  ? 1
	    : (s.p[0] >> 5) == 6  ? 2
	    : (s.p[0] >> 4) == 14 ? 3
	    : (s.p[0] >> 3) == 30 ? 4
				  : 0;

	if (n == 0 || n > s.len)
		return 0;
	*c = n == 1 ? s.p[0] : s.p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s.p[i] & 0x3fu);
	}
	if (*c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
		return 0;
	return n;
}

/* Gives: the columns of `c`, -1 where it must not reach a terminal. */
static int columns(uint32_t c)
{
	int n;

	if (c < 0x80)
		return c >= 0x20 && c < 0x7f ? 1 : -1;
	n = wcwidth((wchar_t)c);
	return n > 0 ? n
		     : -1; /* no room of its own: it changes its neighbour */
}

struct sink {
	char *out;
	size_t size, used, columns;
};

/* Whole pieces only: half an escape would be another text. */
static void put(struct sink *s, const char *piece, size_t len, size_t columns)
{
	if (len >= s->size - s->used)
		return;
	memcpy(s->out + s->used, piece, len);
	s->used += len;
	s->columns += columns;
}

static void put_escaped(struct sink *s, uint32_t c, bool is_byte)
{
	char piece[12];
	int n;

	if (c == '\n' || c == '\t' || c == '\r')
		n = snprintf(piece, sizeof(piece), "\\%c",
		    c == '\n'       ? 'n'
			: c == '\t' ? 't'
				    : 'r');
	else if (is_byte || c < 0x80)
		n = snprintf(piece, sizeof(piece), "\\x%02x", (unsigned)c);
	else
		n = snprintf(piece, sizeof(piece), "\\u{%x}", (unsigned)c);
	put(s, piece, (size_t)n, (size_t)n);
}

size_t text_clean(struct slice in, bool utf8, char *out, size_t size)
{
	struct sink s = {out, size, 0, 0};

	assert(out != NULL && size > 0);
	while (in.len > 0) {
		uint32_t c = in.p[0];
		size_t n = utf8 || c < 0x80 ? utf8_next(in, &c) : 0;

		if (n == 0) {
			put_escaped(&s, in.p[0], true);
			n = 1;
		} else if (columns(c) > 0) {
			put(&s, (const char *)in.p, n, (size_t)columns(c));
		} else {
			put_escaped(&s, c, false);
		}
		in = slice_skip(in, n);
	}
	out[s.used] = '\0';
	return s.columns;
}

char *text_json_ascii(struct slice json)
{
	/* Two \uXXXX for a character of four bytes, one for any other. */
	size_t size = json.len * 6 + 1, used = 0;
	char *out = malloc(size);

	if (out == NULL)
		return NULL;
	while (json.len > 0) {
		uint32_t c;
		size_t n = utf8_next(json, &c);

		if (n == 0) {
			c = 0xfffd;
			n = 1;
		}
		if (n == 1 && c < 0x7f && (c >= 0x20 || c == '\n')) {
			out[used++] = (char)c;
		} else if (n == 1 && c < 0x20) {
			out[used++] = ' '; /* outside of strings it is blank */
		} else if (c > 0xffff) {
			used += (size_t)snprintf(out + used, size - used,
			    "\\u%04x\\u%04x",
			    (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
			    (unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
		} else {
			used += (size_t)snprintf(
			    out + used, size - used, "\\u%04x", (unsigned)c);
		}
		json = slice_skip(json, n);
	}
	out[used] = '\0';
	return out;
}

const char *text_dur(double ms, char buf[static TEXT_DUR])
{
	/* Bounded, so that a foreign number fits whatever it is. */
	double s = ms < 1e14 ? ms / 1000 : 1e11;
	int64_t m = (int64_t)(s / 60);

	if (!(ms >= 0))
		(void)snprintf(buf, TEXT_DUR, "-");
	else if (ms < 999.5)
		(void)snprintf(buf, TEXT_DUR, "%.0f ms", ms);
	else if (s < 99.95)
		(void)snprintf(buf, TEXT_DUR, "%.1f s", s);
	else if (m < 60)
		(void)snprintf(buf, TEXT_DUR, "%lld min", (long long)m);
	else if (m < 2880) /* 48 h */
		(void)snprintf(buf, TEXT_DUR, "%lld h %lld min",
		    (long long)(m / 60), (long long)(m % 60));
	else
		(void)snprintf(buf, TEXT_DUR, "%lld d %lld h",
		    (long long)(m / 1440), (long long)(m / 60 % 24));
	return buf;
}

const char *text_bytes(double bytes, char buf[static TEXT_SIZE])
{
	static const char *const unit[] = {"B", "kB", "MB", "GB", "TB"};
	size_t u = 0;

	if (!(bytes > 0)) {
		(void)snprintf(buf, TEXT_SIZE, bytes < 0 ? "-" : "0");
		return buf;
	}
	while (bytes >= 1024 && u + 1 < sizeof(unit) / sizeof(unit[0])) {
		bytes /= 1024;
		u++;
	}
	bytes = bytes < 1e9 ? bytes : 1e9;
	(void)snprintf(buf, TEXT_SIZE,
	    u == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, unit[u]);
	return buf;
}
