/*
 * sse.h - server-sent events, cut from a stream of bytes.
 *
 * Pure; bounded: an event that is longer than LIM_CTL_EVENT is passed over.
 * Source: HTML standard, "Server-sent events", 9.2.6.
 */
#ifndef SSE_H
#define SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "lim.h"
#include "slice.h"

/* Zeroed before the first byte. */
struct sse {
	char line[LIM_CTL_EVENT];
	char data[LIM_CTL_EVENT];
	size_t line_len, data_len;
	bool line_long; /* the line does not fit: passed over */
	bool data_long; /* nor does the event */
	bool has_data, was_cr;
};

/*
 * Takes bytes from the front of *in. Gives: true, and the data of one event in
 * *data until the next call; false once all bytes are taken.
 */
bool sse_next(struct sse *s, struct slice *in, struct slice *data)
    __attribute__((warn_unused_result));

#endif
