/*
 * pem.h - the text of a file of certificates, or of a key, in memory. Blocks on
 * the file: at start and on SIGHUP only.
 */
#ifndef PEM_H
#define PEM_H

#include <stdbool.h>

#include "slice.h"

/*
 * The whole file on the heap, for pem_free(); an empty path is no file.
 * Gives: false, with *out as it was and a line in the log that names `key` and
 * the file, never its content, if it is empty, as large as LIM_PEM, or cannot
 * be read.
 */
bool pem_load(const char *key, const char *path, struct slice *out)
    __attribute__((warn_unused_result));

/* Wipes it, for it may be a key. What is not there is none. */
void pem_free(struct slice *s);

#endif
