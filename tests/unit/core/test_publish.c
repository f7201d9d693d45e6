/*
 * test_publish.c - what stands in a snapshot.
 */
#include "world.h"

#include "route.h"

static void snapshot_says_what_was_judged(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.view.sync_n = 1;
	w.view.sync_standby[0][0] = 'c';
	world_key(&w, A, at(1));
	(void)world_judge(&w, at(1));
	assert_string_equal(w.snap.cluster, "main");
	assert_int_equal(w.snap.n, 3);
	assert_int_equal(w.snap.write, A);
	assert_int_equal(w.snap.write_why, SNAP_WHY_LEADER);
	assert_int_equal(w.snap.fallback, SNAP_FALLBACK_PRIMARY);
	assert_int_equal(w.snap.m[A].role, SNAP_ROLE_LEADER);
	assert_int_equal(w.snap.m[B].role, SNAP_ROLE_REPLICA);
	assert_int_equal(w.snap.m[C].role, SNAP_ROLE_SYNC);
	assert_int_equal(w.snap.m[A].flags, SNAP_F_LIVE);
	assert_int_equal(w.snap.m[B].flags, SNAP_F_LIVE | SNAP_F_READ);
	assert_int_equal(w.snap.m[B].port, 5432);
	assert_int_equal(w.snap.m[B].weight, 100);
	assert_int_equal(w.snap.m[B].tli, 4);
	assert_true(w.snap.m[B].replay_lsn == 1 << 30);
	assert_string_equal(w.snap.m[B].addr, "10.0.0.2");
	assert_string_equal(w.snap.m[B].server, "b");
	assert_int_equal(w.snap.since_ms, 19501);
}

static void without_the_dcs_patroni_says_who_is_sync(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	world_key(&w, -1, at(0));
	w.ev.dcs.configured = w.ev.dcs.synced = false;
	w.peer[A].claims = true;
	w.peer[B].sync = true;
	world_poll(&w, at(5));
	(void)world_judge(&w, at(5));
	assert_int_equal(w.snap.write, A);
	assert_int_equal(w.snap.m[B].role, SNAP_ROLE_SYNC);
	assert_int_equal(w.snap.m[C].role, SNAP_ROLE_REPLICA);
	/* An old word is none. */
	world_poll_sql(&w, B, at(2990));
	(void)world_judge(&w, at(3005));
	assert_int_equal(w.snap.m[B].role, SNAP_ROLE_REPLICA);
	/* Where the DCS was read, its key says it. */
	world_key(&w, A, at(3005));
	world_poll(&w, at(3010));
	(void)world_judge(&w, at(3010));
	assert_int_equal(w.snap.m[B].role, SNAP_ROLE_REPLICA);
}

static void sequence_grows_with_the_content_only(void **state)
{
	struct world w;
	uint64_t seq;

	(void)state;
	world_settled(&w, 3, 0);
	seq = w.snap.seq;
	world_run(&w, 500, 5000);
	assert_true(w.snap.seq == seq);
	assert_int_equal(w.snap.since_ms, 24500);
	w.peer[B].streaming = false;
	world_run(&w, 5500, 6000);
	assert_true(w.snap.seq == seq + 1);
	assert_true(w.snap.boot_id == 1);
}

static void map_gives_haproxys_names(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 2);
	w.conf.map_n = 1;
	(void)snprintf(w.conf.map[0].member, LIM_NAME, "a");
	(void)snprintf(w.conf.map[0].server, LIM_NAME, "dc1-psql-node1");
	world_key(&w, A, at(0));
	world_run(&w, 10, 10);
	assert_string_equal(w.snap.m[A].server, "dc1-psql-node1");
	assert_string_equal(w.snap.m[A].name, "a");
	assert_string_equal(w.snap.m[B].server, "b");
}

static void member_that_haproxy_has_not_gets_nothing(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.site.unknown = false;
	w.site.routable[B] = true;
	(void)world_judge(&w, at(1));
	assert_int_equal(w.v.write, A);
	assert_int_equal(w.snap.write, -1);
	assert_int_equal(w.snap.write_why, SNAP_WHY_NOT_IN_HAPROXY);
	assert_string_equal(w.snap.m[A].server, "");
	assert_int_equal(w.snap.m[C].why, SNAP_WHY_NOT_IN_HAPROXY);
	assert_int_equal(w.snap.m[C].flags, SNAP_F_LIVE);
	assert_int_equal(w.snap.m[B].flags, SNAP_F_LIVE | SNAP_F_READ);
}

