/*
 * reads.h - which members are fit for reads. Design, "Verdict: reads".
 */
#ifndef READS_H
#define READS_H

#include "evidence.h"
#include "policy.h"
#include "snapshot.h"

/* Kept between calls by the caller, one for each cluster; zeroed at start. */
struct reads_state {
	bool fit[LIM_MEMBERS];
	struct mono fit_at[LIM_MEMBERS]; /* since when; unset while unfit */
	enum snap_why why[LIM_MEMBERS];
	struct mono since[LIM_MEMBERS]; /* ev_member's: whose slot this was */
	/* The last verdict that bound: NOT_STREAMING, LAG_…, DIVERGED. */
	enum snap_why behind[LIM_MEMBERS];
	struct mono doubt[LIM_MEMBERS]; /* it follows no more, since */
	/* It held the key, and is not yet seen to follow another. */
	bool led[LIM_MEMBERS];
	struct mono mute_at; /* the leader spoke by its Patroni alone, last */
};

/*
 * Judges every member anew and stores verdict and reason in *st.
 * The holder of the leader key is never fit; a standby leader is. While no
 * leader has been confirmed for follow_grace, streaming and lag do not bind: a
 * running replica keeps its last verdict, but one that is seen to stream within
 * the bounds is fit at once. A reader that ceases to follow becomes unfit when
 * the leader has answered a question asked after that was seen: until then it
 * may be the leader who died, which is seen at the replicas first. Where SQL is
 * set up Patroni's answer alone will do only while some replica follows: a
 * leader whose PostgreSQL nobody reaches is none to readers, and one that is
 * reached again is confirmed anew. A former
 * leader must be seen to follow before it is fit, unless nobody else was
 * confirmed since.
 * A reader that is over the bound of lag leaves after lag_grace of it; one that
 * left for its lag comes back at half the bound.
 * Needs: now >= every instant in ev; ev_note_verdict() was called.
 */
void reads_judge(const struct cluster_ev *ev, const struct policy *pol,
    struct mono now, struct reads_state *st);

/*
 * The share of reads of a fit member: `weight`, or while it is slowly started
 * a part of it that grows with time, 1 at least. 0 stays 0.
 */
uint16_t reads_weight(const struct reads_state *st, int member, uint16_t weight,
    const struct policy *pol, struct mono now);

/* How far a member is behind the leader, by evidence that is fresh. */
struct reads_lag {
	uint64_t bytes; /* SNAP_LAG_UNKNOWN */
	uint32_t ms;    /* SNAP_LAG_MS_UNKNOWN */
};
struct reads_lag reads_lag(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now);

#endif
