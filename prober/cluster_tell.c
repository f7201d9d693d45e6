/*
 * cluster_tell.c - see cluster_tell.h. Called by cluster.c.
 *
 * The log is bounded in lines a second; the ring of events is bounded by
 * itself, so that each change of a verdict or of a member's reads is in it.
 */
#include "cluster_tell.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "app.h"
#include "events.h"
#include "feed.h"
#include "log.h"
#include "proof.h"
#include "wall.h"

/* A sentence from words of ours and names that are bounded. */
#define SENTENCE EVENTS_TEXT
#define PRINT(buf, ...) ((void)snprintf((buf), sizeof(buf), __VA_ARGS__))

static const char *name_of(const struct cluster *c, int member)
{
	if (member < 0 || member >= c->ev.n)
		return "none";
	return c->ev.m[member].dcs.name;
}

static const char *name_or_null(const struct cluster *c, int member)
{
	return member < 0 || member >= c->ev.n ? NULL : name_of(c, member);
}

static int64_t age_ms(struct mono t, struct mono now)
{
	return is_mono_set(t) ? dur_to_ms(mono_sub(now, t)) : EVENTS_AGE_NONE;
}

static struct event begin(const struct cluster *c, enum event_type type)
{
	struct event e = event_of(type, wall_ms());

	e.cluster = c->conf->name;
	return e;
}

static void say(struct cluster *c, struct event *e, const char *text)
{
	e->text = text;
	(void)events_put(c->app->events, e);
}

/* What is said of a verdict stands on this. */
struct told {
	const struct verdict *old;
	int about; /* the target, or while there is none the key's holder */
	const struct ev_member *m;
	const char *proof;
	struct mono now;
};

/* Who took the writes until now, where it was somebody. */
static void before(
    const struct cluster *c, int was, int now, char *text, size_t size)
{
	if (was < 0)
		text[0] = '\0';
	else if (was == now)
		(void)snprintf(text, size, ", as before");
	else
		(void)snprintf(text, size, " (before: %s)", name_of(c, was));
}

static void event_verdict(struct cluster *c, const struct told *t)
{
	const struct verdict *v = &c->verdict;
	struct event e = begin(c, EVENT_WRITE);
	char text[SENTENCE];

	e.member = name_or_null(c, t->about);
	e.from = name_or_null(c, t->old->write);
	e.to = name_or_null(c, v->write);
	e.why = v->why;
	e.step = v->step;
	e.proof = t->proof;
	e.oldest_ms = dur_to_ms(v->oldest);
	e.dcs_ms = age_ms(c->ev.dcs.fresh_at, t->now);
	if (t->m != NULL) {
		e.rest_ms = age_ms(t->m->rest_slot.at, t->now);
		e.sql_ms = age_ms(t->m->sql_slot.at, t->now);
	}
	char was[LIM_NAME + 16];

	before(c, t->old->write, v->write, was, sizeof(was));
	if (v->write < 0)
		PRINT(text, "nobody takes the writes%s: %s", was,
		    snap_why_text(v->why));
	else
		PRINT(text, "%s takes the writes%s: it %s",
		    name_of(c, v->write), was,
		    v->why == SNAP_WHY_FORCED ? "was forced by an operator"
					      : snap_why_text(v->why));
	say(c, &e, text);
}

void cluster_tell_verdict(
    struct cluster *c, const struct verdict *old, struct mono now)
{
	const struct verdict *v = &c->verdict;
	int about = v->write >= 0 ? v->write : c->ev.dcs.leader;
	const struct ev_member *m =
	    about >= 0 && about < c->ev.n ? &c->ev.m[about] : NULL;
	const struct told t = {old, about, m,
	    proof_name(proof_of(&c->ev, v, &c->policy, now)), now};
	uint32_t suppressed = 0;

