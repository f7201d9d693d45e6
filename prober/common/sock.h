/*
 * sock.h - listening sockets, made once at start; and the asking end of one,
 * for processes that may block.
 */
#ifndef SOCK_H
#define SOCK_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "mono.h"

/* (uid_t)-1 and (gid_t)-1 leave the owner as it is. */
struct sock_owner {
	uid_t uid;
	gid_t gid;
};

/*
 * Listens on a unix socket of `type` (SOCK_STREAM, SOCK_SEQPACKET), mode 0660.
 * A missing directory is made, mode 0750; a socket file that nobody listens
 * on is replaced. Needs: strlen(path) < LIM_PATH.
 * Gives: a non-blocking descriptor, or -1 and errno: EADDRINUSE if somebody
 * listens there, ENOTSOCK if the file is something else.
 */
int sock_listen_unix(const char *path, int type, struct sock_owner owner)
    __attribute__((warn_unused_result));

/*
 * Listens on a numeric IPv4 or IPv6 address.
 * Gives: a non-blocking descriptor whose connections send at once
 * (TCP_NODELAY) and end a minute after the peer's host was last heard of
 * (keepalive), or -1 and errno (EINVAL: not numeric).
 */
int sock_listen_tcp(const char *addr, uint16_t port)
    __attribute__((warn_unused_result));

/*
 * Begins to connect to a unix stream socket. Never blocks.
 * Gives: a non-blocking descriptor, or -1 and errno (EAGAIN: the listener's
 * queue is full).
 */
int sock_connect_unix(const char *path) __attribute__((warn_unused_result));

/*
 * Connects to a stream socket. Blocks, for `limit` at most, as each send does.
 * Needs: limit > 0. Gives: a blocking descriptor, or -1 and errno.
 */
int sock_dial(const struct sockaddr *to, socklen_t len, struct dur limit)
    __attribute__((warn_unused_result));

/*
 * Waits for the peer's next bytes, until `until` at most.
 * Gives: how many, 0 if it is gone, -1 if none came in time.
 */
ssize_t sock_hear(int fd, void *buf, size_t size, struct mono until)
    __attribute__((warn_unused_result));

/* Closes *fd unless it is -1, and sets it to -1. */
void sock_close(int *fd);

#endif
