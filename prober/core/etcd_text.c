/*
 * etcd_text.c - see etcd_text.h. Called by etcd3_ask.c, and by the edge for
 * etcd's v2 paths and HTTP's basic authentication.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "etcd_text.h"

static void add_bytes(struct etcd_text *t, const char *p, size_t len)
{
	assert(t != NULL && t->p != NULL && t->used < t->size);
	/* Always ended by a NUL, so that it is a string at any time. */
	if (len >= t->size - t->used) {
		t->full = true;
		return;
	}
	memcpy(t->p + t->used, p, len);
	t->used += len;
	t->p[t->used] = '\0';
}

void etcd_text_add(struct etcd_text *t, const char *s)
{
	add_bytes(t, s, strlen(s));
}

void etcd_text_number(struct etcd_text *t, int64_t n)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%lld", (long long)n);
	etcd_text_add(t, digits);
}

void etcd_text_base64(struct etcd_text *t, struct slice s)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789+/=";
	char four[4];
	size_t i;

	for (i = 0; i < s.len; i += 3) {
		size_t left = s.len - i;
		uint32_t v = (uint32_t)s.p[i] << 16;

		if (left > 1)
			v |= (uint32_t)s.p[i + 1] << 8;
		if (left > 2)
			v |= s.p[i + 2];
		four[0] = set[v >> 18];
		four[1] = set[v >> 12 & 63];
		four[2] = set[left > 1 ? v >> 6 & 63 : 64];
		four[3] = set[left > 2 ? v & 63 : 64];
		add_bytes(t, four, sizeof(four));
	}
}

void etcd_text_json(struct etcd_text *t, struct slice s)
{
	char escaped[8];

	add_bytes(t, "\"", 1);
	for (; s.len > 0; s = slice_skip(s, 1)) {
		if (s.p[0] >= ' ' && s.p[0] != '"' && s.p[0] != '\\') {
			add_bytes(t, (const char *)s.p, 1);
			continue;
		}
		(void)snprintf(escaped, sizeof(escaped), "\\u%04x", s.p[0]);
		etcd_text_add(t, escaped);
	}
	add_bytes(t, "\"", 1);
}

static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || (c != '\0' && strchr("/-._~", c) != NULL);
}

void etcd_text_path(struct etcd_text *t, const char *s)
{
	char escaped[4];

	for (; *s != '\0'; s++) {
		if (is_plain((unsigned char)*s)) {
			add_bytes(t, s, 1);
			continue;
		}
		(void)snprintf(
		    escaped, sizeof(escaped), "%%%02X", (unsigned char)*s);
		etcd_text_add(t, escaped);
	}
}

void etcd_text_cut(struct slice s, char *buf, size_t size)
{
	size_t len = s.len < size - 1 ? s.len : size - 1;

	assert(buf != NULL && size > 0);
	if (len > 0)
		memcpy(buf, s.p, len);
	buf[len] = '\0';
}
