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
	struct dur oldest; /* age of the oldest evidence it rests on; 0: none */
	bool planned;      /* the leader is stopping, or a failover key is due
			      and younger than early_hold */
};

/*
 * Needs: now >= every instant in ev. The caller notes the verdict by
 * ev_note_verdict(): this one only reads.
 * Gives: write >= 0 only if I1, I2 and I4 (faults: leader only, timeline, never
 * a guess) hold; why and step say which rule decided. `planned` may stand
 * beside a write target: then new writes wait although nothing is decided yet.
 * Never fails. O(members).
 */
struct verdict verdict_write(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now);

/*
 * Positive evidence that `member` takes no writes any more: the key names
 * another; fresh SQL or REST (asked after the member was confirmed) says in
 * recovery; its PostgreSQL refuses connections; silence for silence_close.
 * The key's mere absence is none, nor is a name in it that nobody knows.
 * Sessions are closed on this alone.
 * Gives: *why (may be NULL): TAKES_KEY, if the key names another.
 */
bool is_verdict_against(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now, enum snap_why *why);

#endif
