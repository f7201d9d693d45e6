/*
 * etcd_text.h - text to and from etcd, in the caller's memory.
 *
 * Pure. A text that does not fit says so once it is whole: nobody has to look
 * after each piece. What is in it is a NUL-terminated string at any time.
 */
#ifndef ETCD_TEXT_H
#define ETCD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

struct etcd_text {
	char *p;
	size_t size, used;
	bool full; /* it did not fit */
};

/* Needs: t->p and t->size > t->used. */
void etcd_text_add(struct etcd_text *t, const char *s);
void etcd_text_number(struct etcd_text *t, int64_t n);
void etcd_text_base64(struct etcd_text *t, struct slice s);

/* With its quotes, and what JSON wants escaped. */
void etcd_text_json(struct etcd_text *t, struct slice s);

/* Of a URL's path: what is not unreserved becomes %XX, a slash stays. */
void etcd_text_path(struct etcd_text *t, const char *s);

/* For logs: as much of what was answered as has room, and a NUL. */
void etcd_text_cut(struct slice s, char *buf, size_t size);

#endif
