/*
 * test_reads.c - who may be read from, and why not.
 */
#include "world.h"

#define BOUND (16 << 20)

static void replicas_are_fit_and_the_leader_is_not(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	assert_read(&w, A, SNAP_WHY_LEADER);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	assert_read(&w, C, SNAP_WHY_REPLICA);
}

static void unknown_members_are_unfit(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	world_key(&w, A, at(0));
	(void)world_judge(&w, at(0));
	assert_read(&w, A, SNAP_WHY_TAKES_KEY);
	assert_read(&w, B, SNAP_WHY_NONE);
}

static void taker_of_the_key_leaves_at_that_event(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_key(&w, B, at(10));
	assert_int_equal(world_judge(&w, at(10)), -1);
	assert_read(&w, B, SNAP_WHY_TAKES_KEY);
	assert_read(&w, C, SNAP_WHY_REPLICA);
	/* The old leader is out of recovery until it is seen in it. */
	assert_read(&w, A, SNAP_WHY_CONFLICT);
	/* Also where the DCS is lost right after. */
	for (int64_t ms = 500; ms <= 10000; ms += 500) {
		world_poll_sql(&w, B, at(ms));
		world_poll_rest(&w, B, at(ms));
	}
	(void)world_judge(&w, at(10000));
	assert_read(&w, B, SNAP_WHY_TAKES_KEY);
}

static void old_leader_returns_when_it_follows(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_key(&w, B, at(10));
	w.peer[A].sql = EV_RC_REFUSED;
	world_poll(&w, at(20));
	(void)world_judge(&w, at(20));
	assert_read(&w, A, SNAP_WHY_NOT_RUNNING);
	world_promote(&w, B);
	w.peer[C].streaming = false;
	w.peer[A] = w.peer[C];
	world_poll(&w, at(1000));
	assert_int_equal(world_judge(&w, at(1000)), B);
	/* C, which was fit, still is; A has to show that it follows. */
	assert_read(&w, A, SNAP_WHY_NOT_STREAMING);
	assert_read(&w, C, SNAP_WHY_REPLICA);
	w.peer[A].streaming = true;
	w.peer[A].tli = w.peer[B].tli;
	world_poll(&w, at(1500));
	(void)world_judge(&w, at(1500));
	assert_read(&w, A, SNAP_WHY_REPLICA);
}

static void old_leader_serves_while_nobody_else_leads(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 1, 0);
	world_key(&w, -1, at(10));
	w.peer[A].primary = false;
	world_poll(&w, at(20));
	assert_int_equal(world_judge(&w, at(20)), -1);
	assert_read(&w, A, SNAP_WHY_REPLICA);
}

/* The leader is dead; no replica streams any more. */
static void leaderless(struct world *w, int64_t from, int64_t to)
{
	w->peer[A].sql = w->peer[A].rest = EV_RC_REFUSED;
	for (int i = B; i <= C; i++)
		w->peer[i].streaming = false;
	world_run(w, from, to);
}

static void dead_leader_takes_no_reads_down(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	leaderless(&w, 500, 60000);
	assert_int_equal(w.v.write, -1);
	assert_false(w.reads.fit[A]);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	assert_read(&w, C, SNAP_WHY_REPLICA);
}

static void lag_binds_not_while_leaderless(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	leaderless(&w, 500, 1000);
	w.peer[C].lsn -= 2 * BOUND;
	world_run(&w, 1500, 5000);
	assert_read(&w, C, SNAP_WHY_REPLICA);
	/* It binds once the new leader was confirmed for follow_grace. */
	world_promote(&w, B);
	world_key(&w, B, at(5100));
	world_run(&w, 5500, 15000);
	assert_read(&w, C, SNAP_WHY_REPLICA);
	w.peer[C].streaming = true;
	world_poll(&w, at(15499));
	(void)world_judge(&w, at(15499));
	assert_read(&w, C, SNAP_WHY_REPLICA);
	(void)world_judge(&w, at(15500));
	assert_read(&w, C, SNAP_WHY_LAG_BYTES);
}

