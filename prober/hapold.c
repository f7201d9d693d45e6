/*
 * hapold.c - show proc -> for each old worker: show sess -> shutdown session.
 * Of the process behind an admin socket: the last two.
 *
 * Measured on 2.6.12: each command of a master's line carries its own "@!PID"
 * prefix, the answers come in order, an empty line behind each.
 */
#include "hapold.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"

#define DEADLINE_MS 1000

static void run_proc(struct hapold *h);

static void end_run(struct hapold *h, const char *why)
{
	h->step = HAPOLD_IDLE;
	h->sink.done(h->sink.arg, why);
	if (h->again && h->step == HAPOLD_IDLE) {
		h->again = false;
		run_proc(h);
	}
}

static void start(struct hapold *h, enum hapold_step step)
{
	h->step = step;
	const char *why = hapcli_run(&h->cli, dur_ms(DEADLINE_MS));
	if (why != NULL)
		end_run(h, why);
}

static void add(struct hapold *h, const char *command)
{
	bool fits = hapcli_add(&h->cli, command);

	assert(fits); /* one short command in an empty line */
}

#define WHOM 24

/* Which process a command is for: the master takes it as a prefix. */
static const char *to_whom(const struct hapold *h, char buf[static WHOM])
{
	buf[0] = '\0';
	if (!h->own)
		(void)snprintf(buf, WHOM, "@!%" PRIu64 " ", h->pid[h->pid_i]);
	return buf;
}

static void run_sess(struct hapold *h);

static void run_proc(struct hapold *h)
{
	h->in_old = false;
	h->pid_n = h->pid_i = 0;
	h->why = NULL;
	if (h->own) {
		h->pid[0] = 0;
		h->pid_n = 1;
		run_sess(h);
		return;
	}
	hapcli_begin(&h->cli);
	add(h, "show proc");
	start(h, HAPOLD_PROC);
}

static void run_sess(struct hapold *h)
{
	char command[64], whom[WHOM];

	if (h->pid_i == h->pid_n) {
		end_run(h, h->why);
		return;
	}
	h->found = 0;
	h->more = false;
	h->next_len = 0;
	(void)snprintf(
	    command, sizeof(command), "%sshow sess", to_whom(h, whom));
	hapcli_begin(&h->cli);
	add(h, command);
	start(h, HAPOLD_SESS);
}

static void run_shut(struct hapold *h)
{
	/* The line was put together while the sessions were read. */
	memcpy(h->cli.out, h->next, h->next_len);
	h->cli.out_len = h->next_len;
	start(h, HAPOLD_SHUT);
}

static void on_session(struct hapold *h, struct slice line)
{
	struct haptext_session s;
	char command[96], whom[WHOM];

	if (!haptext_session(line, &s) || !h->sink.closes(h->sink.arg, &s))
		return;
	int n = snprintf(command, sizeof(command), "%s%sshutdown session %.*s",
	    h->next_len > 0 ? ";" : "", to_whom(h, whom), (int)s.id.len,
	    (const char *)s.id.p);
	assert(n > 0 && (size_t)n < sizeof(command));
	/* One byte is the newline's. */
	if ((size_t)n + 1 > sizeof(h->next) - h->next_len) {
		h->more = true;
		return;
	}
	memcpy(h->next + h->next_len, command, (size_t)n);
	h->next_len += (size_t)n;
	h->found++;
}

static void line_cb(void *arg, struct slice line)
{
	struct hapold *h = arg;
	uint64_t pid = 0;

	assert(h->magic == HAPOLD_MAGIC);
	switch (h->step) {
	case HAPOLD_PROC:
		if (haptext_old_worker(line, &h->in_old, &pid) &&
		    h->pid_n < HAPOLD_PIDS)
			h->pid[h->pid_n++] = pid;
		return;
	case HAPOLD_SESS:
		on_session(h, line);
		return;
	case HAPOLD_SHUT:
		return; /* "No such session": it ended by itself */
	case HAPOLD_IDLE:
		break;
	}
	abort();
}

static void done_cb(void *arg, const char *why)
{
	struct hapold *h = arg;

	assert(h->magic == HAPOLD_MAGIC);
	if (why != NULL && h->step == HAPOLD_PROC) {
		end_run(h, why);
		return;
	}
	if (why != NULL) {
		/* One that is frozen keeps nobody from the others. */
		h->why = why;
		h->pid_i++;
		run_sess(h);
		return;
	}
	switch (h->step) {
	case HAPOLD_PROC:
		run_sess(h);
		return;
	case HAPOLD_SESS:
		if (h->found > 0) {
			run_shut(h);
			return;
		}
		h->pid_i++;
		run_sess(h);
		return;
	case HAPOLD_SHUT:
		log_info("change haproxy %s=%" PRIu64 " shut_sessions=%u",
		    h->own ? "own" : "old_pid", h->pid[h->pid_i], h->found);
		h->shut += h->found;
		if (!h->more)
			h->pid_i++;
		run_sess(h);
		return;
	case HAPOLD_IDLE:
		break;
	}
	abort();
}

void hapold_init(struct hapold *h, struct ev_loop *loop, const char *path,
    const struct hapold_sink *sink)
{
	struct hapcli_sink lines = {line_cb, done_cb, h};

	assert(h != NULL && sink->closes != NULL && sink->done != NULL);
	memset(h, 0, sizeof(*h));
	h->magic = HAPOLD_MAGIC;
	h->sink = *sink;
	hapcli_init(&h->cli, loop, path, &lines);
}

void hapold_init_own(struct hapold *h, struct ev_loop *loop, const char *path,
    const struct hapold_sink *sink)
{
	hapold_init(h, loop, path, sink);
	h->own = true;
}

void hapold_stop(struct hapold *h)
{
	assert(h != NULL && h->magic == HAPOLD_MAGIC);
	hapcli_stop(&h->cli);
	h->step = HAPOLD_IDLE;
	h->again = false;
}

void hapold_run(struct hapold *h)
{
	assert(h != NULL && h->magic == HAPOLD_MAGIC);
	if (h->step == HAPOLD_IDLE)
		run_proc(h);
	else
		h->again = true;
}
