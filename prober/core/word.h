/*
 * word.h - what all evidence of one member together says of its PostgreSQL.
 *
 * SQL is asked first; REST stands in where SQL is not configured or says only
 * "alive" (53300, 28xxx, a TLS failure), and contradicts where it is the newer
 * word. Pure. Source: design, "Evidence".
 */
#ifndef WORD_H
#define WORD_H

#include "evidence.h"
#include "policy.h"

enum word {
	WORD_NONE = 0, /* nothing, or nothing since */
	WORD_PRIMARY,  /* out of recovery */
	WORD_REPLICA,  /* in recovery */
	WORD_REFUSED,
	WORD_STOPPING,
	WORD_STARTING,
	WORD_SILENT,   /* neither SQL nor REST, for `silence` */
	WORD_CONFLICT, /* SQL and REST contradict each other */
	WORD_N
};

/*
 * Only answers to questions asked at `since` or later (unset: any), and after
 * the last denial, say PRIMARY or REPLICA. What was said holds while the member
 * is heard: one lost probe changes nothing.
 * Needs: member < ev->n, now >= every instant in ev.
 */
enum word word_of(const struct cluster_ev *ev, int member, struct mono since,
    const struct policy *pol, struct mono now);

/*
 * What one REST answer by itself says. NONE: nothing of PostgreSQL, as when
 * Patroni cannot ask it (role or state unknown, no LSN), or creates it.
 */
enum word word_of_answer(const struct ev_rest *r);

/* What the last fresh REST answer says; NONE if there is none. */
enum word word_rest(
    const struct ev_member *m, const struct policy *pol, struct mono now);

/*
 * When its PostgreSQL was last heard of: by SQL, or by a REST answer that says
 * something of it, for Patroni's own life is no sign of it. Unset: never.
 */
struct mono word_heard_at(const struct ev_member *m);

/* Its timeline by the newest answer that knows it; 0 unknown. */
uint32_t word_tli(const struct ev_member *m);

/* A replica's replay position, and when it was there. */
struct word_pos {
	uint64_t lsn; /* 0: unknown, or nothing fresh */
	struct mono at;
};
struct word_pos word_replay(
    const struct ev_member *m, const struct policy *pol, struct mono now);

#endif
