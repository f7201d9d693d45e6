/*
 * verdict.c - who may take writes; see verdict.h.
 *
 * Design's six steps, in its order but for the standby cluster (5), which is
 * looked at first: where there are no writes by design, no other reason is
 * right. Each step either decides or leaves it to the next.
 */
#include "verdict.h"

#include <assert.h>

#include "word.h"

static struct dur age_of(struct mono t, struct mono now)
{
	return is_mono_set(t) ? mono_sub(now, t) : dur_us(0);
}

static struct dur longer(struct dur a, struct dur b)
{
	return a.us > b.us ? a : b;
}

static struct verdict target(
    const struct cluster_ev *ev, int member, enum snap_why why, uint8_t step)
{
	assert(member >= 0 && member < ev->n);
	return (struct verdict){
	    .write = (int8_t)member, .why = why, .step = step};
}

static struct verdict none(enum snap_why why, uint8_t step)
{
	return (struct verdict){.write = -1, .why = why, .step = step};
}

/* Why a member that ought to be the leader is none; LEADER if it is. */
static enum snap_why why_of_word(enum word w)
{
	switch (w) {
	case WORD_PRIMARY:
		return SNAP_WHY_LEADER;
	case WORD_REPLICA:
		return SNAP_WHY_IN_RECOVERY;
	case WORD_REFUSED:
	case WORD_STARTING:
		return SNAP_WHY_REFUSED;
	case WORD_STOPPING:
		return SNAP_WHY_STOPPING;
	case WORD_SILENT:
		return SNAP_WHY_SILENT;
	case WORD_CONFLICT:
		return SNAP_WHY_CONFLICT;
	case WORD_NONE:
		return SNAP_WHY_UNCONFIRMED;
	case WORD_N:
		break;
	}
	assert(false && "not a word");
	return SNAP_WHY_UNCONFIRMED;
}

static const struct mono ever = {0};

static bool is_forced(const struct cluster_ev *ev)
{
	return ev->force >= 0 && ev->force < ev->n;
}

/* Step 1: followed, but only to a member that is seen out of recovery. */
static struct verdict by_force(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now)
{
	int f = (int)ev->force;
	enum snap_why why = why_of_word(word_of(ev, f, ever, pol, now));
	struct verdict v;

	if (why != SNAP_WHY_LEADER)
		return none(why, 1);
	v = target(ev, f, SNAP_WHY_FORCED, 1);
	v.oldest = age_of(word_heard_at(&ev->m[f]), now);
	return v;
}

/* Step 5. */
static bool is_standby_cluster(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now)
{
	if (ev->dcs.synced)
		return ev->dcs.standby_cluster;
	for (int i = 0; i < ev->n; i++) {
		if (word_rest(&ev->m[i], pol, now) != WORD_NONE &&
		    ev->m[i].rest.standby_cluster)
			return true;
	}
	return false;
}

/* Another system identifier is another cluster; 0 is not known. */
static bool is_other_cluster(
    const struct ev_member *a, const struct ev_member *b)
{
	return a->sysid != 0 && b->sysid != 0 && a->sysid != b->sysid;
}

/*
 * Step 3. Only one who held the key before can hold the new holder back: it
 * lives and has gone further, so what the new holder has is the older branch.
 */
static bool is_fenced(const struct cluster_ev *ev, int holder,
    const struct policy *pol, struct mono now)
{
	const struct ev_member *h = &ev->m[holder];

	for (int i = 0; i < ev->n; i++) {
		const struct ev_member *m = &ev->m[i];

		if (i == holder ||
		    !is_mono_fresh(m->held_key_until, pol->fence, now))
			continue;
		if (is_ev_live(ev, i, pol, now) && !is_other_cluster(m, h) &&
		    word_tli(m) > word_tli(h))
			return true;
	}
	return false;
}

/* Step 2, and 3 for whom it would name. Needs: the DCS is fresh. */
static struct verdict by_key(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now)
{
	int h = (int)ev->dcs.leader;
	struct verdict v;
	enum snap_why why;

	if (h == -1)
		return none(SNAP_WHY_NO_KEY, 6);
	if (h < 0)
		return none(SNAP_WHY_UNKNOWN_MEMBER, 6);
	why = why_of_word(word_of(ev, h, ev->dcs.leader_at, pol, now));
	if (why != SNAP_WHY_LEADER)
		return none(why, 6);
	if (is_fenced(ev, h, pol, now))
		return none(SNAP_WHY_FENCED, 3);
	v = target(ev, h, SNAP_WHY_LEADER, 2);
	v.oldest = age_of(word_heard_at(&ev->m[h]), now);
	return v;
}

static bool is_claiming(
    const struct ev_member *m, const struct policy *pol, struct mono now)
{
	return m->rest.primary_200 &&
	    is_mono_fresh(m->rest_slot.ok_at, pol->max_age_claim, now);
}

/* The one that claims; -1 nobody, -2 more than one. */
static int find_claim(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now)
{
	int found = -1;

	for (int i = 0; i < ev->n; i++) {
		if (!is_claiming(&ev->m[i], pol, now))
			continue;
		if (found != -1)
			return -2;
		found = i;
	}
	return found;
}

/* Nobody claims: do we know so, or do we know nothing? */
static enum snap_why why_nobody(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now)
{
	if (is_ev_dcs_fresh(ev, pol, now))
		return SNAP_WHY_NO_KEY;
	for (int i = 0; i < ev->n; i++)
		if (is_ev_live(ev, i, pol, now))
			return SNAP_WHY_NO_KEY;
	return SNAP_WHY_STALE;
}

