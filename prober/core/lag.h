/*
 * lag.h - how far behind in time an LSN is, without a foreign clock.
 *
 * A ring of (instant, LSN) of the leader, interpolated. Pure.
 */
#ifndef LAG_H
#define LAG_H

#include <stdint.h>

#include "mono.h"

#define LAG_RING 320
/* Entries closer than this are merged: 320 of them then reach back a minute,
   the greatest bound in time, also while the leader is asked every 20 ms. */
#define LAG_STEP_MS 200

struct lag_ring {
	struct mono at[LAG_RING];
	uint64_t lsn[LAG_RING]; /* not decreasing from old to new */
	uint16_t head, n;       /* head: of the oldest */
};

/*
 * Notes that the leader stood at `lsn` at `at`. A lower LSN than the last, or
 * an older instant, empties the ring first (another timeline).
 */
void lag_note(struct lag_ring *r, struct mono at, uint64_t lsn);

/*
 * How long before `now` the leader stood at `replica_lsn`; `now` is when the
 * replica stood there.
 * Gives: 0 us where it has the leader's last LSN; the age of the oldest entry
 * as a lower bound where it is behind all of them; -1 us if nothing is known.
 */
struct dur lag_time(
    const struct lag_ring *r, uint64_t replica_lsn, struct mono now);

/* Where the leader stood at `at`, by interpolation; the nearest known position
   outside the ring's time. Gives: 0 if nothing is known. */
uint64_t lag_leader_lsn(const struct lag_ring *r, struct mono at);

#endif