static void replica_that_lagged_keeps_that_verdict(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[C].lsn -= 2 * BOUND;
	world_run(&w, 500, 1000);
	assert_read(&w, C, SNAP_WHY_LAG_BYTES);
	leaderless(&w, 1500, 5000);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	assert_read(&w, C, SNAP_WHY_LAG_BYTES);
}

static void lag_in_bytes_binds_above_its_bound(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[B].lsn = w.peer[A].lsn - BOUND;
	w.peer[C].lsn = w.peer[A].lsn - BOUND - 1;
	world_run(&w, 500, 1000);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	assert_read(&w, C, SNAP_WHY_LAG_BYTES);
	assert_int_equal(w.snap.m[B].lag_bytes, BOUND);
}

/* 100 MB/s and an answer 900 ms old: compared with the leader of that time. */
static void lag_is_of_one_time(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	for (int64_t ms = 1000; ms <= 5000; ms += 1000) {
		w.peer[B].lsn = w.peer[A].lsn;
		world_poll_sql(&w, B, at(ms));
		w.peer[A].lsn += 90 << 20;
		world_poll_sql(&w, A, at(ms + 900));
		w.peer[A].lsn += 10 << 20;
		ev_dcs_alive(&w.ev, at(ms + 900));
		(void)world_judge(&w, at(ms + 900));
		if (ms == 1000)
			continue; /* it began to write between two answers */
		assert_read(&w, B, SNAP_WHY_REPLICA);
		assert_true(w.snap.m[B].lag_bytes < BOUND);
	}
}

static void lag_is_borne_for_its_grace(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.pol.lag_grace = dur_ms(1000);
	w.peer[B].lsn -= 2 * BOUND;
	world_run(&w, 500, 1000);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	world_poll(&w, at(1499));
	(void)world_judge(&w, at(1499));
	assert_read(&w, B, SNAP_WHY_REPLICA);
	(void)world_judge(&w, at(1500));
	assert_read(&w, B, SNAP_WHY_LAG_BYTES);
	/* Who comes over its bound again and again but for a moment stays. */
	for (int64_t ms = 2000; ms <= 11500; ms += 500) {
		w.peer[C].lsn =
		    w.peer[A].lsn - (ms / 500 % 2 == 0 ? 2 * BOUND : BOUND);
		world_run(&w, ms, ms);
		assert_read(&w, C, SNAP_WHY_REPLICA);
	}
	/* Who follows no more is not borne. */
	w.peer[C].streaming = false;
	world_run(&w, 12000, 12500);
	assert_read(&w, C, SNAP_WHY_NOT_STREAMING);
}

static void who_lagged_comes_back_at_half(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[B].lsn = w.peer[A].lsn - BOUND - 1;
	world_run(&w, 500, 1000);
	assert_read(&w, B, SNAP_WHY_LAG_BYTES);
	w.peer[B].lsn = w.peer[A].lsn - BOUND / 2 - 1;
	world_run(&w, 1500, 5000);
	assert_read(&w, B, SNAP_WHY_LAG_BYTES);
	w.peer[B].lsn++;
	world_run(&w, 5500, 5500);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	/* Once back, it stays up to the whole bound. */
	w.peer[B].lsn = w.peer[A].lsn - BOUND;
	world_run(&w, 6000, 9000);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	/* Who left for another reason has no half to come below. */
	w.peer[B].streaming = false;
	world_run(&w, 9500, 10000);
	assert_read(&w, B, SNAP_WHY_NOT_STREAMING);
	w.peer[B].streaming = true;
	world_run(&w, 10500, 10500);
	assert_read(&w, B, SNAP_WHY_REPLICA);
}

