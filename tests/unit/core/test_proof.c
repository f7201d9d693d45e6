/* What a verdict rests on, and members that Patroni names where no DCS does. */
#include "world.h"

#include "proof.h"

static const char *proof(struct world *w, int64_t ms)
{
	(void)world_judge(w, at(ms));
	return proof_name(proof_of(&w->ev, &w->v, &w->pol, at(ms)));
}

static void each_says_what_it_has(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	assert_string_equal(proof(&w, 0), "key+sql");
	/* PostgreSQL lives and cannot be asked: Patroni's word. */
	w.peer[A].sql = EV_RC_BUSY;
	world_run(&w, 500, 4000);
	assert_string_equal(proof(&w, 4000), "key+rest");
	w.ev.hold = true;
	assert_string_equal(proof(&w, 4000), "none");
	w.ev.hold = false;
	w.ev.force = A;
	assert_string_equal(proof(&w, 4000), "operator");
}

/* Three members that only the roster names. */
static void world_of_roster(struct world *w)
{
	world_init(w, 3);
	ev_reset(&w->ev, "main", false, true);
	ev_put_roster(&w->ev, &w->view, at(1));
}

/* Nobody's key is seen; the roster says who and where, and no more. */
static void without_a_dcs(void **state)
{
	struct world w;

	(void)state;
	world_of_roster(&w);
	assert_int_equal(w.ev.n, 3);
	assert_false(w.ev.dcs.synced);
	assert_false(is_ev_dcs_fresh(&w.ev, &w.pol, at(1)));
	assert_string_equal(proof(&w, 1), "none");
	w.peer[A].claims = true;
	for (int m = A; m <= C; m++) {
		world_poll_sql(&w, m, at(10));
		world_poll_rest(&w, m, at(10));
	}
	assert_string_equal(proof(&w, 10), "claim+sql");
	assert_int_equal(w.v.write, A);
	w.ev.sql_configured = false;
	assert_string_equal(proof(&w, 10), "claim+rest");
}

static void who_left_the_roster_is_a_member_for_a_while(void **state)
{
	struct world w;
	struct ev_view roster;

	(void)state;
	world_of_roster(&w);
	roster = w.view;
	roster.n = 2;
	ev_put_roster(&w.ev, &roster, at(1000));
	assert_true(is_ev_member(&w.ev, C, at(1000 + EV_LEFT_GRACE_MS - 1)));
	assert_false(is_ev_member(&w.ev, C, at(1001 + EV_LEFT_GRACE_MS)));
	assert_true(is_ev_member(&w.ev, B, at(1001 + EV_LEFT_GRACE_MS)));
}

/* What the DCS itself said is not undone by one Patroni's reading of it. */
static void a_dcs_outweighs_the_roster(void **state)
{
	struct world w;
	struct ev_view roster;

	(void)state;
	world_settled(&w, 3, 0);
	roster = w.view;
	roster.n = 1;
	roster.pause = true;
	ev_put_roster(&w.ev, &roster, at(10));
	assert_true(w.ev.m[B].dcs.present && w.ev.m[C].dcs.present);
	assert_false(w.ev.dcs.pause);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_says_what_it_has),
	    cmocka_unit_test(without_a_dcs),
	    cmocka_unit_test(who_left_the_roster_is_a_member_for_a_while),
	    cmocka_unit_test(a_dcs_outweighs_the_roster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
