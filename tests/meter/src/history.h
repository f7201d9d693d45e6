/*
 * history.h - the one writer of a history: JSON lines, buffered.
 *
 * A line is opened, filled and closed; the file sees it at the next flush.
 * The buffer is bounded: where it is full it is written out at once, so that
 * a line is never lost and memory never grows.
 */
#ifndef METER_HISTORY_H
#define METER_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HIST_BUFFER 262144

struct hist {
	int fd;
	size_t len;
	bool comma;  /* the next value needs a comma before it */
	bool failed; /* the file refused a write: nothing more is written */
	uint64_t lines_n;
	char buf[HIST_BUFFER];
};

/* Needs: an open descriptor, which stays the caller's. */
void hist_init(struct hist *h, int fd);

/* Opens a line {"at":AT,"ev":"EV"; values follow; hist_end closes it. */
void hist_begin(struct hist *h, int64_t at_ns, const char *ev);
void hist_end(struct hist *h);

/* Values of the open line. Strings are escaped and may be any bytes. */
void hist_int(struct hist *h, const char *key, int64_t value);
void hist_bool(struct hist *h, const char *key, bool value);
void hist_str(struct hist *h, const char *key, const char *value);
void hist_bytes(struct hist *h, const char *key, const char *p, size_t len);

/* A list of objects: list, then item … item_end for each, then list_end. */
void hist_list(struct hist *h, const char *key);
void hist_item(struct hist *h);
void hist_item_end(struct hist *h);
void hist_list_end(struct hist *h);

/* Writes out what is buffered. Blocks as long as the file does. */
void hist_flush(struct hist *h);

#endif
