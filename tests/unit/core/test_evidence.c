/*
 * test_evidence.c - the sink: order, indices, transitions.
 */
#include "world.h"

#include "word.h"

static bool put(struct world *w, int m, int64_t asked, int64_t t, enum ev_rc rc)
{
	const struct ev_item item = {.src = EV_SQL,
	    .member = (uint8_t)m,
	    .asked = at(asked),
	    .at = at(t),
	    .rc = rc};

	return ev_put(&w->ev, &item);
}

static void older_answers_are_ignored(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 2, 0);
	assert_true(put(&w, A, 10, 20, EV_RC_BUSY));
	assert_false(put(&w, A, 9, 30, EV_RC_REFUSED));
	assert_int_equal(w.ev.m[A].sql_slot.rc, EV_RC_BUSY);
	assert_true(put(&w, A, 10, 30, EV_RC_REFUSED));
}

static void our_own_exhaustion_says_nothing(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 2, 0);
	assert_false(put(&w, A, 10, 20, EV_RC_LOCAL));
	assert_int_equal(w.ev.m[A].sql_slot.rc, EV_RC_OK);
	assert_true(w.ev.m[A].sql_slot.at.us < at(10).us);
}

static void members_keep_their_index(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	world_key(&w, A, at(0));
	/* a goes, the view closes up; then it comes back. */
	w.view.m[0] = w.view.m[2];
	w.view.n = 2;
	world_key_name(&w, "b", at(10));
	assert_int_equal(ev_find(&w.ev, "a"), A);
	assert_int_equal(ev_find(&w.ev, "b"), B);
	assert_int_equal(ev_find(&w.ev, "c"), C);
	assert_true(is_mono_set(w.ev.m[A].left_at));
	assert_true(is_ev_member(&w.ev, A, at(10)));
	assert_false(is_ev_member(&w.ev, A, at(30010)));
	w.view.n = 3;
	memset(&w.view.m[2], 0, sizeof(w.view.m[2]));
	w.view.m[2].name[0] = 'a';
	world_key_name(&w, "b", at(30020));
	assert_int_equal(w.ev.n, 3);
	assert_true(is_ev_member(&w.ev, A, at(30020)));
}

static void slot_is_reused_only_when_none_is_free(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	w.view.n = LIM_MEMBERS;
	for (int i = 0; i < LIM_MEMBERS; i++)
		(void)snprintf(w.view.m[i].name, LIM_NAME, "m%d", i);
	world_key_name(&w, "m0", at(0));
	assert_int_equal(w.ev.n, LIM_MEMBERS);
	/* No room for another; then m7 leaves and its slot is taken over. */
	(void)snprintf(w.view.m[7].name, LIM_NAME, "new");
	world_key_name(&w, "m0", at(10));
	assert_int_equal(ev_find(&w.ev, "new"), 7);
	assert_int_equal(ev_find(&w.ev, "m7"), -1);
	/* What was asked of m7 says nothing of the new one. */
	assert_false(put(&w, 7, 9, 20, EV_RC_OK));
	/* The holder of the key keeps its slot even without a member key. */
	(void)snprintf(w.view.m[0].name, LIM_NAME, "newer");
	world_key_name(&w, "m0", at(30));
	assert_int_equal(ev_find(&w.ev, "newer"), -1);
	assert_int_equal(ev_find(&w.ev, "m0"), 0);
}

static void who_takes_a_slot_over_inherits_nothing(void **state)
{
	struct world w;
	enum snap_why why;

	(void)state;
	world_init(&w, LIM_MEMBERS);
	for (int i = 0; i < LIM_MEMBERS; i++)
		(void)snprintf(w.view.m[i].name, LIM_NAME, "m%d", i);
	/* m7 leads, then a replica that lags; its sessions were closed. */
	w.peer[7].primary = true;
	world_key_name(&w, "m7", at(0));
	world_run(&w, 10, 510);
	assert_int_equal(w.v.write, 7);
	w.peer[7].primary = false;
	w.peer[0].lsn += 1 << 30;
	world_key_name(&w, "m0", at(600));
	world_run(&w, 1000, 15000);
	assert_true(is_verdict_against(&w.ev, 7, &w.pol, at(15000), &why));
	assert_read(&w, 7, SNAP_WHY_LAG_BYTES);
	(void)snprintf(w.view.m[7].name, LIM_NAME, "new");
	world_key_name(&w, "m0", at(15100));
	(void)world_judge(&w, at(15100));
	assert_int_equal(ev_find(&w.ev, "new"), 7);
	assert_read(&w, 7, SNAP_WHY_NONE);
	assert_false(is_ev_live(&w.ev, 7, &w.pol, at(15100)));
	assert_false(is_mono_set(w.ev.m[7].held_key_until));
	assert_int_equal(word_tli(&w.ev.m[7]), 0);
	/* Only that the key names another is against it, as against all. */
	w.view.has_leader = false;
	(void)ev_put_dcs(&w.ev, &w.view, at(15200));
	(void)world_judge(&w, at(15200));
	assert_false(is_verdict_against(&w.ev, 7, &w.pol, at(15200), &why));
}

