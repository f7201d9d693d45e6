/*
 * hapold.h - sessions in the processes that a reload left behind.
 *
 * To an old process `set server` and `shutdown sessions server` answer "Proxy
 * is disabled."; through the master socket its sessions can still be listed
 * and shut down one by one.
 */
#ifndef HAPOLD_H
#define HAPOLD_H

#include "hapcli.h"
#include "haptext.h"

#define HAPOLD_MAGIC 0x686f6c64u
#define HAPOLD_PIDS 64

enum hapold_step {
	HAPOLD_IDLE = 0,
	HAPOLD_PROC, /* who is there? */
	HAPOLD_SESS, /* what does pid[i] hold? */
	HAPOLD_SHUT  /* what was found is being shut down */
};

struct hapold_sink {
	/* Must this session be closed? Asked of every session. */
	bool (*closes)(void *arg, const struct haptext_session *s);
	/* At the end of a run; why is NULL if all went well. */
	void (*done)(void *arg, const char *why);
	void *arg;
};

struct hapold {
	unsigned magic;
	struct hapcli cli;
	struct hapold_sink sink;
	enum hapold_step step;
	bool own; /* of the process that listens, not of old ones */
	bool in_old, again;
	uint64_t pid[HAPOLD_PIDS];
	uint8_t pid_n, pid_i;
	uint32_t found;  /* sessions to shut in pid[pid_i] */
	bool more;       /* than one line could hold */
	const char *why; /* one of them did not answer; NULL: all did */
	uint64_t shut;   /* in all */
	char next[HAPCLI_LINE];
	size_t next_len;
};

/* Needs: path (of the master socket) outlives h. */
void hapold_init(struct hapold *h, struct ev_loop *loop, const char *path,
    const struct hapold_sink *sink);
/* The same for the process behind an admin socket: its own sessions. */
void hapold_init_own(struct hapold *h, struct ev_loop *loop, const char *path,
    const struct hapold_sink *sink);
void hapold_stop(struct hapold *h);

/* Looks through every old process. One is run at a time; asked for meanwhile,
   it runs once more. */
void hapold_run(struct hapold *h);

#endif
