/*
 * lag.h - how far behind in time an LSN is, without a foreign clock.
 *
 * A ring of (instant, LSN) of the leader, interpolated. Pure.
 */
#ifndef LAG_H
#define LAG_H

#include <stdint.h>

#include "mono.h"

#define LAG_RING 128

struct lag_ring {
	struct mono at[LAG_RING];
	uint64_t lsn[LAG_RING]; /* not decreasing from old to new */
	uint16_t head, n;
};

/*
 * Notes that the leader stood at `lsn` at `at`. A lower LSN than the last, or
 * an older instant, empties the ring first (another timeline).
 */
void lag_note(struct lag_ring *r, struct mono at, uint64_t lsn);

/*
 * How long ago the leader stood where the replica stands now.
 * Gives: 0 us where it has the leader's last LSN; the age of the oldest entry
 * as a lower bound where it is behind all of them; -1 us if nothing is known.
 */
struct dur lag_time(
    const struct lag_ring *r, uint64_t replica_lsn, struct mono now);

#endif
