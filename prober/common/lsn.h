/*
 * lsn.h - PostgreSQL's log sequence numbers.
 *
 * Source: PostgreSQL manual, "pg_lsn Type": two hexadecimal numbers of up to
 * eight digits each, separated by a slash. Zero means "unknown" throughout.
 */
#ifndef LSN_H
#define LSN_H

#include <stdint.h>

#include "slice.h"

#define LSN_TEXT 18 /* "FFFFFFFF/FFFFFFFF" and NUL */

/* Gives: false and *out untouched unless the whole slice is one LSN. */
bool lsn_parse(struct slice s, uint64_t *out)
    __attribute__((warn_unused_result));

/* Writes `lsn` as PostgreSQL does ("0/404DF60") and gives buf. */
const char *lsn_text(uint64_t lsn, char buf[static LSN_TEXT]);

/* Bytes from `have` up to `want`, 0 where `have` is not behind. */
static inline uint64_t lsn_lag(uint64_t want, uint64_t have)
{
	return want > have ? want - have : 0;
}

#endif