static void new_address_is_a_new_server(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.view.m[A].port = 5433;
	world_key(&w, A, at(10));
	assert_target(&w, at(10), -1, SNAP_WHY_UNCONFIRMED);
	world_poll_sql(&w, A, at(20));
	assert_target(&w, at(20), A, SNAP_WHY_LEADER);
	/* A key that cannot be read says nothing new. */
	w.view.m[A].host[0] = '\0';
	w.view.m[A].port = 0;
	world_key(&w, A, at(30));
	assert_target(&w, at(30), A, SNAP_WHY_LEADER);
	assert_int_equal(w.ev.m[A].dcs.port, 5433);
}

static void odd_names_are_passed_over(void **state)
{
	static const char *const odd[] = {
	    "", "a b", "a\nb", "\x7f", "\xc3\xa4"};
	struct world w;

	(void)state;
	world_init(&w, 3);
	for (size_t i = 0; i < COUNT(odd); i++) {
		(void)snprintf(w.view.m[B].name, LIM_NAME, "%s", odd[i]);
		world_key(&w, A, at(1));
		assert_int_equal(w.ev.n, 2);
		(void)world_judge(&w, at(1));
	}
}

static void transition_lasts_until_the_next_confirmation(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	assert_false(is_ev_transition(&w.ev, at(0)));
	world_key(&w, A, at(0));
	assert_true(is_ev_transition(&w.ev, at(0)));
	world_poll(&w, at(10));
	(void)world_judge(&w, at(10));
	assert_false(is_ev_transition(&w.ev, at(10)));
	assert_int_equal(w.ev.confirmed, A);
	/* Loss of the confirmed leader. */
	w.peer[A].sql = EV_RC_REFUSED;
	world_poll(&w, at(20));
	(void)world_judge(&w, at(20));
	assert_true(is_ev_transition(&w.ev, at(20)));
	assert_int_equal(w.ev.confirmed, -1);
	/* The key moves: the time counts anew. */
	world_key(&w, B, at(50000));
	(void)world_judge(&w, at(50000));
	assert_true(is_ev_transition(&w.ev, at(109999)));
	(void)world_judge(&w, at(110000));
	assert_false(is_ev_transition(&w.ev, at(110000)));
}

static void nobody_leads_nobody_is_asked_fast_for_ever(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	world_key(&w, -1, at(0));
	world_run(&w, 500, 5000);
	assert_false(is_ev_transition(&w.ev, at(5000)));
}

static void due_failover_key_is_a_transition(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.view.has_failover = true;
	world_key(&w, A, at(10));
	(void)world_judge(&w, at(10));
	assert_true(is_ev_transition(&w.ev, at(10)));
	assert_int_equal(w.v.write, A);
	w.view.has_failover = false;
	world_key(&w, A, at(20));
	(void)world_judge(&w, at(20));
	assert_false(is_ev_transition(&w.ev, at(20)));
}

static void heartbeat_alone_makes_nothing_fresh(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	ev_dcs_alive(&w.ev, at(0));
	assert_false(is_ev_dcs_fresh(&w.ev, &w.pol, at(0)));
	world_key(&w, A, at(10));
	assert_true(is_ev_dcs_fresh(&w.ev, &w.pol, at(10)));
	ev_dcs_alive(&w.ev, at(5));
	assert_true(is_ev_dcs_fresh(&w.ev, &w.pol, at(3009)));
	assert_false(is_ev_dcs_fresh(&w.ev, &w.pol, at(3010)));
}

static void seen_live_ends_at_max_age(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	world_key(&w, A, at(0));
	assert_false(is_ev_live(&w.ev, A, &w.pol, at(0)));
	world_poll_rest(&w, A, at(10));
	assert_true(is_ev_live(&w.ev, A, &w.pol, at(2009)));
	assert_false(is_ev_live(&w.ev, A, &w.pol, at(2010)));
	w.peer[A].sql = EV_RC_BUSY;
	world_poll_sql(&w, A, at(2010));
	assert_true(is_ev_live(&w.ev, A, &w.pol, at(2010)));
}

static void every_ending_has_a_name(void **state)
{
	(void)state;
	for (int rc = 0; rc < EV_RC_N; rc++)
		assert_true(strlen(ev_rc_name((enum ev_rc)rc)) > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(older_answers_are_ignored),
	    cmocka_unit_test(our_own_exhaustion_says_nothing),
	    cmocka_unit_test(members_keep_their_index),
	    cmocka_unit_test(slot_is_reused_only_when_none_is_free),
	    cmocka_unit_test(new_address_is_a_new_server),
	    cmocka_unit_test(odd_names_are_passed_over),
	    cmocka_unit_test(transition_lasts_until_the_next_confirmation),
	    cmocka_unit_test(nobody_leads_nobody_is_asked_fast_for_ever),
	    cmocka_unit_test(due_failover_key_is_a_transition),
	    cmocka_unit_test(heartbeat_alone_makes_nothing_fresh),
	    cmocka_unit_test(seen_live_ends_at_max_age),
	    cmocka_unit_test(every_ending_has_a_name),
	    cmocka_unit_test(who_takes_a_slot_over_inherits_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
