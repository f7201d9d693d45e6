/*
 * report.c - see report.h. Called by reports.c after each judgement.
 */
#include "report.h"

#include <assert.h>
#include <string.h>

#include "slice.h"

#define BACK_MS 2000   /* so long the leader again: it was no change */
#define SETTLE_MS 2500 /* agents' counters come once a second */
#define WAIT_MS 20000

static bool is_same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static bool has_sign(const struct report_watch *w, const struct report_now *n)
{
	if (n->ordered)
		return false;
	return n->planned || n->target == NULL ||
	    !is_same(n->target, w->from) ||
	    (n->key != NULL && !is_same(n->key, w->from));
}

bool is_report_due(const struct report_watch *w, const struct report_now *n)
{
	assert(w != NULL && n != NULL);
	return w->under_way || (w->from[0] != '\0' && has_sign(w, n));
}

static void remember(struct report_watch *w, const struct report_now *n)
{
	if (n->target == NULL || n->ordered)
		return;
	(void)slice_copy(slice_str(n->target), w->from, sizeof(w->from));
	w->from_tli = n->tli;
}

static void begin(struct report_watch *w, const struct report_now *n)
{
	struct report_watch fresh = {.under_way = true,
	    .from_tli = w->from_tli,
	    .began = n->now,
	    .last = n->now,
	    .base = n->count};

	memcpy(fresh.from, w->from, sizeof(fresh.from));
	*w = fresh;
}

static void add_classic(struct report_watch *w, const struct report_now *n)
{
	int64_t us = mono_sub(n->now, w->last).us;

	w->last = n->now;
	if (!n->classic.known)
		return;
	w->classic_known = true;
	if (n->classic.nobody)
		w->nobody_us += us;
	else if (!n->classic.right)
		w->wrong_us += us;
	if (n->classic.reads)
		w->reads_us += us;
	if (n->classic.right && is_mono_set(w->routed_at) &&
	    !is_mono_set(w->classic_at))
		w->classic_at = n->now;
}

static void note_target(struct report_watch *w, const struct report_now *n)
{
	if (n->target == NULL || is_same(n->target, w->from) ||
	    is_same(n->target, w->to))
		return;
	(void)slice_copy(slice_str(n->target), w->to, sizeof(w->to));
	w->to_tli = n->tli;
	w->routed_at = n->now;
	w->writable_at = n->writable;
	if (is_mono_before(w->writable_at, w->began))
		w->writable_at = w->began;
	if (is_mono_before(n->now, w->writable_at))
		w->writable_at = n->now;
	w->routed_base = n->count.routed;
	w->seen_at = w->first_at = w->classic_at = (struct mono){0};
}

static void note_rest(struct report_watch *w, const struct report_now *n)
{
	w->planned = w->planned || (n->planned && !is_mono_set(w->routed_at));
	if (!is_mono_set(w->key_at) && n->key != NULL &&
	    !is_same(n->key, w->from))
		w->key_at = n->now;
	if (!is_mono_set(w->routed_at))
		return;
	if (n->tli > w->to_tli)
		w->to_tli = n->tli;
	if (!is_mono_set(w->seen_at) && n->seen &&
	    is_mono_before(w->routed_at, n->now))
		w->seen_at = n->now;
	if (!is_mono_set(w->first_at) && n->count.routed > w->routed_base)
		w->first_at = n->now;
}

/* The former leader leads on. */
static bool is_over_nothing(struct report_watch *w, const struct report_now *n)
{
	if (is_mono_set(w->routed_at) || !is_same(n->target, w->from) ||
	    n->planned) {
		w->back_at = (struct mono){0};
		return false;
	}
	if (!is_mono_set(w->back_at))
		w->back_at = n->now;
	return mono_sub(n->now, w->back_at).us >= dur_ms(BACK_MS).us;
}

static bool is_whole(const struct report_watch *w, struct mono now)
{
	int64_t us;

	if (!is_mono_set(w->routed_at))
		return false;
	us = mono_sub(now, w->routed_at).us;
	if (us >= dur_ms(WAIT_MS).us)
		return true;
	return us >= dur_ms(SETTLE_MS).us && is_mono_set(w->seen_at) &&
	    is_mono_set(w->first_at) &&
	    (!w->classic_known || is_mono_set(w->classic_at));
}

static int64_t ms_of(const struct report_watch *w, struct mono t)
{
	return is_mono_set(t) ? dur_to_ms(mono_sub(t, w->began))
			      : REPORT_UNKNOWN;
}

static int64_t more(uint64_t now, uint64_t before)
{
	return now > before ? (int64_t)(now - before) : 0;
}

static void fill(const struct report_watch *w, const struct report_now *n,
    struct report *out)
{
	*out = (struct report){.from_tli = w->from_tli,
	    .to_tli = w->to_tli,
	    .planned = w->planned,
	    .key_ms = ms_of(w, w->key_at),
	    .writable_ms = ms_of(w, w->writable_at),
	    .routed_ms = ms_of(w, w->routed_at),
	    .seen_ms = ms_of(w, w->seen_at),
	    .first_ms = ms_of(w, w->first_at),
	    .held = more(n->count.held, w->base.held),
	    .refused = more(n->count.refused, w->base.refused),
	    .sessions = w->base.has_sessions ? (int64_t)w->base.sessions
					     : REPORT_UNKNOWN,
	    .classic_known = w->classic_known,
	    .classic_right_ms = ms_of(w, w->classic_at),
	    .classic_wrong_ms = w->wrong_us / 1000,
	    .classic_nobody_ms = w->nobody_us / 1000,
	    .classic_reads_ms = w->reads_us / 1000};
	out->longest_ms = out->held > 0 ? n->count.longest_ms : 0;
	memcpy(out->from, w->from, sizeof(out->from));
	memcpy(out->to, w->to, sizeof(out->to));
}

static void end(struct report_watch *w)
{
	struct report_watch fresh = {.from_tli = w->to_tli};

	memcpy(fresh.from, w->to, sizeof(fresh.from));
	*w = fresh;
}

bool report_step(
    struct report_watch *w, const struct report_now *n, struct report *out)
{
	assert(w != NULL && n != NULL && out != NULL && is_mono_set(n->now));
	if (!is_report_due(w, n)) {
		remember(w, n);
		return false;
	}
	if (!w->under_way)
		begin(w, n);
	add_classic(w, n);
	note_target(w, n);
	note_rest(w, n);
	if (is_over_nothing(w, n)) {
		w->under_way = false;
		return false;
	}
	if (!is_whole(w, n->now))
		return false;
	fill(w, n, out);
	end(w);
	return true;
}
