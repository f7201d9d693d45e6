/*
 * daemon.h - what the prober needs before its loop: descriptors, sockets, and
 * secrets that can still be read once its privileges are gone.
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

/* Makes all listening sockets, and the state's folder. `path` is the
   configuration's, for errors. */
void daemon_listen(
    const struct conf *conf, const char *path, struct daemon_socks *out);

/* Closes those that are still here. Socket files stay: a restart takes over. */
void daemon_unlisten(struct daemon_socks *s);

/* process_drop(), and makes sure that the secrets can still be read. */
void daemon_drop(const struct conf *conf, const char *path);

#endif
