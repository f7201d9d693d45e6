/*
 * listener.h - the sockets on which HAProxy finds the agent and its desk.
 *
 * A connection is never accepted to be closed: at the limit (descriptors,
 * memory, places) accepting pauses, and the kernel's queue keeps who comes,
 * until a connection has ended or a tenth of a second is over.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "lim.h"

struct conf;

/* Who takes over the connections of a listener. */
struct listen_host {
	/* Asked before each accept: what it says it has room for, it takes. */
	bool (*has_room)(void *arg);
	void (*open)(void *arg, int fd);
	void *arg;
};

struct listener {
	int fd;
	char path[LIM_PATH]; /* of a unix socket, empty for TCP */
	struct listen_host host;
	bool is_paused;
	ev_io io;
};

struct listeners {
	struct ev_loop *loop; /* NULL: not started */
	struct listener l[LIM_AGENT_LISTEN + 1];
	unsigned n, paused;
	ev_timer resume;
};

/*
 * Makes all sockets of conf->agent, in its order; the last is the desk's.
 * `path` is the configuration's: what cannot be made is fatal(), one sentence
 * with file, key and reason. A socket file that nobody listens on is replaced.
 */
void listeners_make(
    const struct conf *conf, const char *path, struct listeners *ls);

/* Every listener needs its host before the start. */
void listener_serve(
    struct listeners *ls, unsigned i, const struct listen_host *host);
void listeners_start(struct listeners *ls, struct ev_loop *loop);

/* A connection has ended: there may be room again. */
void listeners_resume(struct listeners *ls);

/*
 * Takes over who is in the queues already, then accepts no more; the files of
 * unix sockets go.
 */
void listeners_stop(struct listeners *ls);

#endif
