/*
 * daemon.h - what a process owes its surroundings at start.
 *
 * All of it runs before the loop; each failure is fatal(), one sentence that
 * names the file, the key and what was in the way.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include "conf.h"

struct daemon_socks {
	int feed, http_unix, http_tcp; /* -1 once given away or closed */
};

/* Raises the descriptor limit to what the configuration may need. */
void daemon_limits(const struct conf *conf);

/* Makes all listening sockets. `path` is the configuration's, for errors. */
void daemon_listen(
    const struct conf *conf, const char *path, struct daemon_socks *out);

/* Closes those that are still here. Socket files stay: a restart takes over. */
void daemon_unlisten(struct daemon_socks *s);

/*
 * Becomes conf->user with conf->group among its groups, if started as root.
 * Then makes sure that the secrets can still be read.
 */
void daemon_drop(const struct conf *conf, const char *path);

/* One datagram ("READY=1") to $NOTIFY_SOCKET, if there is one. Never blocks. */
void daemon_notify(const char *state);

#endif
