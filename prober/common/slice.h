/*
 * slice.h - bytes that somebody else owns, with their length.
 */
#ifndef SLICE_H
#define SLICE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const unsigned char *p; /* NULL only if len is 0 */
	size_t len;
};

static inline struct slice slice_of(const void *p, size_t len)
{
	assert(p != NULL || len == 0);
	return (struct slice){p, len};
}

static inline struct slice slice_str(const char *s)
{
	assert(s != NULL);
	return (struct slice){(const unsigned char *)s, strlen(s)};
}

static inline bool is_slice_eq(struct slice a, const char *s)
{
	assert(s != NULL);
	return a.len == strlen(s) && (a.len == 0 || memcmp(a.p, s, a.len) == 0);
}

/* Drops `n` bytes at the front. Needs: n <= s.len. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
	assert(n <= s.len);
	return (struct slice){n == 0 ? s.p : s.p + n, s.len - n};
}

/* Does it begin with the NUL-terminated `prefix`? */
static inline bool is_slice_start(struct slice s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && (n == 0 || memcmp(s.p, prefix, n) == 0);
}

/*
 * Gives: the bytes up to `end`, and *s moves behind it; all of *s if there is
 * none.
 */
static inline struct slice slice_cut(struct slice *s, char end)
{
	const unsigned char *at =
	    s->len == 0 ? NULL : memchr(s->p, end, s->len);
	size_t n = at == NULL ? s->len : (size_t)(at - s->p);
	struct slice head = {s->p, n};

	*s = slice_skip(*s, at == NULL ? n : n + 1);
	return head;
}

/*
 * Copies `s` with a NUL behind it into `buf` of `size` bytes.
 * Gives: false, and an empty string, if it does not fit or holds a NUL.
 */
static inline bool slice_copy(struct slice s, char *buf, size_t size)
{
	assert(buf != NULL && size > 0);
	buf[0] = '\0';
	if (s.len >= size || (s.len > 0 && memchr(s.p, 0, s.len) != NULL))
		return false;
	if (s.len > 0)
		memcpy(buf, s.p, s.len);
	buf[s.len] = '\0';
	return true;
}

#endif
