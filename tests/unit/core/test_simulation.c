/*
 * test_simulation.c - a cluster's life from a seed, and what must never break.
 *
 * SEED= and N= (worlds of five minutes each, 60,000 steps; 40 of them take a
 * second) come from the environment. A
 * breach says which invariant, in which world and when, so that the same seed
 * shows it again.
 */
#include "sim.h"

#include <time.h>

#define WORLD_MS 300000
/* How old a word may be when it is acted upon: `silence`, and a question that
   was on its way for its whole deadline. */
#define HEARD_MS (2000 + TICK_DEADLINE_MS + 2 * SIM_STEP_MS)
/* That a replica follows no more is believed when the leader is heard again. */
#define FOLLOW_MS (HEARD_MS + 1000)
/* The watch tells of a key within this; without it, max_age binds. */
#define WATCH_MS 50
/* What is over its bound is borne for the grace of sim_init(). */
#define LAG_MS (FOLLOW_MS + SIM_GRACE_MS)
#define MAX_AGE_MS 3000

struct run {
	uint64_t seed;
	unsigned world;
	struct sim s;
	int64_t confirm_max, confirm_sum, fenced_last;
	uint64_t confirms, writes, reads;
};

static void breach(const struct run *r, const char *what, int member)
{
	const struct sim *s = &r->s;

	print_error("SEED=%llu world %u at %lld ms: %s: member %d; key %d, "
		    "write %d (%s, step %u), fault %d phase %d, dcs %d\n",
	    (unsigned long long)r->seed, r->world, (long long)s->now, what,
	    member, s->key, s->w.snap.write,
	    snap_why_name((enum snap_why)s->w.snap.write_why), s->w.v.step,
	    (int)s->fault, s->phase, !s->dcs_cut);
	for (int i = 0; i < s->n; i++) {
		const struct sim_member *m = &s->m[i];

		print_error("  %d up=%d host=%d patroni=%d primary=%d "
			    "streaming=%d cut=%d tli=%u read=%s\n",
		    i, m->up, m->host, m->patroni, m->primary, m->streaming,
		    m->cut, m->tli, snap_why_name(s->w.reads.why[i]));
	}
	fail();
}

static bool has_been(int64_t since, int64_t for_ms, int64_t now)
{
	return since != SIM_NEVER && now - since >= for_ms;
}

static bool is_watch_alive(const struct sim *s, int64_t for_ms)
{
	return s->now - s->dcs_cut_last > for_ms;
}

/* I1: the target held the key a moment ago. */
static void check_leader_only(const struct run *r, int w)
{
	const struct sim *s = &r->s;
	int64_t bound = is_watch_alive(s, MAX_AGE_MS + 1000)
	    ? WATCH_MS
	    : MAX_AGE_MS + TICK_DEADLINE_MS;

	if (s->now - s->m[w].key_last > bound)
		breach(r, "I1: the target does not hold the key", w);
}

/* I2: no former holder that is seen live is on a higher timeline. */
static void check_timeline(const struct run *r, int w)
{
	const struct sim *s = &r->s;

	if (s->w.v.step != 2 || !is_watch_alive(s, 30000))
		return;
	for (int i = 0; i < s->n; i++) {
		const struct sim_member *m = &s->m[i];

		if (i != w && m->tli > s->m[w].tli &&
		    s->now - m->key_last < 29900 &&
		    has_been(m->tli_since, HEARD_MS, s->now) &&
		    has_been(s->m[w].tli_since, HEARD_MS, s->now) &&
		    has_been(m->reached_since, HEARD_MS, s->now) &&
		    has_been(m->up_since, HEARD_MS, s->now))
			breach(r, "I2: a former holder is ahead", i);
	}
}

/* I4: the target was seen out of recovery, and was heard, a moment ago. */
static void check_no_guess(const struct run *r, int w)
{
	const struct sim *s = &r->s;

	if (s->now - s->m[w].primary_last > HEARD_MS)
		breach(r, "I4: the target is no primary", w);
	if (s->now - s->m[w].reached_last > HEARD_MS)
		breach(r, "I4: the target was not heard", w);
}

