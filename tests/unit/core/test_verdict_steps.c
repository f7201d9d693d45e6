/*
 * test_verdict_steps.c - the write verdict's other steps: the fence (3), no DCS
 * (4), standby cluster (5), an operator's orders (1), and what is beside the
 * target. Each test is one sentence of the design.
 */
#include "world.h"

/* A microsecond before, for the inner side of a bound. */
static struct mono just_before(struct mono t)
{
	return (struct mono){t.us - 1};
}

/* ---- step 3: the fence ------------------------------------------------ */

/* A was frozen, B leads on timeline 5, A thaws and takes the key back on 4. */
static void take_back(struct world *w, struct mono moved)
{
	world_settled(w, 3, 0);
	world_promote(w, B);
	world_key(w, B, at(1000));
	world_run(w, 1500, 5000);
	assert_int_equal(w->v.write, B);
	world_key(w, A, moved);
}

static void key_back_on_a_lower_timeline_is_fenced(void **state)
{
	struct world w;

	(void)state;
	take_back(&w, at(5100));
	world_poll(&w, at(5200));
	assert_target(&w, at(5200), -1, SNAP_WHY_FENCED);
	assert_int_equal(w.v.step, 3);
	/* Rewound: the fence is down, the key is followed. */
	w.peer[B].primary = false;
	w.peer[B].tli = 4;
	world_poll(&w, at(6000));
	assert_target(&w, at(6000), A, SNAP_WHY_LEADER);
}

static void fence_ends_at_its_bound(void **state)
{
	struct world w;

	(void)state;
	take_back(&w, at(5000));
	world_run(&w, 5500, 34900);
	world_poll(&w, at(34990));
	assert_target(&w, just_before(at(35000)), -1, SNAP_WHY_FENCED);
	assert_target(&w, at(35000), A, SNAP_WHY_LEADER);
}

static void same_timeline_is_no_fence(void **state)
{
	struct world w;

	(void)state;
	take_back(&w, at(5100));
	w.peer[A].tli = 5;
	world_poll(&w, at(5200));
	assert_target(&w, at(5200), A, SNAP_WHY_LEADER);
}

static void dead_or_foreign_former_holder_is_no_fence(void **state)
{
	struct world w;

	(void)state;
	take_back(&w, at(5100));
	w.peer[B].sql = w.peer[B].rest = EV_RC_TIMEOUT;
	world_run(&w, 5500, 6500);
	assert_target(&w, at(6500), -1, SNAP_WHY_FENCED);
	world_run(&w, 7000, 7500);
	assert_target(&w, at(7500), A, SNAP_WHY_LEADER);

	take_back(&w, at(5100));
	w.peer[B].sysid = 78;
	world_poll(&w, at(5200));
	assert_target(&w, at(5200), A, SNAP_WHY_LEADER);
	w.ev.m[B].sysid = 0;
	assert_target(&w, at(5200), -1, SNAP_WHY_FENCED);
}

static void stranger_on_a_higher_timeline_vetoes_nothing(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_promote(&w, C);
	w.peer[C].claims = true;
	world_run(&w, 500, 5000);
	assert_target(&w, at(5000), A, SNAP_WHY_LEADER);
	assert_read(&w, C, SNAP_WHY_DIVERGED);
	/* Nor does it when the key moves to another. */
	world_promote(&w, B);
	w.peer[B].tli = 5;
	w.peer[A].sql = w.peer[A].rest = EV_RC_REFUSED;
	w.peer[C].tli = 9;
	world_key(&w, B, at(5100));
	world_poll(&w, at(5200));
	assert_target(&w, at(5200), B, SNAP_WHY_LEADER);
}

static void fence_needs_a_move_of_the_key(void **state)
{
	struct world w;

	(void)state;
	/* At our start: B is ahead, nobody is known to have led before A. */
	world_init(&w, 3);
	world_key(&w, A, at(0));
	world_promote(&w, B);
	world_poll(&w, at(5));
	assert_target(&w, at(5), A, SNAP_WHY_LEADER);
}

static void history_names_a_former_holder_at_the_start(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	w.view.history_leader[0] = 'b';
	world_key(&w, A, at(0));
	world_promote(&w, B);
	world_poll(&w, at(5));
	assert_target(&w, at(5), -1, SNAP_WHY_FENCED);
	world_run(&w, 500, 30000);
	assert_target(&w, at(30000), A, SNAP_WHY_LEADER);
}

/* ---- step 4: no DCS --------------------------------------------------- */

/* The DCS was lost long ago; the members still answer. */
static void without_dcs(struct world *w)
{
	world_settled(w, 3, 0);
	w->peer[A].claims = true;
	for (int64_t ms = 500; ms <= 10000; ms += 500) {
		for (int i = 0; i < 3; i++) {
			world_poll_sql(w, i, at(ms));
			world_poll_rest(w, i, at(ms));
		}
		assert_int_equal(world_judge(w, at(ms)), A);
	}
}

