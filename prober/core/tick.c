/*
 * tick.c - whom to ask next, and when; see tick.h.
 */
#include "tick.h"

#include <assert.h>

#define STEADY_MS 1000
#define FAST_MS 20
#define REST_MIN_MS 500 /* two a second */
/* A connection that is lost again and again for this long is asked for once a
   second, as any other that is away. */
#define LOST_MS 500

static bool is_retry(const struct ev_slot *s)
{
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

/* Until the holder is confirmed only its own answers can change the verdict. */
static bool is_fast(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now)
{
	if (!is_ev_transition(ev, now))
		return false;
	return ev->dcs.leader < 0 || ev->dcs.leader == member ||
	    !is_ev_dcs_fresh(ev, pol, now);
}

void tick_needs(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now, struct tick_in *in)
{
	assert(ev != NULL && pol != NULL && in != NULL);
	assert(member >= 0 && member < ev->n);
	const struct ev_member *m = &ev->m[member];

	in->fast = is_fast(ev, member, pol, now);
	in->retry = is_retry(&m->sql_slot);
	in->rest_retry = is_retry(&m->rest_slot);
	in->alone = is_tick_primary(ev, pol, now) || !ev->sql_configured ||
	    is_mono_before(m->sql_slot.ok_at, m->sql_slot.alive_at);
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

/* Time left until `last` + `every`; 0 if it is over, or never was. */
static struct dur left(struct mono last, struct dur every, struct mono now)
{
	struct dur d;

	if (!is_mono_set(last))
		return dur_us(0);
	d = mono_sub(mono_add(last, every), now);
	return d.us > 0 ? d : dur_us(0);
}

/* Until the next look; what is busy or was just asked counts from now. */
static struct dur wait_of(struct dur until, bool held, struct dur every)
{
	return held || until.us == 0 ? every : until;
}

struct tick_out tick_decide(
    const struct tick_slot *s, const struct tick_in *in, struct mono now)
{
	struct tick_out out = {0};
	struct dur sql, rest;

	assert(s != NULL && in != NULL);
	struct dur every_sql =
	    dur_ms(in->fast || in->retry ? FAST_MS : STEADY_MS);
	struct dur every_rest =
	    dur_ms(in->alone || in->rest_retry ? REST_MIN_MS : STEADY_MS);

	sql = left(s->last_sql, every_sql, now);
	rest = left(s->last_rest, every_rest, now);
	out.sql = !in->sql_busy && sql.us == 0;
	out.rest = !in->rest_busy && rest.us == 0;
	sql = wait_of(sql, in->sql_busy, every_sql);
	rest = wait_of(rest, in->rest_busy, every_rest);
	out.next = sql.us < rest.us ? sql : rest;
	return out;
}
