/*
 * evidence.c - the one sink of all evidence; see evidence.h.
 *
 * Called by the edges with each answer and each view of the keys, and by
 * whoever asked for a verdict, to note it. Stores what was said and when;
 * whether it is still worth anything, word.c, verdict.c and reads.c judge.
 */
#include "evidence.h"

#include <assert.h>
#include <string.h>

#include "policy.h"
#include "snapshot.h"
#include "verdict.h"
#include "word.h"

static const struct mono unset = {0};

void ev_reset(struct cluster_ev *ev, const char *name, bool dcs_configured,
    bool sql_configured)
{
	assert(ev != NULL);
	memset(ev, 0, sizeof(*ev));
	if (!slice_copy(slice_str(name), ev->name, sizeof(ev->name)))
		assert(false && "a cluster's name was checked by conf");
	ev->dcs.configured = dcs_configured;
	ev->dcs.leader = -1;
	ev->sql_configured = sql_configured;
	ev->force = -1;
	ev->confirmed = -1;
	ev->written = -1;
}

static void note_alive(struct ev_slot *s, const struct ev_item *item)
{
	s->alive_at = item->at;
	s->silent_since = unset;
	s->ending_at = unset;
	s->denied = EV_RC_NONE;
}

static void note_denial(struct ev_slot *s, const struct ev_item *item)
{
	s->denied = item->rc;
	s->denied_at = item->at;
	s->silent_since = unset;
}

static void note_stopping(struct ev_slot *s, const struct ev_item *item)
{
	if (s->denied != EV_RC_NONE || is_mono_set(s->ending_at)) {
		note_denial(s, item);
		return;
	}
	s->ending_at = item->at;
	s->silent_since = unset;
}

/* `last`: when the slot had its word before this one. */
static void note_silence(
    struct ev_slot *s, const struct ev_item *item, struct mono last)
{
	if (is_mono_set(s->silent_since) &&
	    mono_sub(item->asked, last).us < dur_ms(EV_SILENCE_GAP_MS).us)
		return;
	s->silent_since = item->asked;
}

/* A switch over every ending, hence its length. */
static void note_rc(struct ev_slot *s, const struct ev_item *item)
{
	struct mono last = s->at;

	s->at = item->at;
	s->asked = item->asked;
	s->rc = item->rc;
	if (item->rc != EV_RC_LOST)
		s->lost_since = unset;
	switch (item->rc) {
	case EV_RC_OK:
	case EV_RC_AUTH:
	case EV_RC_BUSY:
		note_alive(s, item);
		return;
	case EV_RC_TLS:
		/* PostgreSQL answers a TLS request before it fails; of Patroni
		   a failed handshake says nothing. */
		if (item->src == EV_SQL)
			note_alive(s, item);
		return;
	case EV_RC_REFUSED:
	case EV_RC_STARTING:
		note_denial(s, item);
		return;
	case EV_RC_STOPPING:
		note_stopping(s, item);
		return;
	case EV_RC_TIMEOUT:
		note_silence(s, item, last);
		return;
	case EV_RC_PARSE:
	case EV_RC_LIMIT:
		s->silent_since = unset;
		return;
	case EV_RC_LOST:
		if (!is_mono_set(s->lost_since))
			s->lost_since = item->at;
		return;
	case EV_RC_NONE:
	case EV_RC_LOCAL:
	case EV_RC_N:
		break;
	}
	assert(false && "not a word");
}

static void note_content(
    struct ev_slot *s, const struct ev_item *item, bool changed)
{
	if (changed || !is_mono_set(s->ok_at) ||
	    is_mono_before(s->ok_asked, s->denied_at))
		s->said_at = item->at;
	s->ok_at = item->at;
	s->ok_asked = item->asked;
}

/* Where the leader stands, while it is one. */
static void note_leader_lsn(
    struct cluster_ev *ev, const struct ev_item *item, uint64_t lsn)
{
	int leader = ev->confirmed >= 0 ? ev->confirmed : ev->dcs.leader;

	if (item->member == leader && lsn != 0)
		lag_note(&ev->lag, item->asked, lsn);
}

static void take_sql(struct cluster_ev *ev, const struct ev_item *item)
{
	struct ev_member *m = &ev->m[item->member];
	const struct ev_sql *sql = &item->u.sql;

	note_content(
	    &m->sql_slot, item, m->sql.in_recovery != sql->in_recovery);
	m->sql = *sql;
	if (!sql->in_recovery)
		note_leader_lsn(ev, item, sql->lsn);
}

static void take_rest(struct cluster_ev *ev, const struct ev_item *item)
{
	struct ev_member *m = &ev->m[item->member];
	const struct ev_rest *rest = &item->u.rest;

	if (rest->sysid != 0)
		m->sysid = rest->sysid;
	if (word_of_answer(rest) == WORD_NONE && !rest->primary_200)
		return;
	note_content(&m->rest_slot, item, m->rest.role != rest->role);
	m->rest = *rest;
	if (rest->role == EV_ROLE_PRIMARY && !ev->sql_configured)
		note_leader_lsn(ev, item, rest->lsn);
}

