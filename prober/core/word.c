/*
 * word.c - one word on a member's PostgreSQL; see word.h.
 *
 * Called by verdict.c, reads.c and publish.c; they say what follows from it.
 */
#include "word.h"

#include <assert.h>

static struct mono later(struct mono a, struct mono b)
{
	return is_mono_before(a, b) ? b : a;
}

static enum word word_of_role(const struct ev_rest *r)
{
	switch (r->role) {
	case EV_ROLE_PRIMARY:
		return WORD_PRIMARY;
	case EV_ROLE_REPLICA:
	case EV_ROLE_STANDBY_LEADER:
		return WORD_REPLICA;
	case EV_ROLE_DEMOTED: /* Patroni stopped it to make it a replica */
		return WORD_STOPPING;
	case EV_ROLE_NONE:
	case EV_ROLE_UNINITIALIZED:
	case EV_ROLE_N:
		break;
	}
	return WORD_NONE;
}

enum word word_of_answer(const struct ev_rest *r)
{
	assert(r != NULL);
	switch (r->state) {
	case EV_STATE_NONE:
		return r->lsn != 0 ? word_of_role(r) : WORD_NONE;
	case EV_STATE_RUNNING:
	case EV_STATE_STREAMING:
	case EV_STATE_ARCHIVE_RECOVERY:
		return word_of_role(r);
	case EV_STATE_STARTING:
		return WORD_STARTING;
	case EV_STATE_STOPPING:
		return WORD_STOPPING;
	case EV_STATE_STOPPED:
	case EV_STATE_CRASHED:
		return WORD_REFUSED;
	case EV_STATE_OTHER:
	case EV_STATE_N:
		break;
	}
	return WORD_NONE;
}

enum word word_rest(
    const struct ev_member *m, const struct policy *pol, struct mono now)
{
	assert(m != NULL && pol != NULL);
	if (!is_mono_fresh(m->rest_slot.ok_at, pol->max_age_rest, now))
		return WORD_NONE;
	return word_of_answer(&m->rest);
}

static enum word rest_since(const struct ev_member *m, struct mono from,
    const struct policy *pol, struct mono now)
{
	if (is_mono_before(m->rest_slot.ok_asked, from))
		return WORD_NONE;
	return word_rest(m, pol, now);
}

/*
 * REST was asked after SQL had begun to say what it says, and says the other.
 * Asked before, it may be the truth of that time.
 */
static bool is_contradicted(const struct ev_member *m, enum word sql,
    const struct policy *pol, struct mono now)
{
	enum word rest = word_rest(m, pol, now);

	return (rest == WORD_PRIMARY || rest == WORD_REPLICA) && rest != sql &&
	    is_mono_before(m->sql_slot.said_at, m->rest_slot.ok_asked);
}

static enum word sql_since(const struct ev_member *m, struct mono from,
    const struct policy *pol, struct mono now)
{
	const struct ev_slot *s = &m->sql_slot;
	enum word sql = m->sql.in_recovery ? WORD_REPLICA : WORD_PRIMARY;

	if (!is_mono_set(s->ok_at) || is_mono_before(s->ok_asked, from))
		return WORD_NONE;
	return is_contradicted(m, sql, pol, now) ? WORD_CONFLICT : sql;
}

static bool is_sql_only_alive(
    const struct ev_member *m, const struct policy *pol, struct mono now)
{
	const struct ev_slot *s = &m->sql_slot;

	return is_mono_before(s->ok_at, s->alive_at) &&
	    is_mono_fresh(s->alive_at, pol->max_age_sql, now);
}

static enum word denial(enum ev_rc rc)
{
	if (rc == EV_RC_STOPPING)
		return WORD_STOPPING;
	return rc == EV_RC_STARTING ? WORD_STARTING : WORD_REFUSED;
}

struct mono word_heard_at(const struct ev_member *m)
{
	assert(m != NULL);
	return later(m->sql_slot.alive_at, m->rest_slot.ok_at);
}

/*
 * SQL is silent, and Patroni, asked since, says that PostgreSQL is down: more
 * than an old answer can stand against.
 */
static enum word rest_over_silence(
    const struct ev_member *m, const struct policy *pol, struct mono now)
{
	enum word rest = word_rest(m, pol, now);

	if (rest == WORD_PRIMARY || rest == WORD_REPLICA ||
	    is_mono_fresh(m->sql_slot.alive_at, pol->max_age_sql, now) ||
	    !is_mono_before(m->sql_slot.alive_at, m->rest_slot.ok_asked))
		return WORD_NONE;
	return rest;
}

enum word word_of(const struct cluster_ev *ev, int member, struct mono since,
    const struct policy *pol, struct mono now)
{
	assert(ev != NULL && pol != NULL && member >= 0 && member < ev->n);

	const struct ev_member *m = &ev->m[member];
	struct mono from = later(since, m->sql_slot.denied_at);
	enum word rest;

	if (m->sql_slot.denied != EV_RC_NONE)
		return denial(m->sql_slot.denied);
	if (!is_mono_fresh(word_heard_at(m), pol->silence, now))
		return is_mono_set(m->sql_slot.at) ||
			is_mono_set(m->rest_slot.at)
		    ? WORD_SILENT
		    : WORD_NONE;
	if (!ev->sql_configured)
		return rest_since(m, from, pol, now);
	rest = is_sql_only_alive(m, pol, now) ? rest_since(m, from, pol, now)
					      : rest_over_silence(m, pol, now);
	return rest != WORD_NONE ? rest : sql_since(m, from, pol, now);
}

uint32_t word_tli(const struct ev_member *m)
{
	assert(m != NULL);
	bool sql = is_mono_set(m->sql_slot.ok_at) && m->sql.tli != 0;
	bool rest = is_mono_set(m->rest_slot.ok_at) && m->rest.tli != 0;

	if (sql && rest)
		sql = !is_mono_before(
		    m->sql_slot.ok_asked, m->rest_slot.ok_asked);
	if (sql)
		return m->sql.tli;
	return rest ? m->rest.tli : 0;
}

struct word_pos word_replay(
    const struct ev_member *m, const struct policy *pol, struct mono now)
{
	assert(m != NULL && pol != NULL);
	if (m->sql.in_recovery && m->sql.lsn != 0 &&
	    is_mono_fresh(m->sql_slot.ok_at, pol->max_age_sql, now))
		return (struct word_pos){m->sql.lsn, m->sql_slot.ok_at};
	if (word_rest(m, pol, now) == WORD_REPLICA && m->rest.lsn != 0)
		return (struct word_pos){m->rest.lsn, m->rest_slot.ok_at};
	return (struct word_pos){0, {0}};
}
