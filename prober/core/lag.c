/*
 * lag.c - the leader's LSN over time; see lag.h.
 *
 * Fed by evidence.c with each position of the leader; asked by reads.c.
 */
#include "lag.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

/* The i-th entry from the oldest. */
static unsigned place(const struct lag_ring *r, unsigned i)
{
	return (r->head + i) % LAG_RING;
}

static bool is_after(const struct lag_ring *r, struct mono at, uint64_t lsn)
{
	unsigned last;

	if (r->n == 0)
		return true;
	last = place(r, r->n - 1U);
	return !is_mono_before(at, r->at[last]) && lsn >= r->lsn[last];
}

/*
 * May the last entry be moved instead of a new one added? Yes if it is close
 * to the one before, or if all three stand at one LSN (an idle leader).
 */
static bool is_last_movable(
    const struct lag_ring *r, struct mono at, uint64_t lsn)
{
	unsigned last, before;

	if (r->n < 2)
		return false;
	last = place(r, r->n - 1U);
	before = place(r, r->n - 2U);
	return mono_sub(at, r->at[before]).us <= dur_ms(LAG_STEP_MS).us ||
	    (r->lsn[before] == lsn && r->lsn[last] == lsn);
}

void lag_note(struct lag_ring *r, struct mono at, uint64_t lsn)
{
	unsigned i;

	assert(r != NULL && is_mono_set(at));
	if (!is_after(r, at, lsn))
		r->n = 0;
	if (!is_last_movable(r, at, lsn)) {
		if (r->n == LAG_RING)
			r->head = (uint16_t)place(r, 1);
		else
			r->n++;
	}
	i = place(r, r->n - 1U);
	r->at[i] = at;
	r->lsn[i] = lsn;
}

/* `x` of the way from a to b, where x runs from 0 to `whole` (not 0). */
static int64_t between(int64_t a, int64_t b, uint64_t x, uint64_t whole)
{
	double part = (double)x / (double)whole;

	return a + (int64_t)((double)(b - a) * part);
}

/* When the leader stood at lsn. Needs: oldest <= lsn < newest. */
static struct mono when(const struct lag_ring *r, uint64_t lsn)
{
	unsigned i = r->n - 1U, a, b;

	while (r->lsn[place(r, i)] > lsn)
		i--;
	a = place(r, i);
	b = place(r, i + 1);
	return (struct mono){between(
	    r->at[a].us, r->at[b].us, lsn - r->lsn[a], r->lsn[b] - r->lsn[a])};
}

struct dur lag_time(
    const struct lag_ring *r, uint64_t replica_lsn, struct mono now)
{
	struct mono then;
	struct dur d;

	assert(r != NULL);
	if (r->n == 0)
		return dur_us(-1);
	if (replica_lsn >= r->lsn[place(r, r->n - 1U)])
		return dur_us(0);
	then = r->at[place(r, 0)];
	if (replica_lsn >= r->lsn[place(r, 0)])
		then = when(r, replica_lsn);
	d = mono_sub(now, then);
	return d.us > 0 ? d : dur_us(0);
}

uint64_t lag_leader_lsn(const struct lag_ring *r, struct mono at)
{
	unsigned i, a, b;

	assert(r != NULL);
	if (r->n == 0)
		return 0;
	if (!is_mono_before(r->at[place(r, 0)], at))
		return r->lsn[place(r, 0)];
	i = r->n - 1U;
	if (!is_mono_before(at, r->at[place(r, i)]))
		return r->lsn[place(r, i)];
	while (is_mono_before(at, r->at[place(r, i)]))
		i--;
	a = place(r, i);
	b = place(r, i + 1);
	return r->lsn[a] +
	    (uint64_t)((double)(r->lsn[b] - r->lsn[a]) *
		(double)mono_sub(at, r->at[a]).us /
		(double)mono_sub(r->at[b], r->at[a]).us);
}
