/*
 * wire.h - bounded writing and reading of the feed's fields.
 *
 * Integers big-endian, strings as one length byte and bytes. The first thing
 * that does not fit clears `ok`; what follows then does nothing, so that a
 * codec reads as the list of its fields and asks once, at its end.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdint.h>

#include "slice.h"

struct wire_out {
	unsigned char *p;
	size_t left;
	bool ok;
};

static inline struct wire_out wire_to(unsigned char *buf, size_t size)
{
	struct wire_out w = {.left = size, .ok = true};

	w.p = buf;
	return w;
}

static inline void wire_put(struct wire_out *w, uint64_t v, unsigned bytes)
{
	if (!w->ok || w->left < bytes) {
		w->ok = false;
		return;
	}
	for (unsigned i = 0; i < bytes; i++)
		w->p[i] = (unsigned char)(v >> (8 * (bytes - 1 - i)));
	w->p += bytes;
	w->left -= bytes;
}

/* Needs: s shorter than 256 bytes. */
static inline void wire_put_str(struct wire_out *w, const char *s)
{
	size_t n = strlen(s);

	assert(n <= UINT8_MAX);
	wire_put(w, n, 1);
	if (!w->ok || w->left < n) {
		w->ok = false;
		return;
	}
	memcpy(w->p, s, n);
	w->p += n;
	w->left -= n;
}

struct wire_in {
	struct slice s;
	bool ok;
};

static inline uint64_t wire_get(struct wire_in *r, unsigned bytes)
{
	uint64_t v = 0;

	if (!r->ok || r->s.len < bytes) {
		r->ok = false;
		return 0;
	}
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | r->s.p[i];
	r->s = slice_skip(r->s, bytes);
	return v;
}

/* A string that does not fit `buf` with its NUL, or holds a NUL, is bad. */
static inline void wire_get_str(struct wire_in *r, char *buf, size_t size)
{
	size_t n = (size_t)wire_get(r, 1);

	if (!r->ok || r->s.len < n ||
	    !slice_copy(slice_of(r->s.p, n), buf, size)) {
		r->ok = false;
		return;
	}
	r->s = slice_skip(r->s, n);
}

#endif
