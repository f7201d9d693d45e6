/*
 * test_against.c - positive evidence, on which alone sessions are closed.
 */
#include "world.h"

static bool is_against(
    struct world *w, int member, struct mono t, enum snap_why why)
{
	enum snap_why found = SNAP_WHY_NONE;
	bool against = is_verdict_against(&w->ev, member, &w->pol, t, &found);

	assert_string_equal(snap_why_name(found), snap_why_name(why));
	assert_int_equal(against, why != SNAP_WHY_NONE);
	return against;
}

static void nothing_is_against_a_leader_that_is_well(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	assert_false(is_against(&w, A, at(0), SNAP_WHY_NONE));
	assert_true(is_against(&w, B, at(0), SNAP_WHY_TAKES_KEY));
}

static void key_that_names_another_is_against(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_key(&w, B, at(10));
	assert_true(is_against(&w, A, at(10), SNAP_WHY_TAKES_KEY));
	/* An old view proves nothing: the key may be A's again. */
	world_poll_sql(&w, A, at(3000));
	assert_false(is_against(&w, A, at(3010), SNAP_WHY_NONE));
}

static void absence_of_the_key_closes_nothing(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_key(&w, -1, at(10));
	assert_target(&w, at(10), -1, SNAP_WHY_NO_KEY);
	assert_false(is_against(&w, A, at(10), SNAP_WHY_NONE));
	world_key_name(&w, "stranger", at(20));
	assert_false(is_against(&w, A, at(20), SNAP_WHY_NONE));
	for (int64_t ms = 500; ms < 60000; ms += 500) {
		world_poll(&w, at(ms));
		assert_false(is_against(&w, A, at(ms), SNAP_WHY_NONE));
	}
}

static void recovery_is_against_if_asked_after_it_led(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].primary = false;
	world_sql(&w, A, at(10), at(12));
	assert_true(is_against(&w, A, at(12), SNAP_WHY_IN_RECOVERY));
	assert_false(is_against(&w, A, at(2012), SNAP_WHY_NONE));

	/* A slow answer from before the promotion. */
	world_settled(&w, 3, 0);
	world_key(&w, B, at(10));
	world_promote(&w, B);
	world_sql(&w, B, at(30), at(32));
	assert_int_equal(world_judge(&w, at(32)), B);
	w.peer[B].role = EV_ROLE_REPLICA;
	world_rest(&w, B, at(31), at(500));
	assert_false(is_against(&w, B, at(500), SNAP_WHY_NONE));
	world_rest(&w, B, at(600), at(605));
	assert_true(is_against(&w, B, at(605), SNAP_WHY_IN_RECOVERY));
}

static void refused_connection_is_against(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].sql = EV_RC_LOST;
	world_sql(&w, A, at(10), at(10));
	assert_false(is_against(&w, A, at(10), SNAP_WHY_NONE));
	w.peer[A].sql = EV_RC_REFUSED;
	world_sql(&w, A, at(11), at(12));
	assert_true(is_against(&w, A, at(12), SNAP_WHY_REFUSED));
}

/* Its own shutdown ends its sessions, or lets them finish, as was asked. */
static void stopping_is_not_against(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].sql = EV_RC_STOPPING;
	world_sql(&w, A, at(10), at(10));
	world_sql(&w, A, at(11), at(12));
	assert_target(&w, at(12), -1, SNAP_WHY_STOPPING);
	assert_false(is_against(&w, A, at(12), SNAP_WHY_NONE));
}

static void silent(struct world *w, int64_t from_ms, int64_t to_ms)
{
	for (int64_t ms = from_ms; ms < to_ms; ms += 1000) {
		world_sql(w, A, at(ms), at(ms + 800));
		world_rest(w, A, at(ms), at(ms + 800));
		ev_dcs_alive(&w->ev, at(ms + 800));
	}
}

static void silence_closes_at_its_own_bound(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].sql = w.peer[A].rest = EV_RC_TIMEOUT;
	silent(&w, 100, 10100);
	assert_target(&w, at(9900), -1, SNAP_WHY_SILENT);
	assert_false(is_against(&w, A, at(10099), SNAP_WHY_NONE));
	world_sql(&w, A, at(9950), at(10100));
	assert_false(is_against(&w, A, at(10100), SNAP_WHY_NONE));
	world_rest(&w, A, at(9950), at(10100));
	assert_true(is_against(&w, A, at(10100), SNAP_WHY_SILENT));
}

/* Our own SIGSTOP of a minute between two lost probes is no silence. */
static void silence_needs_a_listener(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].sql = w.peer[A].rest = EV_RC_TIMEOUT;
	silent(&w, 100, 1100);
	silent(&w, 60000, 62000);
	assert_false(is_against(&w, A, at(61900), SNAP_WHY_NONE));
	silent(&w, 62000, 71000);
	assert_true(is_against(&w, A, at(70900), SNAP_WHY_SILENT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_against_a_leader_that_is_well),
	    cmocka_unit_test(key_that_names_another_is_against),
	    cmocka_unit_test(absence_of_the_key_closes_nothing),
	    cmocka_unit_test(recovery_is_against_if_asked_after_it_led),
	    cmocka_unit_test(refused_connection_is_against),
	    cmocka_unit_test(stopping_is_not_against),
	    cmocka_unit_test(silence_closes_at_its_own_bound),
	    cmocka_unit_test(silence_needs_a_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
