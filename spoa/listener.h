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
#include <sys/types.h>

#include "lim.h"

struct conf_agent;

/* Whom a unix socket's file belongs to; -1 leaves it as it is. */
struct listen_owner {
	uid_t uid;
	gid_t gid;
};

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
 * Needs: strlen(path) < LIM_PATH.
 * Gives: its index, or -1 and errno: EADDRINUSE if somebody listens there,
 * ENOTSOCK if the file is something else. A socket file that nobody listens on
 * is replaced.
 */
int listener_unix(struct listeners *ls, const char *path,
    struct listen_owner owner) __attribute__((warn_unused_result));

/* Needs: a numeric address. Gives: its index, or -1 and errno. */
int listener_tcp(struct listeners *ls, const char *addr, uint16_t port)
    __attribute__((warn_unused_result));

/* Every listener needs its host before the start. */
void listener_serve(
    struct listeners *ls, unsigned i, const struct listen_host *host);
void listeners_start(struct listeners *ls, struct ev_loop *loop);

/* A connection has ended: there may be room again. */
void listeners_resume(struct listeners *ls);

/* Accepts no more; the files of unix sockets go. */
void listeners_stop(struct listeners *ls);

#endif
