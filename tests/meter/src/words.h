/*
 * words.h - a command line cut into words.
 *
 * Pure. Words are parted by blanks; a part in single quotes may hold blanks.
 */
#ifndef METER_WORDS_H
#define METER_WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>

#define WORDS_MAX 24

struct words {
	unsigned n;
	char *w[WORDS_MAX];
};

/* Cuts `line` in place. Gives: false at an open quote or too many words. */
bool words_cut(char *line, struct words *out)
    __attribute__((warn_unused_result));

/* Gives: the value of a word "name=value" from word `from` on, or NULL. */
const char *words_value(
    const struct words *ws, unsigned from, const char *name);

/* Whole decimal numbers, min..max; false leaves *out alone. */
bool words_int(const char *s, int64_t min, int64_t max, int64_t *out)
    __attribute__((warn_unused_result));

/* "192.168.34.85:5000": numeric, IPv4. */
bool words_addr(const char *s, struct sockaddr_in *out)
    __attribute__((warn_unused_result));

#endif