/* The leader writes 1,000 bytes a second; B stands still. */
static void lag_in_time_binds_above_its_bound(void **state)
{
	struct world w;
	uint64_t begin;

	(void)state;
	world_settled(&w, 3, 0);
	/* A question is asked 1 ms before it is answered. */
	w.pol.max_lag = (struct conf_lag){UINT64_MAX, 2002};
	begin = w.peer[A].lsn;
	for (int64_t ms = 1000; ms <= 4000; ms += 1000) {
		w.peer[A].lsn += 1000;
		w.peer[C].lsn = w.peer[A].lsn;
		world_poll(&w, at(ms));
		(void)world_judge(&w, at(ms));
		assert_read(&w, C, SNAP_WHY_REPLICA);
		assert_int_equal(w.snap.m[C].lag_ms, 0);
		/* It stood there at 0 s last, and leaves when the leader is
		   heard after that was seen to be too long ago. */
		assert_int_equal(w.snap.m[B].lag_ms, ms + 1);
		assert_read(
		    &w, B, ms <= 3000 ? SNAP_WHY_REPLICA : SNAP_WHY_LAG_TIME);
	}
	/* 1 s behind is half of the bound. */
	w.peer[B].lsn = begin + 2990;
	world_run(&w, 4000, 4000);
	assert_read(&w, B, SNAP_WHY_LAG_TIME);
	w.peer[B].lsn = begin + 3000;
	world_run(&w, 4000, 4000);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	/* Who writes nothing more leaves nobody behind. */
	w.peer[B].lsn = w.peer[A].lsn;
	world_run(&w, 4500, 90000);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	assert_int_equal(w.snap.m[B].lag_ms, 0);
}

static void both_bounds_hold(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.pol.max_lag.ms = 2000;
	w.peer[A].lsn += 2 * BOUND;
	w.peer[B].lsn = w.peer[A].lsn - 100;
	world_run(&w, 500, 1000);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	assert_read(&w, C, SNAP_WHY_LAG_BYTES);
	w.peer[A].lsn += 100;
	w.peer[C].lsn = w.peer[A].lsn;
	world_run(&w, 1500, 5000);
	assert_read(&w, B, SNAP_WHY_LAG_TIME);
	assert_read(&w, C, SNAP_WHY_REPLICA);
}

/* C streams from B; wherever its WAL comes from, the lag is that behind A. */
static void cascade_is_judged_by_the_leader(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[B].lsn -= 2 * BOUND;
	world_run(&w, 500, 1000);
	assert_read(&w, B, SNAP_WHY_LAG_BYTES);
	assert_read(&w, C, SNAP_WHY_REPLICA);
	w.peer[C].lsn = w.peer[B].lsn;
	world_run(&w, 1500, 2000);
	assert_read(&w, C, SNAP_WHY_LAG_BYTES);
}

static void share_grows_while_it_is_slowly_started(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.pol.slow_start = dur_ms(10000);
	w.view.m[B].weight = 200;
	w.view.m[C].weight = 0;
	w.peer[B].sql = w.peer[B].rest = EV_RC_REFUSED;
	world_key(&w, A, at(100));
	world_run(&w, 500, 1000);
	assert_int_equal(w.snap.m[B].flags & SNAP_F_READ, 0);
	assert_read(&w, C, SNAP_WHY_REPLICA);
	assert_int_equal(w.snap.m[C].why, SNAP_WHY_NO_WEIGHT);
	assert_int_equal(w.snap.m[C].flags & SNAP_F_READ, 0);
	w.peer[B].sql = w.peer[B].rest = EV_RC_OK;
	for (int64_t ms = 1500; ms <= 15000; ms += 500) {
		int64_t want = ms == 1500 ? 1 : (ms - 1500) / 50;

		world_run(&w, ms, ms);
		assert_int_equal(w.snap.m[B].weight, want < 200 ? want : 200);
		assert_true((w.snap.m[B].flags & SNAP_F_READ) != 0);
	}
	/* It begins anew. */
	w.peer[B].sql = EV_RC_REFUSED;
	world_run(&w, 15500, 15500);
	w.peer[B].sql = EV_RC_OK;
	world_run(&w, 16000, 16500);
	assert_int_equal(w.snap.m[B].weight, 10);
}

static void unknown_lag_is_not_zero(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[B].lsn = 0;
	world_run(&w, 500, 1000);
	assert_read(&w, B, SNAP_WHY_LAG_BYTES);
	assert_true(w.snap.m[B].lag_bytes == SNAP_LAG_UNKNOWN);
}

