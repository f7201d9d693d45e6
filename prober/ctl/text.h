/*
 * text.h - text that a terminal shows as it is meant, whoever wrote it.
 *
 * Pure but for the C library's table of characters (LC_CTYPE, set by main).
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

/*
 * Copies `in` to `out`, NUL-terminated and cut at `size`: what would move the
 * cursor, change colours, end the line, turn the direction of writing or take
 * no room of its own becomes \n, \t, \xNN or \u{NNNN}. With `utf8` false, or
 * where bytes are no UTF-8, everything beyond ASCII becomes \xNN.
 * Gives: the columns that it takes. Needs: size > 0.
 */
size_t text_clean(struct slice in, bool utf8, char *out, size_t size);

/* Bytes that text_clean() may need for `len` of input, with NUL. */
#define TEXT_CLEAN_MAX(len) ((len)*10 + 1)

/*
 * JSON with nothing in it but ASCII, blanks and line feeds: what is beyond
 * becomes \uXXXX, which is the same JSON. Gives: a string that the caller
 * frees, NULL if memory is out.
 */
char *text_json_ascii(struct slice json) __attribute__((warn_unused_result));

/* "3 ms", "2.4 s", "12 min", "3 h 12 min", "4 d 2 h"; "-" below zero. */
#define TEXT_DUR 32
const char *text_dur(double ms, char buf[static TEXT_DUR]);

/* "0", "812 B", "1.2 MB". */
#define TEXT_SIZE 24
const char *text_bytes(double bytes, char buf[static TEXT_SIZE]);

#endif
