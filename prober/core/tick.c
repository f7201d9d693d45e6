/*
 * tick.c - whom to ask next, and when; see tick.h.
 */
#include "tick.h"

#include <assert.h>

#define STEADY_MS 1000
#define CALM_MS 2000
#define ANSWER_MS 200 /* as a rule; one that takes longer ends the calm */
#define FAST_MS 20
#define HURRY_MS 1
#define LATE_MS 20      /* the loop, at most, as a rule */
#define REST_MIN_MS 500 /* two a second */
/* A connection that is lost again and again for this long is asked for once a
   second, as any other that is away. */
#define LOST_MS 500

static bool is_retry(const struct ev_slot *s, struct mono now)
{
	/* Exhausted ourselves we hear no more of it, and would never cease. */
	if (!is_mono_fresh(s->at, dur_ms(STEADY_MS), now))
		return false;
	switch (s->rc) {
	case EV_RC_STOPPING:
		return s->denied == EV_RC_NONE;
	case EV_RC_LOST:
		return is_mono_fresh(s->lost_since, dur_ms(LOST_MS), s->at);
	case EV_RC_TIMEOUT:
		return s->silent_since.us == s->asked.us;
	case EV_RC_NONE:
	case EV_RC_OK:
	case EV_RC_REFUSED:
	case EV_RC_STARTING:
	case EV_RC_AUTH:
	case EV_RC_BUSY:
	case EV_RC_TLS:
	case EV_RC_PARSE:
	case EV_RC_LIMIT:
	case EV_RC_LOCAL:
	case EV_RC_N:
		break;
	}
	return false;
}

/* SQL gave an answer that the next 20 ms do not change; REST stands in. */
static bool is_only_alive(const struct ev_slot *s)
{
	return s->rc == EV_RC_AUTH || s->rc == EV_RC_BUSY ||
	    s->rc == EV_RC_TLS || s->rc == EV_RC_PARSE || s->rc == EV_RC_LIMIT;
}

/* Until the holder is confirmed only its own answers can change the verdict. */
static bool is_fast(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now)
{
	if (!is_ev_transition(ev, now))
		return false;
	return ev->dcs.leader < 0 || ev->dcs.leader == member ||
	    !is_ev_dcs_fresh(ev, pol, now);
}

/*
 * Both answered, within the time that their last questions have, and for the
 * same role. A question that brought nothing, for whatever reason of ours or
 * theirs, ends it while the answer before is still fresh.
 */
static bool is_calm(const struct cluster_ev *ev, const struct ev_member *m,
    const struct policy *pol, struct mono now)
{
	return ev->confirmed >= 0 && !is_ev_transition(ev, now) &&
	    m->sql_slot.rc == EV_RC_OK && m->rest_slot.rc == EV_RC_OK &&
	    is_mono_fresh(m->sql_slot.ok_at, pol->max_age_sql, now) &&
	    is_mono_fresh(
		m->rest_slot.ok_at, dur_ms(CALM_MS + ANSWER_MS), now) &&
	    m->rest.role ==
	    (m->sql.in_recovery ? EV_ROLE_REPLICA : EV_ROLE_PRIMARY) &&
	    pol->max_age_rest.us >= dur_ms(POLICY_CALM_AGE_MS).us;
}

void tick_needs(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now, struct tick_in *in)
{
	assert(ev != NULL && pol != NULL && in != NULL);
	assert(member >= 0 && member < ev->n);
	const struct ev_member *m = &ev->m[member];

	in->fast =
	    is_fast(ev, member, pol, now) && !is_only_alive(&m->sql_slot);
	in->retry = is_retry(&m->sql_slot, now);
	in->rest_retry = is_retry(&m->rest_slot, now);
	in->alone = is_tick_primary(ev, pol, now) || !ev->sql_configured ||
	    is_mono_before(m->sql_slot.ok_at, m->sql_slot.alive_at);
	in->calm = !in->alone && is_calm(ev, m, pol, now);
}

bool is_tick_primary(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now)
{
	assert(ev != NULL && pol != NULL);
	const struct ev_dcs *d = &ev->dcs;

	return !d->configured || !d->synced ||
	    !is_mono_fresh(d->fresh_at, dur_us(pol->max_age_dcs.us / 2), now) ||
	    (d->pause && d->leader == -1);
}

