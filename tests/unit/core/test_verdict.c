/*
 * test_verdict.c - the write verdict by the key: step 2, and what evidence is.
 *
 * Each test is one sentence of the design; its name is what a mutant of that
 * sentence must be caught by.
 */
#include "world.h"

/* A microsecond before, for the inner side of a bound. */
static struct mono just_before(struct mono t)
{
	return (struct mono){t.us - 1};
}

/* ---- step 2: the key, and seen out of recovery since ------------------ */

static void holder_seen_out_of_recovery_is_target(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	world_key(&w, A, at(0));
	world_poll(&w, at(5));
	assert_target(&w, at(5), A, SNAP_WHY_LEADER);
	assert_int_equal(w.v.step, 2);
	assert_false(w.v.planned);
}

static void nothing_known_is_no_target(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 0);
	assert_target(&w, at(0), -1, SNAP_WHY_NONE);
	world_init(&w, 3);
	world_key(&w, A, at(0));
	assert_target(&w, at(0), -1, SNAP_WHY_UNCONFIRMED);
	assert_int_equal(w.v.step, 6);
}

static void place_without_members_is_no_verdict(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 0);
	world_key(&w, -1, at(0));
	assert_target(&w, at(5), -1, SNAP_WHY_NONE);
	w.ev.dcs.pause = true;
	assert_target(&w, at(5), -1, SNAP_WHY_NONE);
	w.ev.dcs.pause = false;
	world_settled(&w, 3, 0);
	w.view.n = 0;
	world_key(&w, -1, at(10));
	assert_target(&w, at(10), -1, SNAP_WHY_NO_KEY);
	world_key(&w, -1, just_before(at(10 + EV_LEFT_GRACE_MS)));
	assert_target(
	    &w, just_before(at(10 + EV_LEFT_GRACE_MS)), -1, SNAP_WHY_NO_KEY);
	world_key(&w, -1, at(10 + EV_LEFT_GRACE_MS));
	assert_target(&w, at(10 + EV_LEFT_GRACE_MS), -1, SNAP_WHY_NONE);
}

static void first_member_is_no_default(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	world_key(&w, -1, at(0));
	world_poll(&w, at(5));
	assert_target(&w, at(5), -1, SNAP_WHY_NO_KEY);
	world_promote(&w, B);
	world_key(&w, B, at(10));
	world_poll(&w, at(15));
	assert_target(&w, at(15), B, SNAP_WHY_LEADER);
}

static void key_that_names_nobody_is_no_target(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_key_name(&w, "stranger", at(1));
	world_poll(&w, at(5));
	assert_target(&w, at(5), -1, SNAP_WHY_UNKNOWN_MEMBER);
	world_key_name(&w, "", at(10));
	assert_target(&w, at(10), -1, SNAP_WHY_UNKNOWN_MEMBER);
}

static void answer_asked_before_the_move_confirms_nothing(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_promote(&w, B);
	world_sql(&w, B, at(5), at(12));
	world_key(&w, B, at(10));
	assert_target(&w, at(12), -1, SNAP_WHY_UNCONFIRMED);
	world_sql(&w, B, at(13), at(14));
	assert_target(&w, at(14), B, SNAP_WHY_LEADER);
}

static void answer_asked_as_the_key_moved_confirms(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_promote(&w, B);
	world_key(&w, B, at(10));
	world_sql(&w, B, just_before(at(10)), at(11));
	assert_target(&w, at(11), -1, SNAP_WHY_UNCONFIRMED);
	world_sql(&w, B, at(10), at(11));
	assert_target(&w, at(11), B, SNAP_WHY_LEADER);
}

static void holder_in_recovery_is_no_target(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_key(&w, B, at(10));
	world_poll(&w, at(15));
	assert_target(&w, at(15), -1, SNAP_WHY_IN_RECOVERY);
}

