/*
 * jsonout.h - JSON text into a FILE, where a tree of it would be too large.
 *
 * A value's key stands before it: jsonout_key() writes the comma too, if the
 * object has begun.
 */
#ifndef JSONOUT_H
#define JSONOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Quoted and escaped; NULL becomes null. */
void jsonout_str(FILE *f, const char *s);

/* One member of an object: `first` is true before the first, false after. */
void jsonout_key(FILE *f, bool *first, const char *key);

/* "2026-11-21T19:00:00.123Z" of milliseconds since 1970. */
#define JSONOUT_TIME 40
const char *jsonout_time(int64_t at_ms, char buf[static JSONOUT_TIME]);

#endif
