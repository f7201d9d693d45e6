/*
 * haptext.h - what HAProxy's sockets and its checks say, read line by line.
 *
 * Pure; bytes in, slices of them out. As HAProxy 2.6 to 3.2 word it.
 */
#ifndef HAPTEXT_H
#define HAPTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "hapsync.h"
#include "slice.h"

/*
 * One line of the master's `show proc`. *in_old is the caller's, false before
 * the first line. Gives: true and *pid for a worker that a reload left behind.
 */
bool haptext_old_worker(struct slice line, bool *in_old, uint64_t *pid);

struct haptext_session {
	struct slice id; /* "0x55bbb2aaf900" */
	struct slice backend, server;
	uint32_t age_s; /* 0: not told */
};

/* One line of `show sess`. Gives: false for what is not a session's. */
bool haptext_session(struct slice line, struct haptext_session *out);

/* Does a line answer a command that worked? Most say nothing. */
bool is_haptext_done(struct slice line);

/* Is `backend` one of `cluster`, CLUSTER_write and so on, and which? */
bool haptext_backend(
    struct slice backend, const char *cluster, enum hap_backend *which);

/* The path of a check: /check/BACKEND/SERVER/pid-N. */
struct haptext_check {
	struct slice backend, server;
	uint64_t pid;
};
bool haptext_check(struct slice path, struct haptext_check *out);

#endif
