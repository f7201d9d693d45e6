/*
 * observe.h - what the classic way would do, beside what was decided.
 *
 * The classic way balances over the servers that its own checks hold up
 * (SNAP_F_CLASSIC_*, which a snapshot has while a cluster is observed). It does
 * the same as a decision where each server that it might choose would have been
 * right, and the one that was decided is among them.
 * Pure.
 */
#ifndef OBSERVE_H
#define OBSERVE_H

#include "route.h"
#include "snapshot.h"

enum observe_kind {
	OBSERVE_WRITE = 0, /* a port for the primary, or one asked for it */
	OBSERVE_READ,
	OBSERVE_ANY,
	OBSERVE_KINDS
};

/* Which of the classic backends a connection would reach. */
enum observe_kind observe_kind_of(const struct intent *it);
const char *observe_kind_name(enum observe_kind k);

/* Members of the snapshot that it may choose, a bit each. */
uint32_t observe_classic(const struct snapshot *s, enum observe_kind k);

/* Would the classic way have done what was decided? */
bool is_observe_same(
    const struct snapshot *s, enum observe_kind k, const struct decision *d);

/*
 * The same of a cluster as a whole: writes only to the target, reads to those
 * that are read. OBSERVE_ANY has no such right answer: true.
 */
bool is_observe_right(const struct snapshot *s, enum observe_kind k);

#endif
