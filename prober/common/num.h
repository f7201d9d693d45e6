/*
 * num.h - bounded numbers, durations and sizes from text.
 *
 * Pure: no allocation, no locale, no errno. Every function takes the whole
 * slice or nothing: blanks, signs (unless said), and trailing bytes are errors.
 */
#ifndef NUM_H
#define NUM_H

#include <stdint.h>

#include "mono.h"
#include "slice.h"

/* Decimal digits only, min..max. Gives: false and *out untouched on error. */
bool num_u64(struct slice s, uint64_t min, uint64_t max, uint64_t *out)
    __attribute__((warn_unused_result));

/*
 * A whole number with a unit: us, ms, s, min, h, d (PostgreSQL's names).
 * A bare number is an error: no duration without a unit. Bounds inclusive.
 */
bool num_dur(struct slice s, struct dur min, struct dur max, struct dur *out)
    __attribute__((warn_unused_result));

/* A whole number with a unit: B, kB, MB, GB, TB (powers of 1024). */
bool num_size(struct slice s, uint64_t min, uint64_t max, uint64_t *out)
    __attribute__((warn_unused_result));

#endif