static void renewed_key_is_no_move(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_key(&w, A, at(10));
	assert_target(&w, at(10), A, SNAP_WHY_LEADER);
	assert_false(is_ev_transition(&w.ev, at(10)));
}

static void key_lost_and_taken_again_is_confirmed_anew(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_key(&w, -1, at(10));
	assert_target(&w, at(10), -1, SNAP_WHY_NO_KEY);
	world_key(&w, A, at(20));
	assert_target(&w, at(20), -1, SNAP_WHY_UNCONFIRMED);
	world_poll_sql(&w, A, at(25));
	assert_target(&w, at(25), A, SNAP_WHY_LEADER);
}

static void member_learned_after_its_key_is_target(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 2);
	w.view.n = 1;
	world_key_name(&w, "b", at(0));
	assert_target(&w, at(0), -1, SNAP_WHY_UNKNOWN_MEMBER);
	w.view.n = 2;
	world_promote(&w, B);
	world_key_name(&w, "b", at(10));
	world_poll(&w, at(15));
	assert_target(&w, at(15), B, SNAP_WHY_LEADER);
}

/* ---- a lost probe is a question --------------------------------------- */

static void lost_probe_changes_nothing(void **state)
{
	static const enum ev_rc once[] = {
	    EV_RC_LOST, EV_RC_TIMEOUT, EV_RC_LOCAL, EV_RC_PARSE, EV_RC_LIMIT};

	(void)state;
	for (size_t i = 0; i < COUNT(once); i++) {
		struct world w;

		world_settled(&w, 3, 0);
		w.peer[A].sql = once[i];
		world_sql(&w, A, at(1000), at(1800));
		assert_target(&w, at(1800), A, SNAP_WHY_LEADER);
		w.peer[A].sql = EV_RC_OK;
		world_sql(&w, A, at(1820), at(1825));
		assert_target(&w, at(1825), A, SNAP_WHY_LEADER);
		assert_int_equal(
		    dur_to_ms(mono_sub(at(0), w.ev.written_at)), 19500);
	}
}

static void terminated_backend_changes_nothing_but_lets_wait(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].sql = EV_RC_STOPPING;
	world_sql(&w, A, at(10), at(10));
	assert_target(&w, at(10), A, SNAP_WHY_LEADER);
	assert_true(w.v.planned);
	w.peer[A].sql = EV_RC_OK;
	world_sql(&w, A, at(11), at(14));
	assert_target(&w, at(14), A, SNAP_WHY_LEADER);
	assert_false(w.v.planned);
}

static void shutdown_ends_the_route_when_said_again(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].sql = EV_RC_STOPPING;
	world_sql(&w, A, at(10), at(10));
	world_sql(&w, A, at(11), at(14));
	assert_target(&w, at(14), -1, SNAP_WHY_STOPPING);
	assert_true(w.v.planned);
}

static void refusal_ends_the_route_at_once(void **state)
{
	static const struct {
		enum ev_rc rc;
		enum snap_why why;
	} denials[] = {{EV_RC_REFUSED, SNAP_WHY_REFUSED},
	    {EV_RC_STARTING, SNAP_WHY_REFUSED}};

	(void)state;
	for (size_t i = 0; i < COUNT(denials); i++) {
		struct world w;

		world_settled(&w, 3, 0);
		w.peer[A].sql = denials[i].rc;
		world_sql(&w, A, at(10), at(11));
		assert_target(&w, at(11), -1, denials[i].why);
		/* Neither silence nor REST takes the denial back. */
		w.peer[A].sql = EV_RC_TIMEOUT;
		world_sql(&w, A, at(12), at(20));
		world_rest(&w, A, at(12), at(20));
		assert_target(&w, at(20), -1, denials[i].why);
	}
}