/* I14: while all is well nothing changes, whatever single probe is lost. */
static void check_calm(const struct run *r)
{
	const struct sim *s = &r->s;

	if (s->now - s->restless_last < 4000 || s->key == -1)
		return;
	if (s->w.snap.write != s->key)
		breach(r, "I14: no target while all is well", s->key);
	for (int i = 0; i < s->n; i++)
		if (i != s->key && (s->w.snap.m[i].flags & SNAP_F_READ) == 0)
			breach(r, "I14: no read while all is well", i);
}

/* A leader that can be confirmed is; by one source alone a lost probe is a
   gap. */
static void check_confirmed(const struct run *r)
{
	const struct sim *s = &r->s;
	const struct sim_member *k = s->key >= 0 ? &s->m[s->key] : NULL;

	if (k == NULL || s->w.snap.write == s->key)
		return;
	if (has_been(k->primary_since, HEARD_MS, s->now) &&
	    has_been(k->key_since, HEARD_MS, s->now) &&
	    has_been(k->spoken_since, HEARD_MS, s->now) && !k->stopping &&
	    is_watch_alive(s, HEARD_MS) && s->w.v.why != SNAP_WHY_FENCED)
		breach(r, "the leader is not the target", s->key);
}

/* A leader has been there, and was heard by us or its replicas, for more than
   follow_grace. */
static bool is_led_well(const struct run *r)
{
	const struct sim *s = &r->s;
	const struct sim_member *k = s->key >= 0 ? &s->m[s->key] : NULL;

	return k != NULL &&
	    has_been(k->primary_since, 10000 + HEARD_MS, s->now) &&
	    has_been(k->key_since, 10000 + HEARD_MS, s->now) &&
	    has_been(k->spoken_since, 10000 + HEARD_MS, s->now) &&
	    is_watch_alive(s, 10000 + HEARD_MS) &&
	    s->now - r->fenced_last >= 10000 + HEARD_MS;
}

/* I16: who may not be read from. */
static void check_unfit(const struct run *r, int i)
{
	const struct sim *s = &r->s;
	const struct sim_member *m = &s->m[i];

	if (i == s->key && has_been(m->key_since, WATCH_MS, s->now) &&
	    is_watch_alive(s, MAX_AGE_MS))
		breach(r, "I16: it took the key", i);
	if (has_been(m->primary_since, HEARD_MS, s->now) &&
	    has_been(m->reached_since, HEARD_MS, s->now))
		breach(r, "I16: it is out of recovery", i);
	if (s->now - m->reached_last > HEARD_MS)
		breach(r, "I16: it was not heard", i);
	if (is_led_well(r) && has_been(m->unfit_since, FOLLOW_MS, s->now))
		breach(r, "I16: it does not stream", i);
	if (is_led_well(r) && has_been(m->behind_since, LAG_MS, s->now))
		breach(r, "I16: it lags", i);
}

/*
 * What the design itself keeps from serving: who was only now learned of; with
 * the DCS out of reach its last word on the holder stands, and without a leader
 * the last word on who follows.
 */
static bool is_excused(const struct sim *s, int i)
{
	struct dur known = mono_sub(at(s->now), s->w.ev.m[i].since);

	return known.us < dur_ms(HEARD_MS).us ||
	    (i == s->w.ev.dcs.leader && !is_watch_alive(s, HEARD_MS)) ||
	    (s->w.ev.confirmed == -1 && s->w.reads.behind[i] != SNAP_WHY_NONE);
}

/* I16: a leader's death or move fails no read while a replica runs. */
static void check_reads(struct run *r)
{
	const struct intent read = {.want = INTENT_REPLICA,
	    .max_lag_bytes = UINT64_MAX,
	    .max_lag_ms = UINT32_MAX};
	struct sim *s = &r->s;
	struct decision d = route_decide(&s->w.snap, &read, &s->w.rr);

	r->reads += d.kind == ROUTE_TO;
	if (d.kind == ROUTE_TO &&
	    (d.action != ROUTE_ACT_READ || !s->w.reads.fit[d.member]))
		breach(r, "a read went to one that is not fit", d.member);
	for (int i = 0; i < s->n && d.kind != ROUTE_TO; i++)
		if (has_been(s->m[i].fit_since, HEARD_MS, s->now) &&
		    !is_excused(s, i))
			breach(r, "I16: a read fails, a replica runs", i);
}

