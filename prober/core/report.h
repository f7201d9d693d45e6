/*
 * report.h - one change of leader, measured from its first sign on.
 *
 * A step after each judgement, with what is so at that instant: a change begins
 * with its first sign (a switchover asked for, the key elsewhere, the target
 * lost) and is reported once the new target is routed to, the agents decide by
 * it, a connection has reached it and the classic way has found it too; or 20 s
 * after it was routed to, with what is not known left out. A leader that comes
 * back is no change. Pure.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "lim.h"
#include "mono.h"

#define REPORT_UNKNOWN (-1)

/* Counters of all agents, and of HAProxy, as last heard. */
struct report_counts {
	uint64_t held, refused, routed; /* routed: writes */
	uint64_t sessions;  /* the target's, in HAProxy's write backends */
	int64_t longest_ms; /* of the waits that ended lately */
	bool has_sessions;
};

/* What the classic way of this HAProxy does now with writes, and reads. */
struct report_classic {
	bool known;
	bool right;  /* to the target alone */
	bool nobody; /* to nobody */
	bool reads;  /* reads go to who leads, or holds the key */
};

struct report_now {
	struct mono now;
	const char *target, *key; /* members; NULL: none */
	uint32_t tli;             /* of the target, or of the key's holder */
	bool planned;
	bool ordered;         /* an operator's doing: no sign of a change */
	struct mono writable; /* the target was heard out of recovery at */
	bool seen;            /* every agent decides by it */
	struct report_counts count;
	struct report_classic classic;
};

/* Of each step; instants unset while not reached. Zeroed: nothing known. */
struct report_watch {
	char from[LIM_NAME], to[LIM_NAME];
	uint32_t from_tli, to_tli;
	bool under_way, planned;
	struct mono began, key_at, writable_at, routed_at, seen_at, first_at;
	struct mono classic_at, back_at, last;
	struct report_counts base;
	uint64_t routed_base;
	int64_t wrong_us, nobody_us, reads_us; /* of the classic way */
	bool classic_known;
};

/* Milliseconds from the first sign on; REPORT_UNKNOWN: not seen. */
struct report {
	uint64_t id;
	int64_t at_ms; /* wall clock of its end */
	char cluster[LIM_NAME], from[LIM_NAME], to[LIM_NAME];
	uint32_t from_tli, to_tli;
	bool planned;
	int64_t key_ms, writable_ms, routed_ms, seen_ms, first_ms;
	int64_t held, longest_ms, refused, sessions;
	bool classic_known;
	int64_t classic_right_ms, classic_wrong_ms, classic_nobody_ms;
	int64_t classic_reads_ms;
};

/* Is what costs something to find out (count, classic) wanted of this step? */
bool is_report_due(const struct report_watch *w, const struct report_now *n);

/* Gives: true, and a *out without id, cluster and at_ms, once it is whole. */
bool report_step(
    struct report_watch *w, const struct report_now *n, struct report *out);

#endif