/* Step 4: /primary is no proof by itself (it is 200 during a promotion). */
static struct verdict by_primary(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now)
{
	int c = find_claim(ev, pol, now);
	struct verdict v;
	enum word w;

	if (c == -1)
		return none(why_nobody(ev, pol, now), 6);
	if (c < 0)
		return none(SNAP_WHY_CONFLICT, 6);
	w = word_of(ev, c, ever, pol, now);
	if (w == WORD_REPLICA)
		return none(SNAP_WHY_CONFLICT, 6);
	if (w != WORD_PRIMARY)
		return none(why_of_word(w), 6);
	if (ev->sql_configured &&
	    !is_mono_fresh(ev->m[c].sql_slot.alive_at, pol->silence, now))
		return none(SNAP_WHY_UNCONFIRMED, 6);
	v = target(ev, c, SNAP_WHY_PRIMARY_200, 4);
	v.oldest = age_of(ev->m[c].rest_slot.ok_at, now);
	return v;
}

/*
 * Is the one that leads about to stop? PostgreSQL says so by 57P01 or 57P03,
 * Patroni by its state. A failover key alone comes before a CHECKPOINT that may
 * take long while writes go on, so it counts for early_hold only.
 */
static bool is_planned(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now)
{
	int h = ev->confirmed >= 0 ? ev->confirmed : ev->dcs.leader;

	if (ev->dcs.failover_due &&
	    is_mono_fresh(ev->dcs.failover_at, pol->early_hold, now))
		return true;
	if (h < 0)
		return false;
	const struct ev_member *m = &ev->m[h];

	return m->sql_slot.denied == EV_RC_STOPPING ||
	    is_mono_fresh(m->sql_slot.ending_at, pol->silence, now) ||
	    word_rest(m, pol, now) == WORD_STOPPING;
}

static bool has_member(const struct cluster_ev *ev, struct mono now)
{
	for (int i = 0; i < ev->n; i++)
		if (is_ev_member(ev, i, now))
			return true;
	return false;
}

/*
 * An operator's hold stands over a force, and both over the evidence.
 * A place in the DCS where nobody is (another scope or namespace, or a DCS that
 * was wiped) says nothing of a cluster: no verdict, and the classic way serves.
 */
static struct verdict decide(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now)
{
	if (ev->hold)
		return none(SNAP_WHY_HELD, 1);
	if (is_forced(ev))
		return by_force(ev, pol, now);
	if (is_standby_cluster(ev, pol, now))
		return none(SNAP_WHY_STANDBY_CLUSTER, 5);
	if (!has_member(ev, now))
		return none(SNAP_WHY_NONE, 6);
	if (ev->force == EV_FORCE_UNKNOWN)
		return none(SNAP_WHY_UNKNOWN_MEMBER, 1);
	if (is_ev_dcs_fresh(ev, pol, now) &&
	    (ev->dcs.leader != -1 || !ev->dcs.pause))
		return by_key(ev, pol, now);
	return by_primary(ev, pol, now);
}

struct verdict verdict_write(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now)
{
	struct verdict v;

	assert(ev != NULL && pol != NULL && ev->n <= LIM_MEMBERS);
	v = decide(ev, pol, now);
	if (is_ev_dcs_fresh(ev, pol, now))
		v.oldest = longer(v.oldest, age_of(ev->dcs.fresh_at, now));
	v.planned = is_planned(ev, pol, now);
	return v;
}

static enum snap_why why_against(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now)
{
	const struct ev_member *m = &ev->m[member];
	const struct ev_slot *sql = &m->sql_slot;

	if (is_ev_dcs_fresh(ev, pol, now) && ev->dcs.leader >= 0 &&
	    ev->dcs.leader != member)
		return SNAP_WHY_TAKES_KEY;
	if (m->sql.in_recovery &&
	    is_mono_fresh(sql->ok_at, pol->max_age_sql, now) &&
	    !is_mono_before(sql->ok_asked, m->led_at))
		return SNAP_WHY_IN_RECOVERY;
	if (word_rest(m, pol, now) == WORD_REPLICA &&
	    !is_mono_before(m->rest_slot.ok_asked, m->led_at))
		return SNAP_WHY_IN_RECOVERY;
	if (sql->denied == EV_RC_REFUSED &&
	    is_mono_fresh(sql->denied_at, pol->max_age_sql, now))
		return SNAP_WHY_REFUSED;
	return SNAP_WHY_NONE;
}

/* By its own timeouts, not by the clock: who did not ask heard no silence. */
static bool is_silent_for(
    const struct ev_slot *s, struct dur bound, struct mono now)
{
	return is_mono_set(s->silent_since) &&
	    is_mono_fresh(s->at, dur_ms(EV_SILENCE_GAP_MS), now) &&
	    mono_sub(s->at, s->silent_since).us >= bound.us;
}

bool is_verdict_against(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now, enum snap_why *why)
{
	enum snap_why found;

	assert(ev != NULL && pol != NULL && member >= 0 && member < ev->n);
	found = why_against(ev, member, pol, now);
	if (found == SNAP_WHY_NONE &&
	    is_silent_for(&ev->m[member].rest_slot, pol->silence_close, now) &&
	    (!ev->sql_configured ||
		is_silent_for(
		    &ev->m[member].sql_slot, pol->silence_close, now)))
		found = SNAP_WHY_SILENT;
	if (why != NULL)
		*why = found;
	return found != SNAP_WHY_NONE;
}