static void denial_outlives_answers_asked_before_it(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].sql = EV_RC_REFUSED;
	world_sql(&w, A, at(10), at(12));
	/* Full again: it lives, but is not seen out of recovery since. */
	w.peer[A].sql = EV_RC_BUSY;
	world_sql(&w, A, at(13), at(14));
	assert_target(&w, at(14), -1, SNAP_WHY_UNCONFIRMED);
	world_rest(&w, A, at(11), at(15));
	assert_target(&w, at(15), -1, SNAP_WHY_UNCONFIRMED);
	world_rest(&w, A, at(16), at(17));
	assert_target(&w, at(17), A, SNAP_WHY_LEADER);
}

static void silence_ends_the_route_at_its_bound(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	ev_dcs_alive(&w.ev, at(1999));
	assert_target(&w, just_before(at(2000)), A, SNAP_WHY_LEADER);
	assert_target(&w, at(2000), -1, SNAP_WHY_SILENT);
}

static void silence_counts_only_on_both(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].sql = EV_RC_TIMEOUT;
	world_run(&w, 500, 30000);
	assert_target(&w, at(30000), A, SNAP_WHY_LEADER);
	w.peer[A].sql = EV_RC_OK;
	w.peer[A].rest = EV_RC_TIMEOUT;
	world_run(&w, 30500, 60000);
	assert_target(&w, at(60000), A, SNAP_WHY_LEADER);
	w.peer[A].sql = EV_RC_TIMEOUT;
	world_run(&w, 60500, 62000);
	assert_target(&w, at(62000), -1, SNAP_WHY_SILENT);
}

/* Patroni lives, but cannot ask its PostgreSQL: neither can we. */
static void sign_of_patronis_life_is_none_of_postgresqls(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].sql = EV_RC_TIMEOUT;
	w.peer[A].state = EV_STATE_NONE;
	w.peer[A].lsn = 0;
	world_run(&w, 500, 1500);
	assert_target(&w, at(1500), A, SNAP_WHY_LEADER);
	world_run(&w, 2000, 2500);
	assert_target(&w, at(2500), -1, SNAP_WHY_SILENT);
	/* Nor is an old answer revived by Patroni's word that it is down. */
	w.peer[A].state = EV_STATE_CRASHED;
	world_run(&w, 3000, 3500);
	assert_target(&w, at(3500), -1, SNAP_WHY_REFUSED);
	w.peer[A].state = EV_STATE_RUNNING;
	world_run(&w, 4000, 4000);
	assert_target(&w, at(4000), A, SNAP_WHY_LEADER);
}

static void full_or_closed_server_keeps_its_route(void **state)
{
	static const enum ev_rc alive[] = {EV_RC_BUSY, EV_RC_AUTH, EV_RC_TLS};

	(void)state;
	for (size_t i = 0; i < COUNT(alive); i++) {
		struct world w;

		world_settled(&w, 3, 0);
		w.peer[A].sql = alive[i];
		world_run(&w, 500, 20000);
		assert_target(&w, at(20000), A, SNAP_WHY_LEADER);
		/* REST is all there is, and it says otherwise. */
		w.peer[A].primary = false;
		world_poll(&w, at(20500));
		assert_target(&w, at(20500), -1, SNAP_WHY_IN_RECOVERY);
	}
}

static void rest_confirms_only_where_sql_cannot(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[B].sql = EV_RC_TIMEOUT;
	world_promote(&w, B);
	world_key(&w, B, at(10));
	world_rest(&w, B, at(20), at(30));
	assert_target(&w, at(30), -1, SNAP_WHY_UNCONFIRMED);
	w.peer[B].sql = EV_RC_BUSY;
	world_sql(&w, B, at(40), at(50));
	assert_target(&w, at(50), B, SNAP_WHY_LEADER);
}

