/*
 * reads.c - which members are fit for reads; see reads.h.
 *
 * Called by cluster.c after each verdict. What a member is (running replica,
 * holder of the key) is judged from evidence alone; whether it follows well
 * enough needs a leader to compare with, so that part has a memory.
 */
#include "reads.h"

#include <assert.h>

#include "lsn.h"
#include "word.h"

static const struct mono unset = {0};

/*
 * Holds the key, or leads without one. With the DCS out of reach the last known
 * holder counts, until another is confirmed by /primary.
 */
static bool is_holder(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now)
{
	if (member == ev->confirmed)
		return true;
	if (member != ev->dcs.leader || ev->dcs.standby_cluster)
		return false;
	return ev->confirmed < 0 || is_ev_dcs_fresh(ev, pol, now);
}

/* On a timeline above the leader's: promoted by hand, or follows such a one. */
static bool is_ahead(const struct cluster_ev *ev, int member, int leader)
{
	uint32_t tli = leader >= 0 ? word_tli(&ev->m[leader]) : 0;

	return tli != 0 && word_tli(&ev->m[member]) > tli;
}

/* Why a member that does not lead and is not in recovery is unfit. */
static enum snap_why why_not_replica(
    const struct cluster_ev *ev, int member, enum word w)
{
	int leader = ev->confirmed >= 0 ? ev->confirmed : ev->dcs.leader;

	switch (w) {
	case WORD_NONE:
		return SNAP_WHY_NONE;
	case WORD_SILENT:
		return SNAP_WHY_SILENT;
	case WORD_STOPPING:
		return SNAP_WHY_STOPPING;
	case WORD_REFUSED:
	case WORD_STARTING:
		return SNAP_WHY_NOT_RUNNING;
	case WORD_PRIMARY:
		return is_ahead(ev, member, leader) ? SNAP_WHY_DIVERGED
						    : SNAP_WHY_CONFLICT;
	case WORD_CONFLICT:
		return SNAP_WHY_CONFLICT;
	case WORD_REPLICA:
	case WORD_N:
		break;
	}
	assert(false && "in recovery, or not a word");
	return SNAP_WHY_NONE;
}

static bool is_tagged_out(
    const struct ev_member *m, const struct policy *pol, struct mono now)
{
	return m->dcs.noloadbalance ||
	    (m->rest.noloadbalance &&
		is_mono_fresh(m->rest_slot.ok_at, pol->max_age_rest, now));
}

static bool is_foreign(const struct cluster_ev *ev, const struct ev_member *m)
{
	return m->sysid != 0 && ev->dcs.sysid != 0 && m->sysid != ev->dcs.sysid;
}

struct reads_lag reads_lag(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now)
{
	assert(ev != NULL && pol != NULL && member >= 0 && member < ev->n);

	struct word_pos pos = word_replay(&ev->m[member], pol, now);
	struct reads_lag lag = {SNAP_LAG_UNKNOWN, SNAP_LAG_MS_UNKNOWN};
	uint64_t leader = lag_leader_lsn(&ev->lag, pos.at);
	int64_t ms;

	if (pos.lsn == 0 || leader == 0)
		return lag;
	lag.bytes = lsn_lag(leader, pos.lsn);
	ms = dur_to_ms(lag_time(&ev->lag, pos.lsn, pos.at));
	if (ms >= 0 && ms < SNAP_LAG_MS_UNKNOWN)
		lag.ms = (uint32_t)ms;
	return lag;
}

/* Known not to stream? What nobody says (Patroni before 3.0.4) binds not. */
static bool is_cut_off(
    const struct ev_member *m, const struct policy *pol, struct mono now)
{
	bool rest = is_mono_fresh(m->rest_slot.ok_at, pol->max_age_rest, now);
	bool sql = is_mono_fresh(m->sql_slot.ok_at, pol->max_age_sql, now);

	if (rest && m->rest.state == EV_STATE_ARCHIVE_RECOVERY)
		return false;
	if (sql && m->sql.streaming_known)
		return !m->sql.streaming;
	return rest && m->rest.streaming_known && !m->rest.streaming;
}

static bool is_lag(enum snap_why why)
{
	return why == SNAP_WHY_LAG_BYTES || why == SNAP_WHY_LAG_TIME;
}

/* The bound by which one stays; who left for its lag comes back at half. */
static struct conf_lag bound_of(const struct policy *pol, enum snap_why behind)
{
	struct conf_lag b = pol->max_lag;

