/*
 * verdict.h - who may take writes: one pure function, design's six steps.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include "evidence.h"
#include "policy.h"
#include "snapshot.h"

struct verdict {
	int8_t write; /* member, -1 none */
	enum snap_why why;
	uint8_t step;      /* 1..6, of the design's list */
	struct dur oldest; /* age of the oldest evidence it rests on */
	bool planned;      /* the holder is stopping, or a failover is due */
};

/*
 * Needs: now >= every instant in ev.
 * Gives: write >= 0 only if I1, I2 and I4 hold. Never fails. O(members).
 */
struct verdict verdict_write(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now);

/*
 * Positive evidence that `member` takes no writes any more: the key names
 * another; fresh SQL or REST (asked after the member was confirmed) says in
 * recovery; its PostgreSQL refuses connections; silence for silence_close.
 * The key's mere absence is none. Sessions are closed on this alone.
 */
bool is_verdict_against(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now, enum snap_why *why);

#endif
