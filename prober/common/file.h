/*
 * file.h - a whole text into a file.
 */
#ifndef FILE_H
#define FILE_H

#include <stdbool.h>

/* Gives: false, and errno, if not all of `text` (NUL-terminated) went in. */
bool file_write(int fd, const char *text) __attribute__((warn_unused_result));

#endif