	if (!is_lag(behind))
		return b;
	if (b.bytes != UINT64_MAX)
		b.bytes /= 2;
	if (b.ms != UINT32_MAX)
		b.ms /= 2;
	return b;
}

/* A lag that is not known is not zero. */
static enum snap_why why_of_lag(struct reads_lag lag, struct conf_lag bound)
{
	if (bound.bytes != UINT64_MAX && lag.bytes > bound.bytes)
		return SNAP_WHY_LAG_BYTES;
	if (bound.ms != UINT32_MAX && lag.ms > bound.ms)
		return SNAP_WHY_LAG_TIME;
	return SNAP_WHY_REPLICA;
}

/*
 * Does it follow the leader? REPLICA: yes, within the bounds. NONE: it cannot
 * be told, because nobody knows where the leader stands.
 */
static enum snap_why why_of_following(const struct cluster_ev *ev, int member,
    struct conf_lag bound, const struct policy *pol, struct mono now)
{
	const struct ev_member *m = &ev->m[member];

	if (is_ahead(ev, member, ev->confirmed))
		return SNAP_WHY_DIVERGED;
	if (is_cut_off(m, pol, now))
		return SNAP_WHY_NOT_STREAMING;
	if (ev->lag.n == 0)
		return SNAP_WHY_NONE;
	return why_of_lag(reads_lag(ev, member, pol, now), bound);
}

static bool is_asked_since(const struct ev_slot *s, struct mono t)
{
	return !is_mono_before(s->ok_asked, t);
}

/* Since then some replica was seen to follow well: the leader is reached. */
static bool is_followed_since(const struct cluster_ev *ev, struct mono t,
    const struct policy *pol, struct mono now)
{
	for (int i = 0; i < ev->n; i++) {
		const struct ev_member *m = &ev->m[i];

		if (i != ev->confirmed && is_ev_member(ev, i, now) &&
		    (is_asked_since(&m->sql_slot, t) ||
			is_asked_since(&m->rest_slot, t)) &&
		    word_of(ev, i, unset, pol, now) == WORD_REPLICA &&
		    why_of_following(ev, i, pol->max_lag, pol, now) ==
			SNAP_WHY_REPLICA)
			return true;
	}
	return false;
}

/* Where SQL is set up Patroni alone does not speak for its PostgreSQL: that is
   heard by us, or by a replica. */
static bool is_postgres_heard_since(const struct cluster_ev *ev, struct mono t,
    const struct policy *pol, struct mono now)
{
	const struct ev_slot *sql = &ev->m[ev->confirmed].sql_slot;

	return !ev->sql_configured || !is_mono_before(sql->alive_at, t) ||
	    is_followed_since(ev, t, pol, now);
}

/*
 * To readers a leader whose PostgreSQL nobody hears is none, whatever its
 * Patroni says: by that all of them would leave, and their fallback be a
 * server that nobody reaches.
 */
static void note_mute(const struct cluster_ev *ev, const struct policy *pol,
    struct mono now, struct reads_state *st)
{
	const struct ev_slot *sql =
	    ev->confirmed >= 0 ? &ev->m[ev->confirmed].sql_slot : NULL;

	if (sql != NULL && ev->sql_configured &&
	    !is_mono_fresh(sql->alive_at, pol->silence, now) &&
	    !is_followed_since(ev, sql->alive_at, pol, now))
		st->mute_at = now;
}

/*
 * Did the leader live on, and lead, after this replica was seen to follow no
 * more? A leader's end is seen by its replicas first (within 0.3 s), by us
 * after `silence`, or with the DCS's next word.
 */
static bool is_leader_heard_since(const struct cluster_ev *ev, struct mono t,
    const struct policy *pol, struct mono now)
{
	const struct ev_member *l = &ev->m[ev->confirmed];
	bool sql = !l->sql.in_recovery && is_asked_since(&l->sql_slot, t);
	bool rest = word_of_answer(&l->rest) == WORD_PRIMARY &&
	    is_asked_since(&l->rest_slot, t) &&
	    is_postgres_heard_since(ev, t, pol, now);

	if (is_ev_dcs_fresh(ev, pol, now))
		return (sql || rest) && !is_mono_before(ev->dcs.fresh_at, t);
	return rest && l->rest.primary_200;
}

/*
 * Streaming and lag say something only long enough after the last change of
 * leader, or its silence; another branch is another branch at any time.
 */