static void one_claim_is_followed_without_the_dcs(void **state)
{
	struct world w;

	(void)state;
	without_dcs(&w);
	assert_target(&w, at(10000), A, SNAP_WHY_PRIMARY_200);
	assert_int_equal(w.v.step, 4);
}

static void claim_ages_out_at_its_bound(void **state)
{
	struct world w;

	(void)state;
	without_dcs(&w);
	world_poll_sql(&w, A, at(11990));
	assert_target(&w, just_before(at(12000)), A, SNAP_WHY_PRIMARY_200);
	assert_target(&w, at(12000), -1, SNAP_WHY_NO_KEY);
	assert_target(&w, at(14000), -1, SNAP_WHY_STALE);
}

static void two_claims_are_a_conflict(void **state)
{
	struct world w;

	(void)state;
	without_dcs(&w);
	w.peer[C].claims = true;
	world_poll_rest(&w, C, at(10100));
	assert_target(&w, at(10100), -1, SNAP_WHY_CONFLICT);
}

static void claim_that_sql_denies_is_a_conflict(void **state)
{
	struct world w;

	(void)state;
	without_dcs(&w);
	w.peer[A].primary = false;
	world_poll_sql(&w, A, at(10100));
	assert_target(&w, at(10100), -1, SNAP_WHY_CONFLICT);
	w.peer[A].sql = EV_RC_REFUSED;
	world_poll_sql(&w, A, at(10200));
	assert_target(&w, at(10200), -1, SNAP_WHY_REFUSED);
}

static void claim_that_sql_cannot_confirm_is_none(void **state)
{
	struct world w;

	(void)state;
	without_dcs(&w);
	w.peer[A].sql = EV_RC_TIMEOUT;
	for (int64_t ms = 10490; ms <= 11990; ms += 500) {
		world_poll_sql(&w, A, at(ms));
		world_poll_rest(&w, A, at(ms));
	}
	assert_target(&w, just_before(at(12000)), A, SNAP_WHY_PRIMARY_200);
	assert_target(&w, at(12000), -1, SNAP_WHY_UNCONFIRMED);
	/* Full: it lives, and REST says that it is out of recovery. */
	w.peer[A].sql = EV_RC_BUSY;
	world_poll_sql(&w, A, at(12010));
	assert_target(&w, at(12010), A, SNAP_WHY_PRIMARY_200);
}

static void no_dcs_configured_is_the_same(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	world_key(&w, -1, at(0));
	w.ev.dcs.configured = false;
	w.peer[A].claims = true;
	world_poll(&w, at(5));
	assert_target(&w, at(5), A, SNAP_WHY_PRIMARY_200);
	/* /primary is 200 during a promotion too: never proof by itself. */
	w.ev.sql_configured = false;
	w.peer[A].primary = false;
	world_poll(&w, at(10));
	assert_target(&w, at(10), -1, SNAP_WHY_CONFLICT);
}

static void pause_without_a_key_is_the_same(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].claims = true;
	world_key(&w, -1, at(10));
	world_poll(&w, at(15));
	assert_target(&w, at(15), -1, SNAP_WHY_NO_KEY);
	w.view.pause = true;
	world_key(&w, -1, at(20));
	assert_target(&w, at(20), A, SNAP_WHY_PRIMARY_200);
	w.peer[A].claims = false;
	world_poll(&w, at(25));
	assert_target(&w, at(25), -1, SNAP_WHY_NO_KEY);
}

/* ---- steps 1 and 5, and what is beside the target --------------------- */

static void standby_cluster_takes_no_writes(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	w.view.standby_cluster = true;
	w.peer[A].primary = false;
	w.peer[A].role = EV_ROLE_STANDBY_LEADER;
	world_key(&w, A, at(0));
	world_poll(&w, at(5));
	assert_target(&w, at(5), -1, SNAP_WHY_STANDBY_CLUSTER);
	assert_int_equal(w.v.step, 5);
	assert_read(&w, A, SNAP_WHY_REPLICA);
	assert_int_equal(w.snap.m[A].role, SNAP_ROLE_STANDBY_LEADER);
}

/* etcd is configured and was out of reach from the start. */
static void standby_cluster_is_known_by_patroni_too(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	ev_put_roster(&w.ev, &w.view, at(0));
	w.peer[A].primary = false;
	w.peer[A].role = EV_ROLE_STANDBY_LEADER;
	world_poll_rest(&w, A, at(5));
	assert_target(&w, at(5), -1, SNAP_WHY_NO_KEY);
	w.ev.m[A].rest.standby_cluster = true;
	assert_target(&w, at(5), -1, SNAP_WHY_STANDBY_CLUSTER);
	/* What the DCS says stands above it. */
	world_key(&w, -1, at(6));
	assert_target(&w, at(6), -1, SNAP_WHY_NO_KEY);
}

