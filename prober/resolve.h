/*
 * resolve.h - host names to numeric addresses, asked of a child process.
 *
 * The loop never calls the system's resolver: with a dead DNS server that
 * blocks for ten seconds. A child is forked before the loop and any
 * connection exists; it is asked over a socket pair, answers are kept and
 * refreshed, and a child that died is followed by another, at most one a
 * second.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <ev.h>
#include <stdbool.h>

#include "lim.h"

struct resolve;

/*
 * Forks the child, which forks a process for each lookup. Call it early, while
 * this process has neither threads nor connections.
 * Gives: NULL if no process or socket is to be had (errno says why).
 */
struct resolve *resolve_new(void) __attribute__((warn_unused_result));

/* Needs: loop lives until resolve_free(). Called once, before resolve_get(). */
void resolve_attach(struct resolve *r, struct ev_loop *loop);

/* Ends the child and waits for it; r may be NULL. */
void resolve_free(struct resolve *r);

/*
 * Called whenever a name got its first or another address.
 */
void resolve_on_change(struct resolve *r, void (*change)(void *arg), void *arg);

/*
 * Needs: host is a name, or a numeric address without brackets.
 * Gives: true and the numeric address if it is known by now. Numeric hosts
 * always are. An unknown name is asked for in the background: ask again, or
 * wait for the change callback. A known one is refreshed in the background
 * and keeps its last address while DNS is away. Never blocks.
 */
bool resolve_get(struct resolve *r, const char *host,
    char addr[static LIM_ADDR]) __attribute__((warn_unused_result));

/* Is this a numeric IPv4 or IPv6 address, without a zone? Pure. */
bool is_resolve_numeric(const char *host);

#endif
