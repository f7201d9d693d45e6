/*
 * guard.h - memory whose next byte cannot be read: a parser that reads one
 * byte too many, or its caller's buffer at the wrong length, dies at once.
 */
#ifndef GUARD_H
#define GUARD_H

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "slice.h"

struct guard {
	unsigned char *map;
	size_t room, page; /* readable bytes, then one page that is not */
};

static inline struct guard guard_new(size_t max)
{
	struct guard g = {.page = (size_t)sysconf(_SC_PAGESIZE)};

	g.room = (max / g.page + 1) * g.page;
	g.map = mmap(NULL, g.room + g.page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(g.map != MAP_FAILED);
	if (mprotect(g.map + g.room, g.page, PROT_NONE) == -1)
		assert(false);
	return g;
}

/* The bytes, placed so that the first one behind them is out of reach. */
static inline struct slice guard_put(
    struct guard *g, const void *bytes, size_t len)
{
	unsigned char *at = g->map + g->room - len;

	assert(len <= g->room);
	if (len > 0)
		memcpy(at, bytes, len);
	return slice_of(at, len);
}

static inline void guard_free(struct guard *g)
{
	(void)munmap(g->map, g->room + g->page);
	g->map = NULL;
}

#endif