bool ev_put(struct cluster_ev *ev, const struct ev_item *item)
{
	assert(ev != NULL && item != NULL);
	assert(item->src == EV_REST || item->src == EV_SQL);
	assert(item->member < ev->n && item->rc < EV_RC_N);
	assert(!is_mono_before(item->at, item->asked));

	struct ev_member *m = &ev->m[item->member];
	struct ev_slot *s = item->src == EV_SQL ? &m->sql_slot : &m->rest_slot;

	if (item->rc == EV_RC_NONE || item->rc == EV_RC_LOCAL)
		return false;
	if (is_mono_before(item->asked, s->asked) ||
	    is_mono_before(item->asked, m->since))
		return false;
	note_rc(s, item);
	if (item->rc == EV_RC_OK && item->src == EV_SQL)
		take_sql(ev, item);
	else if (item->rc == EV_RC_OK)
		take_rest(ev, item);
	return true;
}

int ev_find(const struct cluster_ev *ev, const char *name)
{
	assert(ev != NULL && name != NULL);
	for (int i = 0; i < ev->n; i++)
		if (strcmp(ev->m[i].dcs.name, name) == 0)
			return i;
	return -1;
}

/* Gives: a free slot, else the one whose member left first, or -1. */
static int free_slot(struct cluster_ev *ev)
{
	int found = -1;

	if (ev->n < LIM_MEMBERS)
		return ev->n++;
	for (int i = 0; i < ev->n; i++) {
		struct mono left = ev->m[i].left_at;

		if (is_mono_set(left) && i != ev->dcs.leader &&
		    i != ev->confirmed && i != ev->force &&
		    (found == -1 || is_mono_before(left, ev->m[found].left_at)))
			found = i;
	}
	return found;
}

/* A key that cannot be read says no more than that the member is there. */
static bool is_blank(const struct ev_dcs_member *d)
{
	return d->host[0] == '\0' && d->api_host[0] == '\0';
}

static bool is_same_place(
    const struct ev_dcs_member *a, const struct ev_dcs_member *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port &&
	    strcmp(a->api_host, b->api_host) == 0 && a->api_port == b->api_port;
}

static void move_member(
    struct ev_member *m, const struct ev_dcs_member *d, struct mono at)
{
	/* At another address another server answers. */
	if (m->dcs.name[0] != '\0' && !is_blank(&m->dcs) &&
	    !is_same_place(&m->dcs, d))
		*m = (struct ev_member){
		    .since = at, .held_key_until = m->held_key_until};
	m->dcs = *d;
}

static void put_member(
    struct cluster_ev *ev, const struct ev_dcs_member *d, struct mono at)
{
	int i = ev_find(ev, d->name);
	struct ev_member *m;

	if (i == -1 && is_snap_name(d->name)) {
		i = free_slot(ev);
		if (i >= 0)
			ev->m[i] = (struct ev_member){.since = at};
	}
	if (i == -1)
		return;
	m = &ev->m[i];
	if (m->dcs.name[0] == '\0' || !is_blank(d))
		move_member(m, d, at);
	m->dcs.present = true;
	m->left_at = unset;
}

static void drop_absent(
    struct cluster_ev *ev, const struct ev_view *view, struct mono at)
{
	for (int i = 0; i < ev->n; i++) {
		struct ev_member *m = &ev->m[i];
		bool there = false;

		for (int j = 0; j < view->n && !there; j++)
			there = strcmp(view->m[j].name, m->dcs.name) == 0;
		if (there || is_mono_set(m->left_at))
			continue;
		m->dcs.present = false;
		m->left_at = at;
	}
}

/* Before our start nobody watched; history says who led last. */
static void take_history(
    struct cluster_ev *ev, const struct ev_view *view, struct mono at)
{
	int i = ev_find(ev, view->history_leader);

	if (i >= 0 && i != ev->dcs.leader)
		ev->m[i].held_key_until = at;
}

static bool take_leader(
    struct cluster_ev *ev, const struct ev_view *view, struct mono at)
{
	struct ev_dcs *d = &ev->dcs;
	const char *name = view->has_leader ? view->leader : "";
	bool had = d->leader != -1;
	bool moved =
	    view->has_leader != had || strcmp(name, d->leader_name) != 0;

	if (moved && d->leader >= 0)
		ev->m[d->leader].held_key_until = at;
	d->leader = -1;
	if (view->has_leader) {
		int i = ev_find(ev, name);

		d->leader = (int8_t)(i >= 0 ? i : -2);
	}
	d->leader_rev = view->leader_rev;
	if (!moved)
		return false;
	memcpy(d->leader_name, name, strlen(name) + 1);
	d->leader_at = at;
	if (view->has_leader) {
		ev->confirmed = -1;
		ev->transition_at = at;
	}
	return true;
}

static void take_settings(
    struct cluster_ev *ev, const struct ev_view *view, struct mono at)
{
	struct ev_dcs *d = &ev->dcs;
	bool due = view->has_failover && !view->failover_scheduled;