	event_verdict(c, &t);
	if (!log_rate_ok(&c->rate, 5, dur_ms(1000), now, &suppressed))
		return;
	log_info("change cluster=%s write=%s was=%s why=%s was_why=%s step=%u "
		 "proof=%s oldest_ms=%" PRId64 " key=%s dcs_ms=%" PRId64
		 " about=%s rest=%s rest_ms=%" PRId64 " sql=%s sql_ms=%" PRId64
		 " planned=%d suppressed=%u",
	    c->conf->name, name_of(c, v->write), name_of(c, old->write),
	    snap_why_name(v->why), snap_why_name(old->why), v->step, t.proof,
	    dur_to_ms(v->oldest), name_of(c, c->ev.dcs.leader),
	    age_ms(c->ev.dcs.fresh_at, now), name_of(c, about),
	    m == NULL ? "-" : ev_rc_name(m->rest_slot.rc),
	    m == NULL ? EVENTS_AGE_NONE : age_ms(m->rest_slot.at, now),
	    m == NULL ? "-" : ev_rc_name(m->sql_slot.rc),
	    m == NULL ? EVENTS_AGE_NONE : age_ms(m->sql_slot.at, now),
	    v->planned, suppressed);
}

static void tell_read(struct cluster *c, int i, struct mono now)
{
	const struct ev_member *m = &c->ev.m[i];
	struct event e = begin(c, EVENT_READ);
	bool is = c->reads.fit[i];
	uint32_t suppressed = 0;
	char text[SENTENCE];

	e.member = name_of(c, i);
	e.from = is ? "no" : "yes";
	e.to = is ? "yes" : "no";
	e.why = c->reads.why[i];
	e.dcs_ms = age_ms(c->ev.dcs.fresh_at, now);
	e.rest_ms = age_ms(m->rest_slot.at, now);
	e.sql_ms = age_ms(m->sql_slot.at, now);
	PRINT(text, "%s is %s: %s", name_of(c, i),
	    is ? "read" : "not read any more", snap_why_text(c->reads.why[i]));
	say(c, &e, text);
	if (log_rate_ok(&c->tell_rate, 4, dur_ms(1000), now, &suppressed))
		log_info("change cluster=%s member=%s read=%s why=%s "
			 "suppressed=%u",
		    c->conf->name, name_of(c, i), is ? "yes" : "no",
		    snap_why_name(c->reads.why[i]), suppressed);
}

void cluster_tell_reads(
    struct cluster *c, const struct reads_state *old, struct mono now)
{
	for (int i = 0; i < c->ev.n; i++)
		if (old->fit[i] != c->reads.fit[i])
			tell_read(c, i, now);
}

/* More than that of the lines below in a second wait for the next. */
static bool is_tell_allowed(struct cluster *c, struct mono now)
{
	uint32_t suppressed = 0;

	return log_rate_ok(&c->tell_rate, 4, dur_ms(1000), now, &suppressed);
}

void cluster_tell_read_only(struct cluster *c, struct mono now)
{
	int8_t w = c->verdict.write;
	bool is = w >= 0 && is_ev_read_only(&c->ev.m[w]);
	struct event e;
	char text[SENTENCE];

	if (w < 0 || c->tell.read_only[w] == is || !is_tell_allowed(c, now))
		return;
	c->tell.read_only[w] = is;
	log_info("change cluster=%s member=%s read_only=%s", c->conf->name,
	    name_of(c, w), is ? "yes" : "no");
	e = begin(c, EVENT_READ_ONLY);
	e.member = name_of(c, w);
	e.to = is ? "yes" : "no";
	PRINT(text,
	    is ? "%s takes the writes and would refuse them: its transactions "
		 "are read-only"
	       : "%s accepts writes again: its transactions are not read-only "
		 "any more",
	    name_of(c, w));
	say(c, &e, text);
}

void cluster_tell_source(struct cluster *c, const struct ev_item *item)
{
	const char *source = item->src == EV_SQL ? "sql" : "rest";
	enum ev_rc was;
	struct event e;
	char text[SENTENCE];

	if (!is_tell_due(&c->tell, item, &was) || !is_tell_allowed(c, item->at))
		return;
	tell_said(&c->tell, item);
	log_info("change cluster=%s member=%s source=%s rc=%s was=%s",
	    c->conf->name, name_of(c, item->member), source,
	    ev_rc_name(item->rc), ev_rc_name(was));
	e = begin(c, EVENT_SOURCE);
	e.member = name_of(c, item->member);
	e.from = ev_rc_name(was);
	e.to = ev_rc_name(item->rc);
	PRINT(text, "%s says of %s: %s (before: %s)",
	    item->src == EV_SQL ? "PostgreSQL" : "Patroni's REST API",
	    name_of(c, item->member), e.to, e.from);
	say(c, &e, text);
}