static void drain_concerns_reads_only(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.site.drained[A] = w.site.drained[B] = true;
	(void)world_judge(&w, at(1));
	assert_int_equal(w.snap.write, A);
	assert_int_equal(w.snap.m[A].why, SNAP_WHY_LEADER);
	assert_int_equal(w.snap.m[A].flags, SNAP_F_LIVE | SNAP_F_DRAINED);
	assert_int_equal(w.snap.m[B].flags, SNAP_F_LIVE | SNAP_F_DRAINED);
	assert_int_equal(w.snap.m[B].why, SNAP_WHY_DRAINED);
}

static void observe_shows_the_classic_way(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.site.classic_write[A] = w.site.classic_read[B] = true;
	(void)world_judge(&w, at(1));
	assert_false(w.snap.observe);
	assert_int_equal(w.snap.m[A].flags, SNAP_F_LIVE);
	w.observe = true;
	(void)world_judge(&w, at(2));
	assert_true(w.snap.observe);
	assert_int_equal(w.snap.m[A].flags, SNAP_F_LIVE | SNAP_F_CLASSIC_WRITE);
	assert_int_equal(
	    w.snap.m[B].flags, SNAP_F_LIVE | SNAP_F_READ | SNAP_F_CLASSIC_READ);
	assert_int_equal(w.snap.m[C].flags, SNAP_F_LIVE | SNAP_F_READ);
}

static void weight_is_final(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.view.m[B].weight = 0;
	w.view.m[C].weight = 999;
	world_key(&w, A, at(1));
	(void)world_judge(&w, at(1));
	assert_int_equal(w.snap.m[B].flags, SNAP_F_LIVE);
	assert_int_equal(w.snap.m[C].weight, 256);
}

static void replay_is_a_lower_bound(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	/* After a restart a replica may show less than before. */
	w.peer[B].sql = EV_RC_LOST;
	world_sql(&w, B, at(10), at(10));
	(void)world_judge(&w, at(10));
	assert_true(w.snap.m[B].replay_lsn == 0);
	w.peer[B].lsn = 77;
	world_rest(&w, B, at(11), at(12));
	(void)world_judge(&w, at(12));
	assert_true(w.snap.m[B].replay_lsn == 77);
}

static void read_only_leader_is_a_flag(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[A].read_only = w.peer[B].read_only = true;
	world_poll(&w, at(1));
	assert_target(&w, at(1), A, SNAP_WHY_LEADER);
	assert_int_equal(w.snap.m[A].flags, SNAP_F_LIVE | SNAP_F_READONLY);
	assert_int_equal(w.snap.m[B].flags, SNAP_F_LIVE | SNAP_F_READ);
}

/* Its SQL was heard last when it was a replica, which is read-only. */
static void read_only_as_the_replica_it_was(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[B].read_only = true;
	world_poll(&w, at(1));
	w.peer[B].sql = EV_RC_AUTH;
	world_promote(&w, B);
	world_key(&w, B, at(2));
	world_poll(&w, at(1500));
	assert_target(&w, at(1500), B, SNAP_WHY_LEADER);
	assert_int_equal(w.snap.m[B].flags, SNAP_F_LIVE);
}

/* Whatever is missing, the check holds: publish() asserts it. */
static void every_half_known_world_passes_the_check(void **state)
{
	struct world w;

	(void)state;
	for (unsigned bits = 0; bits < 1U << 10; bits++) {
		world_init(&w, 3);
		w.ev.dcs.configured = (bits & 1) != 0;
		w.ev.sql_configured = (bits & 2) != 0;
		w.view.standby_cluster = (bits & 4) != 0;
		w.view.pause = (bits & 8) != 0;
		w.peer[A].claims = (bits & 16) != 0;
		w.peer[A].primary = (bits & 32) != 0;
		w.peer[B].primary = (bits & 64) != 0;
		w.site.unknown = (bits & 128) != 0;
		world_key(&w, (bits & 256) != 0 ? A : B, at(0));
		if ((bits & 512) != 0)
			world_poll(&w, at(5));
		(void)world_judge(&w, at(5));
		assert_true(w.snap.write == -1 || w.snap.write == w.v.write);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(snapshot_says_what_was_judged),
	    cmocka_unit_test(sequence_grows_with_the_content_only),
	    cmocka_unit_test(map_gives_haproxys_names),
	    cmocka_unit_test(member_that_haproxy_has_not_gets_nothing),
	    cmocka_unit_test(drain_concerns_reads_only),
	    cmocka_unit_test(observe_shows_the_classic_way),
	    cmocka_unit_test(weight_is_final),
	    cmocka_unit_test(replay_is_a_lower_bound),
	    cmocka_unit_test(read_only_leader_is_a_flag),
	    cmocka_unit_test(read_only_as_the_replica_it_was),
	    cmocka_unit_test(every_half_known_world_passes_the_check),
	    cmocka_unit_test(without_the_dcs_patroni_says_who_is_sync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