static void hold_stands_over_force_over_the_key(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_promote(&w, B);
	world_poll(&w, at(5));
	w.ev.force = B;
	assert_target(&w, at(5), B, SNAP_WHY_FORCED);
	assert_int_equal(w.v.step, 1);
	w.ev.hold = true;
	assert_target(&w, at(5), -1, SNAP_WHY_HELD);
}

/* What leads is not known by it: lag binds, and nothing is in transition. */
static void hold_is_no_transition(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	assert_target(&w, at(5), A, SNAP_WHY_LEADER);
	w.ev.hold = true;
	assert_target(&w, at(6), -1, SNAP_WHY_HELD);
	assert_int_equal(w.ev.confirmed, A);
	assert_false(is_ev_transition(&w.ev, at(6)));
	/* The key's move is one, hold or not. */
	world_key(&w, B, at(7));
	assert_target(&w, at(7), -1, SNAP_WHY_HELD);
	assert_int_equal(w.ev.confirmed, -1);
	assert_true(is_ev_transition(&w.ev, at(7)));
}

static void force_to_a_stranger_names_nobody(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.ev.force = EV_FORCE_UNKNOWN;
	assert_target(&w, at(5), -1, SNAP_WHY_UNKNOWN_MEMBER);
	assert_int_equal(w.v.step, 1);
}

static void force_never_names_one_in_recovery(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.ev.force = B;
	assert_target(&w, at(5), -1, SNAP_WHY_IN_RECOVERY);
	w.ev.force = A;
	assert_target(&w, at(2000), -1, SNAP_WHY_SILENT);
}

static void failover_key_lets_wait_for_early_hold_only(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.pol.early_hold = dur_ms(500);
	w.view.has_failover = w.view.failover_scheduled = true;
	world_key(&w, A, at(10));
	assert_target(&w, at(10), A, SNAP_WHY_LEADER);
	assert_false(w.v.planned);
	w.view.failover_scheduled = false;
	world_key(&w, A, at(100));
	assert_target(&w, at(100), A, SNAP_WHY_LEADER);
	assert_true(w.v.planned);
	assert_true(is_ev_transition(&w.ev, at(100)));
	assert_target(&w, just_before(at(600)), A, SNAP_WHY_LEADER);
	assert_true(w.v.planned);
	assert_target(&w, at(600), A, SNAP_WHY_LEADER);
	assert_false(w.v.planned);
	/* The CHECKPOINT is over; Patroni says so before the signal. */
	w.peer[A].state = EV_STATE_STOPPING;
	world_rest(&w, A, at(700), at(705));
	assert_target(&w, at(705), A, SNAP_WHY_LEADER);
	assert_true(w.v.planned);
}

static void oldest_is_the_age_it_rests_on(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	assert_target(&w, at(400), A, SNAP_WHY_LEADER);
	assert_int_equal(dur_to_ms(w.v.oldest), 400);
	world_poll_sql(&w, A, at(900));
	assert_target(&w, at(1000), A, SNAP_WHY_LEADER);
	assert_int_equal(dur_to_ms(w.v.oldest), 1000);
	ev_dcs_alive(&w.ev, at(950));
	assert_target(&w, at(1000), A, SNAP_WHY_LEADER);
	assert_int_equal(dur_to_ms(w.v.oldest), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(key_back_on_a_lower_timeline_is_fenced),
	    cmocka_unit_test(fence_ends_at_its_bound),
	    cmocka_unit_test(same_timeline_is_no_fence),
	    cmocka_unit_test(dead_or_foreign_former_holder_is_no_fence),
	    cmocka_unit_test(stranger_on_a_higher_timeline_vetoes_nothing),
	    cmocka_unit_test(fence_needs_a_move_of_the_key),
	    cmocka_unit_test(history_names_a_former_holder_at_the_start),
	    cmocka_unit_test(one_claim_is_followed_without_the_dcs),
	    cmocka_unit_test(claim_ages_out_at_its_bound),
	    cmocka_unit_test(two_claims_are_a_conflict),
	    cmocka_unit_test(claim_that_sql_denies_is_a_conflict),
	    cmocka_unit_test(claim_that_sql_cannot_confirm_is_none),
	    cmocka_unit_test(no_dcs_configured_is_the_same),
	    cmocka_unit_test(pause_without_a_key_is_the_same),
	    cmocka_unit_test(standby_cluster_takes_no_writes),
	    cmocka_unit_test(standby_cluster_is_known_by_patroni_too),
	    cmocka_unit_test(hold_stands_over_force_over_the_key),
	    cmocka_unit_test(hold_is_no_transition),
	    cmocka_unit_test(force_to_a_stranger_names_nobody),
	    cmocka_unit_test(force_never_names_one_in_recovery),
	    cmocka_unit_test(failover_key_lets_wait_for_early_hold_only),
	    cmocka_unit_test(oldest_is_the_age_it_rests_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