static void not_streaming_binds_but_archive_recovery_will_do(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[B].streaming = w.peer[C].streaming = false;
	w.peer[C].state = EV_STATE_ARCHIVE_RECOVERY;
	world_run(&w, 500, 1000);
	assert_read(&w, B, SNAP_WHY_NOT_STREAMING);
	assert_read(&w, C, SNAP_WHY_REPLICA);
}

/* Its host is gone: the replicas show it first. */
static void dying_leader_is_not_the_replicas_fault(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[B].streaming = w.peer[C].streaming = false;
	w.peer[A].rest = EV_RC_TIMEOUT;
	w.peer[A].state = EV_STATE_STOPPED;
	for (int64_t ms = 300; ms < 2000; ms += 100) {
		world_poll_sql(&w, B, at(ms));
		world_poll_sql(&w, C, at(ms));
		world_poll_rest(&w, A, at(ms));
		assert_target(&w, at(ms), A, SNAP_WHY_LEADER);
		assert_read(&w, B, SNAP_WHY_REPLICA);
		assert_read(&w, C, SNAP_WHY_REPLICA);
		/* Patroni says that it stopped: no word of a leader either. */
		w.peer[A].rest = ms < 1000 ? EV_RC_TIMEOUT : EV_RC_OK;
	}
	/* It lives after all, and leads. */
	world_poll_sql(&w, A, at(2100));
	(void)world_judge(&w, at(2100));
	assert_read(&w, B, SNAP_WHY_REPLICA);
	ev_dcs_alive(&w.ev, at(2110));
	(void)world_judge(&w, at(2110));
	assert_read(&w, B, SNAP_WHY_NOT_STREAMING);
}

static void lost_probe_changes_no_read(void **state)
{
	static const enum ev_rc once[] = {
	    EV_RC_LOST, EV_RC_TIMEOUT, EV_RC_STOPPING, EV_RC_BUSY, EV_RC_AUTH};

	(void)state;
	for (size_t i = 0; i < COUNT(once); i++) {
		struct world w;

		world_settled(&w, 3, 0);
		w.peer[B].sql = once[i];
		world_sql(&w, B, at(1000), at(1800));
		world_poll_sql(&w, A, at(1800));
		(void)world_judge(&w, at(1800));
		assert_read(&w, B, SNAP_WHY_REPLICA);
	}
}

static void dead_postmaster_is_unfit_at_once(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.peer[B].sql = EV_RC_REFUSED;
	w.peer[C].sql = EV_RC_STARTING;
	world_poll(&w, at(100));
	(void)world_judge(&w, at(100));
	assert_read(&w, B, SNAP_WHY_NOT_RUNNING);
	assert_read(&w, C, SNAP_WHY_NOT_RUNNING);
	assert_int_equal(w.snap.m[B].flags & SNAP_F_LIVE, 0);
}

static void silent_replica_is_unfit_at_the_bound(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	world_poll_sql(&w, A, at(1900));
	world_poll_rest(&w, C, at(1900));
	(void)world_judge(&w, (struct mono){at(2000).us - 1});
	assert_read(&w, B, SNAP_WHY_REPLICA);
	(void)world_judge(&w, at(2000));
	assert_read(&w, B, SNAP_WHY_SILENT);
	assert_read(&w, C, SNAP_WHY_REPLICA);
}

static void tag_binds_wherever_it_is_said(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.view.m[B].noloadbalance = true;
	world_key(&w, A, at(10));
	w.ev.m[C].rest.noloadbalance = true;
	(void)world_judge(&w, at(10));
	assert_read(&w, B, SNAP_WHY_NOLOADBALANCE);
	assert_read(&w, C, SNAP_WHY_NOLOADBALANCE);
}

static void stray_branch_is_never_read(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 4, 0);
	/* C was promoted by hand, B follows it; D is of another cluster. */
	world_promote(&w, C);
	w.peer[B].tli = w.peer[C].tli;
	w.peer[D].sysid = 78;
	world_run(&w, 500, 1000);
	assert_read(&w, B, SNAP_WHY_DIVERGED);
	assert_read(&w, C, SNAP_WHY_DIVERGED);
	assert_read(&w, D, SNAP_WHY_DIVERGED);
}