struct dur tick_phase(unsigned cluster, unsigned member)
{
	/* Steps of the golden ratio lie as far apart as any number can. */
	uint64_t i = (uint64_t)cluster * LIM_MEMBERS + member;

	return dur_us((int64_t)(i * 618034U % 1000000U));
}

/* One source's question: when it was put last, and how often it is put. */
struct asking {
	struct mono last;
	struct dur every, apart; /* never closer to each other than that */
	bool busy;
};

/*
 * The first instant of the member's phase that is far enough from the last; one
 * more question comes in between where that would be more than its period, and
 * so early that the loop may be late with it and still be in time for the next.
 */
static struct mono in_phase(const struct asking *a, struct dur phase)
{
	int64_t from = a->last.us + a->apart.us - 1 - phase.us;
	int64_t due = from - from % a->every.us + a->every.us + phase.us;
	int64_t late = a->every.us - 2 * a->apart.us;

	if (late > dur_ms(LATE_MS).us)
		late = dur_ms(LATE_MS).us;
	if (due - a->last.us > a->every.us)
		due -= a->apart.us + late;
	return (struct mono){due};
}

/*
 * Between two of SQL's: who is silent by one source is asked by the other half
 * a second later at most, well before `silence`. Half of the members have
 * theirs in the other of two seconds.
 */
static struct dur calm_phase(struct dur phase)
{
	int64_t other = phase.us / 1000 % 2 * dur_ms(STEADY_MS).us;

	return dur_us(phase.us + dur_ms(STEADY_MS).us / 2 + other);
}

/* Time left until the next question; 0 if it is due, or was never put. */
static struct dur left(
    const struct asking *a, struct dur phase, struct mono now)
{
	struct mono due = mono_add(a->last, a->every);
	struct dur d;

	if (!is_mono_set(a->last))
		return dur_us(0);
	if (a->every.us == dur_ms(STEADY_MS).us)
		due = in_phase(a, phase);
	else if (a->every.us == dur_ms(CALM_MS).us)
		due = in_phase(a, calm_phase(phase));
	d = mono_sub(due, now);
	return d.us > 0 ? d : dur_us(0);
}

/* Asks if it is due. Gives: until the next look at it. */
static struct dur put(
    struct asking *a, struct dur phase, struct mono now, bool *ask)
{
	*ask = !a->busy && left(a, phase, now).us == 0;
	if (*ask)
		a->last = now;
	return a->busy ? a->every : left(a, phase, now);
}

/*
 * A kept connection that ends while it is asked has just been asked: what the
 * end means is not put off by that. Somebody who ends each of them, does not
 * have us log in all the time.
 */
static bool is_hurried(
    const struct tick_slot *s, const struct tick_in *in, struct mono now)
{
	return in->retry && !is_mono_fresh(s->hurried, dur_ms(LOST_MS), now);
}

static struct dur sql_every(const struct tick_in *in, bool hurried)
{
	if (hurried)
		return dur_ms(HURRY_MS);
	return dur_ms(in->fast || in->retry ? FAST_MS : STEADY_MS);
}

static struct dur rest_every(const struct tick_in *in)
{
	if (in->alone || in->rest_retry)
		return dur_ms(REST_MIN_MS);
	return dur_ms(in->calm ? CALM_MS : STEADY_MS);
}

struct tick_out tick_decide(
    const struct tick_slot *s, const struct tick_in *in, struct mono now)
{
	struct tick_out out = {0};

	assert(s != NULL && in != NULL);
	bool hurried = is_hurried(s, in, now);
	struct asking sql = {.last = s->last_sql,
	    .every = sql_every(in, hurried),
	    .apart = dur_ms(FAST_MS),
	    .busy = in->sql_busy};
	struct asking rest = {.last = s->last_rest,
	    .every = rest_every(in),
	    .apart = dur_ms(REST_MIN_MS),
	    .busy = in->rest_busy};
	struct dur a = put(&sql, s->phase, now, &out.sql);
	struct dur b = put(&rest, s->phase, now, &out.rest);

	out.hurried = out.sql && hurried;
	out.next = a.us < b.us ? a : b;
	return out;
}
