/*
 * process.h - what a process owes its surroundings at start: descriptors, the
 * owner of its sockets, privileges, the service manager.
 *
 * All but process_notify() run before the loop; what the process cannot do
 * without is fatal(), one sentence that names the file, the key and what was
 * in the way.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdint.h>

#include "conf.h"
#include "sock.h"

/*
 * Raises the limit of descriptors to `want`, the hard one too where the process
 * may. Gives: what the limit is now, `want` at most.
 */
uint32_t process_files(uint32_t want);

/*
 * Whom socket files shall belong to: conf->user and conf->group where the
 * process is root, nobody else otherwise. `path` is the configuration's.
 */
struct sock_owner process_owner(const struct conf *conf, const char *path);

/* Why a socket could not be made, of errno. */
const char *process_listen_error(void);

/*
 * Becomes conf->user, if started as root, with that user's own groups (which
 * may open TLS keys to it) and conf->group (HAProxy's sockets belong to it).
 */
void process_drop(const struct conf *conf, const char *path);

/* One datagram ("READY=1") to $NOTIFY_SOCKET, if there is one. Never blocks. */
void process_notify(const char *state);

#endif