static void without_the_dcs_primary_200_tells_who_leads(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	/* The DCS is lost; Patroni fails over from A to B unseen. */
	world_promote(&w, B);
	w.peer[A].primary = false;
	w.peer[A].streaming = true;
	w.peer[B].claims = true;
	for (int64_t ms = 500; ms <= 5000; ms += 500) {
		for (int i = 0; i < 3; i++) {
			world_poll_sql(&w, i, at(ms));
			world_poll_rest(&w, i, at(ms));
		}
		(void)world_judge(&w, at(ms));
	}
	assert_int_equal(w.v.write, B);
	assert_read(&w, A, SNAP_WHY_REPLICA);
	assert_read(&w, B, SNAP_WHY_LEADER);
}

static void wiped_dcs_takes_no_reads_down(void **state)
{
	struct world w;
	uint8_t n;

	(void)state;
	world_settled(&w, 3, 0);
	n = w.view.n;
	w.view.n = 0;
	world_key(&w, -1, at(100));
	world_run(&w, 500, 9500);
	assert_int_equal(w.v.write, -1);
	assert_read(&w, B, SNAP_WHY_REPLICA);
	w.view.n = n;
	world_key(&w, A, at(9600));
	world_run(&w, 10000, 10500);
	assert_int_equal(w.v.write, A);
	assert_read(&w, B, SNAP_WHY_REPLICA);
}

static void member_that_left_is_unfit_after_its_grace(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w, 3, 0);
	w.view.n = 2;
	world_key(&w, A, at(500));
	world_run(&w, 500, 30000);
	assert_read(&w, C, SNAP_WHY_REPLICA);
	assert_int_equal(w.snap.n, 3);
	world_run(&w, 30500, 30500);
	assert_read(&w, C, SNAP_WHY_NONE);
	assert_int_equal(w.snap.n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(replicas_are_fit_and_the_leader_is_not),
	    cmocka_unit_test(unknown_members_are_unfit),
	    cmocka_unit_test(taker_of_the_key_leaves_at_that_event),
	    cmocka_unit_test(old_leader_returns_when_it_follows),
	    cmocka_unit_test(old_leader_serves_while_nobody_else_leads),
	    cmocka_unit_test(dead_leader_takes_no_reads_down),
	    cmocka_unit_test(lag_binds_not_while_leaderless),
	    cmocka_unit_test(replica_that_lagged_keeps_that_verdict),
	    cmocka_unit_test(lag_in_bytes_binds_above_its_bound),
	    cmocka_unit_test(lag_is_of_one_time),
	    cmocka_unit_test(unknown_lag_is_not_zero),
	    cmocka_unit_test(not_streaming_binds_but_archive_recovery_will_do),
	    cmocka_unit_test(dying_leader_is_not_the_replicas_fault),
	    cmocka_unit_test(lost_probe_changes_no_read),
	    cmocka_unit_test(dead_postmaster_is_unfit_at_once),
	    cmocka_unit_test(silent_replica_is_unfit_at_the_bound),
	    cmocka_unit_test(tag_binds_wherever_it_is_said),
	    cmocka_unit_test(stray_branch_is_never_read),
	    cmocka_unit_test(without_the_dcs_primary_200_tells_who_leads),
	    cmocka_unit_test(wiped_dcs_takes_no_reads_down),
	    cmocka_unit_test(member_that_left_is_unfit_after_its_grace),
	    cmocka_unit_test(lag_is_borne_for_its_grace),
	    cmocka_unit_test(who_lagged_comes_back_at_half),
	    cmocka_unit_test(lag_in_time_binds_above_its_bound),
	    cmocka_unit_test(both_bounds_hold),
	    cmocka_unit_test(cascade_is_judged_by_the_leader),
	    cmocka_unit_test(share_grows_while_it_is_slowly_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
