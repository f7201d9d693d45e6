/*
 * hapcli.h - one command line to one of HAProxy's sockets, at a time.
 *
 * Each line has a connection of its own: a kept one would stay with the old
 * process after a reload. The reply is handed up line by line and never
 * stored, so it needs no bound but the deadline.
 * Source: management.txt of 2.6, 9.3: non-interactive mode, commands separated
 * by semicolons, an empty line after each answer, then the end of the stream.
 */
#ifndef HAPCLI_H
#define HAPCLI_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "lim.h"
#include "mono.h"
#include "slice.h"

#define HAPCLI_MAGIC 0x68636c69u
/* HAProxy takes a line of tune.bufsize (16 kB by default) less its reserve. */
#define HAPCLI_LINE 12000
#define HAPCLI_REPLY_LINE 4096

struct hapcli_sink {
	/* One line of the reply, without its newline, cut at HAPCLI_REPLY_LINE.
	   An empty one ends an answer. */
	void (*line)(void *arg, struct slice line);
	/* Once, at the end: why is NULL if the whole reply came. The next
	   command may be run from inside. */
	void (*done)(void *arg, const char *why);
	void *arg;
};

struct hapcli {
	unsigned magic;
	struct ev_loop *loop;
	const char *path;
	struct hapcli_sink sink;
	int fd; /* -1: idle */
	ev_io io;
	ev_timer deadline;
	bool last_chance; /* the deadline came once: data first */
	char out[HAPCLI_LINE];
	size_t out_len, out_done;
	char line[HAPCLI_REPLY_LINE];
	size_t line_len;
};

/* Needs: path outlives c; c is the caller's memory, idle afterwards. */
void hapcli_init(struct hapcli *c, struct ev_loop *loop, const char *path,
    const struct hapcli_sink *sink);

/* Ends what is in flight, without a callback. */
void hapcli_stop(struct hapcli *c);

bool is_hapcli_busy(const struct hapcli *c);

/* Begins an empty command line. Needs: idle. */
void hapcli_begin(struct hapcli *c);

/* Appends one command. Gives: false, and nothing changes, if it does not fit
   or holds a newline or a semicolon. */
bool hapcli_add(struct hapcli *c, const char *command)
    __attribute__((warn_unused_result));

/* Is there a command to run? */
bool is_hapcli_filled(const struct hapcli *c);

/*
 * Runs the line within `deadline`. Gives: NULL and one call of done() later,
 * or at once a word for why not, and no call.
 */
const char *hapcli_run(struct hapcli *c, struct dur deadline)
    __attribute__((warn_unused_result));

#endif