	if (due && !d->failover_due) {
		d->failover_at = at;
		ev->transition_at = at;
	}
	d->failover_due = due;
	d->pause = view->pause;
	d->standby_cluster = view->standby_cluster;
	d->failsafe_mode = view->failsafe_mode;
	d->sync_mode = view->sync_mode;
	d->sync_n = view->sync_n;
	memcpy(d->sync_standby, view->sync_standby, sizeof(d->sync_standby));
	d->sysid = view->sysid;
}

bool ev_put_dcs(
    struct cluster_ev *ev, const struct ev_view *view, struct mono at)
{
	bool first, moved;

	assert(ev != NULL && view != NULL && is_mono_set(at));
	assert(view->n <= LIM_MEMBERS && view->sync_n <= LIM_MEMBERS);
	first = !ev->dcs.synced;
	drop_absent(ev, view, at);
	for (int i = 0; i < view->n; i++)
		put_member(ev, &view->m[i], at);
	moved = take_leader(ev, view, at);
	take_settings(ev, view, at);
	if (first)
		take_history(ev, view, at);
	ev->dcs.synced = true;
	ev_dcs_alive(ev, at);
	return moved;
}

void ev_put_roster(
    struct cluster_ev *ev, const struct ev_view *view, struct mono at)
{
	assert(ev != NULL && view != NULL && is_mono_set(at));
	assert(view->n <= LIM_MEMBERS && view->sync_n <= LIM_MEMBERS);
	if (ev->dcs.synced)
		return;
	drop_absent(ev, view, at);
	for (int i = 0; i < view->n; i++)
		put_member(ev, &view->m[i], at);
	ev->dcs.pause = view->pause;
	ev->dcs.sync_mode = view->sync_mode;
	ev->dcs.sync_n = view->sync_n;
	memcpy(ev->dcs.sync_standby, view->sync_standby,
	    sizeof(ev->dcs.sync_standby));
}

void ev_dcs_alive(struct cluster_ev *ev, struct mono at)
{
	assert(ev != NULL);
	if (ev->dcs.synced && is_mono_before(ev->dcs.fresh_at, at))
		ev->dcs.fresh_at = at;
}

static void note_target(
    struct cluster_ev *ev, const struct verdict *v, struct mono now)
{
	if (ev->confirmed != v->write) {
		ev->confirmed = v->write;
		ev->confirmed_at = now;
		ev->m[v->write].led_at = now;
	}
	if (!ev->dcs.failover_due)
		ev->transition_at = unset;
}

void ev_note_verdict(
    struct cluster_ev *ev, const struct verdict *v, struct mono now)
{
	assert(ev != NULL && v != NULL && v->write < ev->n);
	if (!is_mono_set(ev->written_at) || ev->written != v->write) {
		ev->written = v->write;
		ev->written_at = now;
	}
	if (v->write >= 0) {
		note_target(ev, v, now);
	} else if (ev->confirmed >= 0 && v->why != SNAP_WHY_HELD) {
		/* A hold says nothing of who leads. */
		ev->confirmed = -1;
		ev->transition_at = now;
	}
	if (!is_ev_transition(ev, now))
		ev->transition_at = unset;
}

bool is_ev_member(const struct cluster_ev *ev, int member, struct mono now)
{
	assert(ev != NULL && member >= 0 && member < ev->n);
	const struct ev_member *m = &ev->m[member];

	return m->dcs.present || member == ev->dcs.leader ||
	    is_mono_fresh(m->left_at, dur_ms(EV_LEFT_GRACE_MS), now);
}

bool is_ev_dcs_fresh(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now)
{
	assert(ev != NULL && pol != NULL);
	return ev->dcs.configured && ev->dcs.synced &&
	    is_mono_fresh(ev->dcs.fresh_at, pol->max_age_dcs, now);
}

bool is_ev_live(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now)
{
	assert(ev != NULL && member >= 0 && member < ev->n);
	const struct ev_member *m = &ev->m[member];

	return is_mono_fresh(m->sql_slot.alive_at, pol->max_age_sql, now) ||
	    is_mono_fresh(m->rest_slot.alive_at, pol->max_age_claim, now);
}

bool is_ev_transition(const struct cluster_ev *ev, struct mono now)
{
	assert(ev != NULL);
	return is_mono_fresh(
	    ev->transition_at, dur_ms(EV_TRANSITION_MAX_MS), now);
}

const char *ev_rc_name(enum ev_rc rc)
{
	static const char *const name[EV_RC_N] = {
	    [EV_RC_NONE] = "none",
	    [EV_RC_OK] = "ok",
	    [EV_RC_REFUSED] = "refused",
	    [EV_RC_STOPPING] = "stopping",
	    [EV_RC_STARTING] = "starting",
	    [EV_RC_TIMEOUT] = "timeout",
	    [EV_RC_LOST] = "lost",
	    [EV_RC_AUTH] = "auth",
	    [EV_RC_BUSY] = "busy",
	    [EV_RC_TLS] = "tls",
	    [EV_RC_PARSE] = "parse",
	    [EV_RC_LIMIT] = "limit",
	    [EV_RC_LOCAL] = "local",
	};

	assert(rc < EV_RC_N && name[rc] != NULL);
	return name[rc];
}
