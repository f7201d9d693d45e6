/*
 * test_reads_mute.c - readers of a leader whose PostgreSQL nobody reaches,
 * while its key and its Patroni speak for it.
 */
#include "world.h"

#define BOUND (16 << 20)

static void mute_leader_takes_no_reads_down(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 4, 0);
	w.peer[A].sql = EV_RC_TIMEOUT;
	w.peer[B].streaming = w.peer[C].streaming = w.peer[D].streaming = false;
	world_run(&w, 500, 60000);
	assert_target(&w, at(60000), A, SNAP_WHY_LEADER);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	assert_read(&w, C, SNAP_WHY_REPLICA);
	/* It writes on, for whom ever: nobody else has what it wrote. */
	w.peer[A].lsn += 2 * BOUND;
	world_run(&w, 60500, 61000);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	/* D is reached by it: who is not is behind. */
	w.peer[D].streaming = true;
	w.peer[D].lsn = w.peer[A].lsn;
	world_run(&w, 61500, 70500);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	world_run(&w, 71000, 71000);
	assert_read(&w, D, SNAP_WHY_REPLICA);
	assert_read(&w, B, SNAP_WHY_NOT_STREAMING);
	assert_read(&w, C, SNAP_WHY_NOT_STREAMING);
	w.peer[D].streaming = false;
	world_run(&w, 71500, 100000);
	assert_read(&w, D, SNAP_WHY_REPLICA);
	/* A full server, or one that knows not our password, lives; and its
	   replicas need a while to find it again. */
	w.peer[A].sql = EV_RC_BUSY;
	world_run(&w, 100500, 109500);
	assert_read(&w, D, SNAP_WHY_REPLICA);
	world_run(&w, 110000, 110000);
	assert_read(&w, D, SNAP_WHY_NOT_STREAMING);
}

/* Without SQL there is no other word of it. */
static void without_sql_patroni_speaks_for_its_leader(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.ev.sql_configured = false;
	for (int i = A; i <= C; i++) {
		w.ev.m[i].sql_slot = (struct ev_slot){0};
		w.peer[i].streaming = i == C;
	}
	for (int64_t ms = 500; ms <= 1000; ms += 500) {
		struct ev_item b = world_rest_item(&w.peer[B], B);

		b.asked = b.at = at(ms);
		b.u.rest.streaming_known = true;
		(void)ev_put(&w.ev, &b);
		world_poll_rest(&w, A, at(ms));
		ev_dcs_alive(&w.ev, at(ms));
		(void)world_judge(&w, at(ms));
	}
	assert_read(&w, B, SNAP_WHY_NOT_STREAMING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mute_leader_takes_no_reads_down),
	    cmocka_unit_test(without_sql_patroni_speaks_for_its_leader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