static void tell_member(struct cluster *c, int i, bool came)
{
	struct event e = begin(c, EVENT_MEMBER);
	char text[SENTENCE];

	e.member = name_of(c, i);
	e.to = came ? "here" : "gone";
	PRINT(text, came ? "%s is a member now" : "%s is no member any more",
	    e.member);
	say(c, &e, text);
}

void cluster_tell_members(struct cluster *c, struct mono now)
{
	for (int i = 0; i < c->ev.n; i++) {
		bool is = c->ev.m[i].dcs.name[0] != '\0' &&
		    is_ev_member(&c->ev, i, now);

		if (is == c->tell.here[i])
			continue;
		c->tell.here[i] = is;
		tell_member(c, i, is);
	}
}

void cluster_tell_dcs(struct cluster *c, struct mono now)
{
	bool is = is_ev_dcs_fresh(&c->ev, &c->policy, now);
	struct event e;

	if (!c->ev.dcs.configured || !c->ev.dcs.synced || is == c->tell.dcs ||
	    !is_tell_allowed(c, now))
		return;
	c->tell.dcs = is;
	log_info("change cluster=%s dcs=%s dcs_ms=%" PRId64, c->conf->name,
	    is ? "heard" : "silent", age_ms(c->ev.dcs.fresh_at, now));
	e = begin(c, EVENT_DCS);
	e.to = is ? "heard" : "silent";
	e.dcs_ms = age_ms(c->ev.dcs.fresh_at, now);
	say(c, &e,
	    is ? "etcd answers: its leader key decides"
	       : "etcd has fallen silent: the one member whose Patroni says "
		 "primary takes the writes");
}

/* "node1, node2", or "nobody". */
static const char *names_of(
    const struct snapshot *s, uint32_t mask, char *buf, size_t size)
{
	size_t used = 0;

	(void)snprintf(buf, size, "nobody");
	for (unsigned i = 0; i < s->n && used < size; i++) {
		int n;

		if ((mask & UINT32_C(1) << i) == 0)
			continue;
		n = snprintf(buf + used, size - used, "%s%s",
		    used > 0 ? ", " : "", s->m[i].name);
		used += n > 0 ? (size_t)n : 0;
	}
	return buf;
}

/* In tell.differed: nobody could tell when it began. */
#define UNCOUNTED UINT64_MAX

static void tell_observe(
    struct cluster *c, enum observe_kind k, bool differs, struct mono now)
{
	struct event e = begin(c, EVENT_OBSERVE);
	char text[SENTENCE], who[SENTENCE / 2];
	struct feed_observed sum;
	bool known = feed_observed(c->app->feed, c->index, &sum);
	uint64_t n = known ? sum.differs[k] : UNCOUNTED;

	e.from = differs ? "same" : "differs";
	e.to = differs ? "differs" : "same";
	e.why = (enum snap_why)c->snap.write_why;
	(void)names_of(
	    &c->snap, observe_classic(&c->snap, k), who, sizeof(who));
	if (differs)
		PRINT(text,
		    "the classic way sends %ss to %s, which is not "
		    "what is decided",
		    observe_kind_name(k), who);
	else if (!known || c->tell.differed[k] == UNCOUNTED)
		PRINT(text,
		    "the classic way does with %ss what is decided again, "
		    "after %" PRId64 " ms",
		    observe_kind_name(k),
		    dur_to_ms(mono_sub(now, c->tell.differs_at[k])));
	else
		PRINT(text,
		    "the classic way does with %ss what is decided "
		    "again, after %" PRId64 " ms and %" PRIu64
		    " connections that differed",
		    observe_kind_name(k),
		    dur_to_ms(mono_sub(now, c->tell.differs_at[k])),
		    n > c->tell.differed[k] ? n - c->tell.differed[k] : 0);
	c->tell.differs_at[k] = now;
	c->tell.differed[k] = n;
	log_info("change cluster=%s observe=%s classic=%s to=\"%s\"",
	    c->conf->name, observe_kind_name(k), e.to, who);
	say(c, &e, text);
}

void cluster_tell_observe(struct cluster *c, struct mono now)
{
	for (int k = 0; k < OBSERVE_KINDS; k++) {
		bool differs = c->snap.observe && !c->site.unknown &&
		    !is_observe_right(&c->snap, (enum observe_kind)k);

		if (differs == c->tell.differs[k] || !is_tell_allowed(c, now))
			continue;
		c->tell.differs[k] = differs;
		tell_observe(c, (enum observe_kind)k, differs, now);
	}
}