static void without_sql_rest_stands_in(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	w.ev.sql_configured = false;
	world_key(&w, A, at(0));
	world_rest(&w, A, at(0), at(10));
	assert_target(&w, at(10), A, SNAP_WHY_LEADER);
	/* Patroni cannot ask its PostgreSQL: nothing is known, nothing lost. */
	w.peer[A].state = EV_STATE_NONE;
	w.peer[A].lsn = 0;
	world_rest(&w, A, at(1000), at(1010));
	assert_target(&w, at(1010), A, SNAP_WHY_LEADER);
	w.peer[A].state = EV_STATE_CRASHED;
	world_rest(&w, A, at(1500), at(1510));
	assert_target(&w, at(1510), -1, SNAP_WHY_REFUSED);
	w.peer[A].state = EV_STATE_STARTING;
	world_rest(&w, A, at(1600), at(1610));
	assert_target(&w, at(1610), -1, SNAP_WHY_REFUSED);
	w.peer[A].state = EV_STATE_RUNNING;
	w.peer[A].role = EV_ROLE_DEMOTED;
	world_rest(&w, A, at(1700), at(1710));
	assert_target(&w, at(1710), -1, SNAP_WHY_STOPPING);
}

static void rest_that_contradicts_sql_is_a_conflict(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].role = EV_ROLE_REPLICA;
	world_poll(&w, at(500));
	assert_target(&w, at(500), -1, SNAP_WHY_CONFLICT);
	world_poll_sql(&w, A, at(1000));
	assert_target(&w, at(1000), -1, SNAP_WHY_CONFLICT);
}

static void rest_asked_before_the_promotion_is_no_conflict(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_key(&w, B, at(10));
	world_promote(&w, B);
	world_sql(&w, B, at(30), at(32));
	w.peer[B].role = EV_ROLE_REPLICA;
	world_rest(&w, B, at(20), at(900));
	assert_target(&w, at(900), B, SNAP_WHY_LEADER);
}

static void dcs_age_binds_at_its_bound(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_poll_sql(&w, A, at(2900));
	assert_target(&w, just_before(at(3000)), A, SNAP_WHY_LEADER);
	assert_target(&w, at(3000), -1, SNAP_WHY_NO_KEY);
	ev_dcs_alive(&w.ev, at(3010));
	assert_target(&w, at(3010), A, SNAP_WHY_LEADER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(holder_seen_out_of_recovery_is_target),
	    cmocka_unit_test(nothing_known_is_no_target),
	    cmocka_unit_test(place_without_members_is_no_verdict),
	    cmocka_unit_test(first_member_is_no_default),
	    cmocka_unit_test(key_that_names_nobody_is_no_target),
	    cmocka_unit_test(answer_asked_before_the_move_confirms_nothing),
	    cmocka_unit_test(answer_asked_as_the_key_moved_confirms),
	    cmocka_unit_test(holder_in_recovery_is_no_target),
	    cmocka_unit_test(renewed_key_is_no_move),
	    cmocka_unit_test(key_lost_and_taken_again_is_confirmed_anew),
	    cmocka_unit_test(member_learned_after_its_key_is_target),
	    cmocka_unit_test(lost_probe_changes_nothing),
	    cmocka_unit_test(terminated_backend_changes_nothing_but_lets_wait),
	    cmocka_unit_test(shutdown_ends_the_route_when_said_again),
	    cmocka_unit_test(refusal_ends_the_route_at_once),
	    cmocka_unit_test(denial_outlives_answers_asked_before_it),
	    cmocka_unit_test(silence_ends_the_route_at_its_bound),
	    cmocka_unit_test(silence_counts_only_on_both),
	    cmocka_unit_test(sign_of_patronis_life_is_none_of_postgresqls),
	    cmocka_unit_test(full_or_closed_server_keeps_its_route),
	    cmocka_unit_test(rest_confirms_only_where_sql_cannot),
	    cmocka_unit_test(without_sql_rest_stands_in),
	    cmocka_unit_test(rest_that_contradicts_sql_is_a_conflict),
	    cmocka_unit_test(rest_asked_before_the_promotion_is_no_conflict),
	    cmocka_unit_test(dcs_age_binds_at_its_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
