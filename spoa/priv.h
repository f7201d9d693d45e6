/*
 * priv.h - what the agent owes its surroundings at start.
 *
 * All but priv_notify() run before the loop; a failure is fatal(), one sentence
 * that names the file, the key and what was in the way.
 */
#ifndef PRIV_H
#define PRIV_H

#include <stdint.h>

#include "conf.h"
#include "listener.h"

/* Raises the descriptor limit as far as is of use. Gives: what it is now. */
uint32_t priv_files(void);

/* Makes all sockets of conf->agent; the last is the desk's. */
void priv_listen(
    const struct conf *conf, const char *path, struct listeners *out);

/* Becomes conf->user with conf->group among its groups, if started as root. */
void priv_drop(const struct conf *conf, const char *path);

/* One datagram ("READY=1") to $NOTIFY_SOCKET, if there is one. Never blocks. */
void priv_notify(const char *state);

#endif
