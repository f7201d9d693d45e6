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
	enum snap_why why[LIM_MEMBERS];
};

/*
 * Judges every member anew and stores verdict and reason in *st.
 * The holder of the leader key is never fit. While no leader has been
 * confirmed for follow_grace, streaming and lag do not bind: a running replica
 * keeps its last verdict.
 * Needs: now >= every instant in ev.
 */
void reads_judge(const struct cluster_ev *ev, const struct policy *pol,
    struct mono now, struct reads_state *st);

#endif