static bool is_past_grace(const struct cluster_ev *ev,
    const struct reads_state *st, enum snap_why why, const struct policy *pol,
    struct mono now)
{
	return why == SNAP_WHY_DIVERGED ||
	    (!is_mono_fresh(ev->confirmed_at, pol->follow_grace, now) &&
		!is_mono_fresh(st->mute_at, pol->follow_grace, now));
}

/* Over the bound, but not for long yet. */
static bool is_lag_borne(enum snap_why why, struct mono since,
    const struct policy *pol, struct mono now)
{
	return is_lag(why) && is_mono_fresh(since, pol->lag_grace, now);
}

/* A running replica: follows well enough, or did when that was last told. */
static enum snap_why judge_replica(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now, struct reads_state *st)
{
	bool led = ev->confirmed >= 0;
	struct conf_lag bound = bound_of(pol, st->behind[member]);
	enum snap_why why =
	    led ? why_of_following(ev, member, bound, pol, now) : SNAP_WHY_NONE;
	struct mono *doubt = &st->doubt[member];

	if (why == SNAP_WHY_REPLICA) {
		st->behind[member] = SNAP_WHY_NONE;
		st->led[member] = false;
	}
	if (why == SNAP_WHY_REPLICA || why == SNAP_WHY_NONE)
		*doubt = unset;
	else if (!is_mono_set(*doubt))
		*doubt = now;
	/* Who is no reader has nothing to lose by the doubt. */
	if (is_mono_set(*doubt) && is_past_grace(ev, st, why, pol, now) &&
	    (!st->fit[member] ||
		(is_leader_heard_since(ev, *doubt, pol, now) &&
		    !is_lag_borne(why, *doubt, pol, now))))
		st->behind[member] = why;
	if (st->behind[member] != SNAP_WHY_NONE)
		return st->behind[member];
	if (led && st->led[member])
		return why != SNAP_WHY_NONE ? why : SNAP_WHY_NOT_STREAMING;
	return SNAP_WHY_REPLICA;
}

static enum snap_why judge(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now, struct reads_state *st)
{
	const struct ev_member *m = &ev->m[member];
	enum word w;

	if (is_holder(ev, member, pol, now)) {
		st->led[member] = true;
		return member == ev->confirmed ? SNAP_WHY_LEADER
					       : SNAP_WHY_TAKES_KEY;
	}
	if (!is_ev_member(ev, member, now))
		return SNAP_WHY_NONE;
	w = word_of(ev, member, unset, pol, now);
	if (w != WORD_REPLICA)
		return why_not_replica(ev, member, w);
	if (is_foreign(ev, m))
		return SNAP_WHY_DIVERGED;
	if (is_tagged_out(m, pol, now))
		return SNAP_WHY_NOLOADBALANCE;
	return judge_replica(ev, member, pol, now, st);
}

static void forget(struct reads_state *st, int i, struct mono since)
{
	st->since[i] = since;
	st->fit[i] = false;
	st->fit_at[i] = unset;
	st->behind[i] = SNAP_WHY_NONE;
	st->doubt[i] = unset;
	st->led[i] = false;
}

void reads_judge(const struct cluster_ev *ev, const struct policy *pol,
    struct mono now, struct reads_state *st)
{
	assert(ev != NULL && pol != NULL && st != NULL && ev->n <= LIM_MEMBERS);
	note_mute(ev, pol, now, st);
	for (int i = 0; i < ev->n; i++) {
		if (st->since[i].us != ev->m[i].since.us)
			forget(st, i, ev->m[i].since);
		st->why[i] = judge(ev, i, pol, now, st);
		st->fit[i] = st->why[i] == SNAP_WHY_REPLICA;
		if (!st->fit[i])
			st->fit_at[i] = unset;
		else if (!is_mono_set(st->fit_at[i]))
			st->fit_at[i] = now;
	}
	for (int i = ev->n; i < LIM_MEMBERS; i++) {
		st->why[i] = SNAP_WHY_NONE;
		st->fit[i] = false;
		st->fit_at[i] = unset;
	}
}

uint16_t reads_weight(const struct reads_state *st, int member, uint16_t weight,
    const struct policy *pol, struct mono now)
{
	struct mono from;
	int64_t part;

	assert(st != NULL && pol != NULL && member >= 0);
	assert(member < LIM_MEMBERS && weight <= SNAP_WEIGHT_MAX);
	from = st->fit_at[member];
	if (weight == 0 || !is_mono_fresh(from, pol->slow_start, now))
		return weight;
	part = weight * mono_sub(now, from).us / pol->slow_start.us;
	return part > 0 ? (uint16_t)part : 1;
}
