/*
 * lsn.c - PostgreSQL's log sequence numbers; see lsn.h.
 */
#include "lsn.h"

#include <inttypes.h>
#include <stdio.h>

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One to eight hexadecimal digits at the front of s; gives how many. */
static size_t hex_half(struct slice s, uint32_t *out)
{
	uint32_t v = 0;
	size_t i;

	for (i = 0; i < s.len && hex_value(s.p[i]) >= 0; i++) {
		if (i == 8)
			return 0;
		v = v << 4 | (uint32_t)hex_value(s.p[i]);
	}
	*out = v;
	return i;
}

bool lsn_parse(struct slice s, uint64_t *out)
{
	uint32_t hi, lo;
	size_t n;

	assert(out != NULL);
	n = hex_half(s, &hi);
	if (n == 0 || n == s.len || s.p[n] != '/')
		return false;
	s = slice_skip(s, n + 1);
	n = hex_half(s, &lo);
	if (n == 0 || n != s.len)
		return false;
	*out = (uint64_t)hi << 32 | lo;
	return true;
}

const char *lsn_text(uint64_t lsn, char buf[static LSN_TEXT])
{
	int n = snprintf(buf, LSN_TEXT, "%" PRIX32 "/%" PRIX32,
	    (uint32_t)(lsn >> 32), (uint32_t)lsn);

	assert(n > 0 && n < LSN_TEXT);
	(void)n;
	return buf;
}