/* The agents' own function follows the verdict and nothing else. */
static void check_write_route(struct run *r)
{
	const struct intent write = {.want = INTENT_PRIMARY,
	    .max_lag_bytes = UINT64_MAX,
	    .max_lag_ms = UINT32_MAX};
	struct sim *s = &r->s;
	struct decision d = route_decide(&s->w.snap, &write, &s->w.rr);

	r->writes += d.kind == ROUTE_TO;
	if (d.kind == ROUTE_TO &&
	    (d.member != s->w.snap.write || d.member != s->w.v.write))
		breach(r, "a write went elsewhere", d.member);
	if (d.kind == ROUTE_REFUSE)
		breach(r, "a write is refused that ought to wait", -1);
}

static void note_confirm(struct run *r, int was)
{
	const struct sim *s = &r->s;
	int w = s->w.snap.write;

	if (w < 0 || w == was || s->m[w].primary_since == SIM_NEVER)
		return;
	int64_t from = s->m[w].primary_since > s->m[w].key_since
	    ? s->m[w].primary_since
	    : s->m[w].key_since;

	/* Only those that nothing but the questions' pace held up. */
	if (s->m[w].reached_since > from || r->fenced_last >= from ||
	    !is_watch_alive(s, MAX_AGE_MS) || s->w.v.step != 2)
		return;
	r->confirms++;
	r->confirm_sum += s->now - from;
	if (s->now - from > r->confirm_max)
		r->confirm_max = s->now - from;
}

static void check(struct run *r)
{
	const struct sim *s = &r->s;
	int w = s->w.snap.write;

	if (s->w.v.why == SNAP_WHY_FENCED)
		r->fenced_last = s->now;
	if (w >= 0) {
		check_leader_only(r, w);
		check_timeline(r, w);
		check_no_guess(r, w);
	}
	check_calm(r);
	check_confirmed(r);
	for (int i = 0; i < s->w.snap.n; i++)
		if ((s->w.snap.m[i].flags & SNAP_F_READ) != 0)
			check_unfit(r, i);
	check_reads(r);
	check_write_route(r);
}

static unsigned worlds(void)
{
	const char *n = getenv("N");

	return n != NULL ? (unsigned)strtoul(n, NULL, 10) : 40;
}

static void nothing_breaks_in_any_world(void **state)
{
	struct run r = {.seed = unit_seed()};
	uint64_t faults[SIM_FAULT_N] = {0}, judged = 0, moves = 0, gaps = 0;
	uint64_t steps = 0;
	clock_t began = clock();
	double took;

	(void)state;
	for (r.world = 0; r.world < worlds(); r.world++) {
		sim_init(&r.s, r.seed + r.world);
		r.fenced_last = 0;
		while (r.s.now < WORLD_MS) {
			int was = r.s.w.snap.write;

			sim_step(&r.s);
			note_confirm(&r, was);
			/* Who stands still says nothing. */
			if (r.s.w.ev.n > 0 && r.s.now >= r.s.frozen_till)
				check(&r);
		}
		for (int f = 0; f < SIM_FAULT_N; f++)
			faults[f] += r.s.faults[f];
		judged += r.s.judged;
		moves += r.s.moves;
		gaps += r.s.gaps;
		steps += r.s.steps;
	}
	took = (double)(clock() - began) / CLOCKS_PER_SEC;
	print_message("%llu steps, %.0f million a minute; %llu times the "
		      "prober stood still\n",
	    (unsigned long long)steps, (double)steps * 60e-6 / took,
	    (unsigned long long)gaps);
	print_message("%u worlds, %llu verdicts, %llu moves of the key; "
		      "confirmed %llu times, after %lld ms, at most %lld\n",
	    r.world, (unsigned long long)judged, (unsigned long long)moves,
	    (unsigned long long)r.confirms,
	    r.confirms > 0 ? (long long)(r.confirm_sum / (int64_t)r.confirms)
			   : 0,
	    (long long)r.confirm_max);
	/* A simulation in which nothing happens shows nothing. */
	assert_true(r.writes > judged / 4 && r.reads > judged / 4);
	for (int f = 1; f < SIM_FAULT_N && r.world >= 10; f++)
		assert_true(faults[f] > 0);
	assert_true(r.world == 0 || r.confirms > 0);
	assert_true(r.world < 10 || gaps > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_breaks_in_any_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
