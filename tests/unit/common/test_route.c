/* Where a connection goes: tables for each intent, evenness as a property. */
#include "unit.h"

#include "make_snap.h"
#include "route.h"

static struct intent intent(uint8_t want)
{
	return (struct intent){.want = want,
	    .flags = INTENT_F_FALLBACK,
	    .max_lag_bytes = UINT64_MAX,
	    .max_lag_ms = UINT32_MAX};
}

static void assert_decision(struct decision d, enum route_kind kind,
    enum route_action action, int member, enum snap_why why)
{
	assert_int_equal(d.kind, kind);
	assert_int_equal(d.action, action);
	assert_int_equal(d.member, member);
	assert_int_equal(d.why, why);
}

static void writes(void **state)
{
	struct intent it = intent(INTENT_PRIMARY);
	struct snapshot s = make_snap(3), empty = {.write = -1};
	struct rr rr = {0}, before = rr;

	(void)state;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_TO, ROUTE_ACT_WRITE,
	    0, SNAP_WHY_LEADER);
	s.planned = true;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_WAIT, ROUTE_ACT_HOLD,
	    -1, SNAP_WHY_STOPPING);
	s.planned = false;
	s.write = -1;
	s.write_why = SNAP_WHY_FENCED;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_WAIT, ROUTE_ACT_HOLD,
	    -1, SNAP_WHY_FENCED);
	s.write_why = SNAP_WHY_STANDBY_CLUSTER;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_REFUSE,
	    ROUTE_ACT_DESK, -1, SNAP_WHY_STANDBY_CLUSTER);
	s.planned = true;
	assert_int_equal(route_decide(&s, &it, &rr).kind, ROUTE_REFUSE);
	assert_int_equal(route_decide(&empty, &it, &rr).kind, ROUTE_WAIT);
	assert_memory_equal(&rr, &before, sizeof(rr));
}

/* Nothing is known and nothing is asked: nothing is routed. */
static void zeroed(void **state)
{
	struct snapshot s = {0};
	struct intent it = {0};
	struct rr rr = {0};

	(void)state;
	s.write = -1;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_REFUSE,
	    ROUTE_ACT_DESK, -1, SNAP_WHY_NONE);
	assert_int_equal(ROUTE_REFUSE, 0);
}

static void desk(void **state)
{
	struct snapshot s = make_snap(3);
	struct rr rr = {0};

	(void)state;
	for (uint8_t want = INTENT_PRIMARY; want <= INTENT_ANY; want++) {
		struct intent it = intent(want);

		it.flags = INTENT_F_CANCEL;
		assert_int_equal(
		    route_decide(&s, &it, &rr).action, ROUTE_ACT_DESK);
		it.flags = INTENT_F_HTTP;
		assert_int_equal(route_decide(&s, &it, &rr).kind, ROUTE_REFUSE);
		it.flags = INTENT_F_TLS | INTENT_F_REPLICATION;
		assert_int_equal(route_decide(&s, &it, &rr).kind,
		    want == INTENT_SYNC ? ROUTE_WAIT : ROUTE_TO);
	}
}

static void fallbacks(void **state)
{
	struct snapshot s = make_snap(1);
	struct intent it = intent(INTENT_REPLICA);
	struct rr rr = {0};

	(void)state;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_TO,
	    ROUTE_ACT_FALLBACK, 0, SNAP_WHY_LEADER);
	it.flags = 0;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_WAIT, ROUTE_ACT_HOLD,
	    -1, SNAP_WHY_NO_REPLICA);
	it.flags = INTENT_F_FALLBACK;
	/* An operator drains the leader: its writes only. */
	s.m[0].flags |= SNAP_F_DRAINED;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_WAIT, ROUTE_ACT_HOLD,
	    -1, SNAP_WHY_NO_REPLICA);
	it.want = INTENT_PRIMARY;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_TO, ROUTE_ACT_WRITE,
	    0, SNAP_WHY_LEADER);
	it.want = INTENT_REPLICA;
	s.m[0].flags &= (uint8_t)~SNAP_F_DRAINED;
	s.planned = true;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_WAIT, ROUTE_ACT_HOLD,
	    -1, SNAP_WHY_NO_REPLICA);
	s.planned = false;
	s.write = -1;
	s.write_why = SNAP_WHY_NO_KEY;
	assert_int_equal(route_decide(&s, &it, &rr).kind, ROUTE_WAIT);
	/* A read is not refused even there: a standby may come. */
	s.write_why = SNAP_WHY_STANDBY_CLUSTER;
	assert_int_equal(route_decide(&s, &it, &rr).kind, ROUTE_WAIT);
	/* ANY takes the primary whatever the listener's fallback says. */
	s = make_snap(1);
	it = intent(INTENT_ANY);
	it.flags = 0;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_TO,
	    ROUTE_ACT_FALLBACK, 0, SNAP_WHY_LEADER);
}

/* A leader's death, or a switchover, takes no read down. */
static void reads_need_no_leader(void **state)
{
	struct snapshot s = make_snap(3);
	struct intent it = intent(INTENT_REPLICA);
	struct rr rr = {0};

	(void)state;
	s.write = -1;
	s.write_why = SNAP_WHY_NO_KEY;
	s.transition = s.planned = true;
	for (int i = 0; i < 10; i++) {
		struct decision d = route_decide(&s, &it, &rr);

		assert_decision(
		    d, ROUTE_TO, ROUTE_ACT_READ, d.member, SNAP_WHY_REPLICA);
		assert_true(d.member == 1 || d.member == 2);
	}
}

static void standby_cluster(void **state)
{
	struct snapshot s = make_snap(2);
	struct intent it = intent(INTENT_REPLICA);
	struct rr rr = {0};
	int seen[2] = {0};

	(void)state;
	s.write = -1;
	s.write_why = SNAP_WHY_STANDBY_CLUSTER;
	s.m[0].role = SNAP_ROLE_STANDBY_LEADER;
	s.m[0].flags |= SNAP_F_READ;
	s.m[0].weight = 100;
	for (int i = 0; i < 10; i++)
		seen[route_decide(&s, &it, &rr).member]++;
	assert_int_equal(seen[0], 5);
	assert_int_equal(seen[1], 5);
}

static void sync_standbys(void **state)
{
	struct snapshot s = make_snap(4);
	struct intent it = intent(INTENT_SYNC);
	struct rr rr = {0};

	(void)state;
	s.m[2].role = SNAP_ROLE_SYNC;
	for (int i = 0; i < 5; i++)
		assert_int_equal(route_decide(&s, &it, &rr).member, 2);
	s.m[2].flags = SNAP_F_LIVE; /* no longer fit */
	assert_int_equal(route_decide(&s, &it, &rr).action, ROUTE_ACT_FALLBACK);
}

static void bounds_of_the_intent(void **state)
{
	struct snapshot s = make_snap(3);
	struct intent it = intent(INTENT_REPLICA);
	struct rr rr = {0};

	(void)state;
	s.m[1].lag_bytes = 1000;
	s.m[2].lag_bytes = SNAP_LAG_UNKNOWN;
	it.max_lag_bytes = 1000;
	for (int i = 0; i < 4; i++)
		assert_int_equal(route_decide(&s, &it, &rr).member, 1);
	it.max_lag_bytes = 999;
	assert_int_equal(route_decide(&s, &it, &rr).action, ROUTE_ACT_FALLBACK);
	it.max_lag_bytes = UINT64_MAX;
	s.m[1].lag_ms = SNAP_LAG_MS_UNKNOWN;
	s.m[2].lag_ms = 50;
	it.max_lag_ms = 50;
	for (int i = 0; i < 4; i++)
		assert_int_equal(route_decide(&s, &it, &rr).member, 2);
	it.max_lag_ms = 0;
	assert_int_equal(route_decide(&s, &it, &rr).action, ROUTE_ACT_FALLBACK);
}

static void min_lsn(void **state)
{
	struct snapshot s = make_snap(3);
	struct intent it = intent(INTENT_REPLICA);
	struct rr rr = {0};

	(void)state;
	it.flags = 0; /* the leader qualifies by itself */
	s.m[1].replay_lsn = 100;
	s.m[2].replay_lsn = 200;
	it.min_lsn = 150;
	for (int i = 0; i < 4; i++)
		assert_int_equal(route_decide(&s, &it, &rr).member, 2);
	it.min_lsn = 200;
	assert_int_equal(route_decide(&s, &it, &rr).member, 2);
	it.min_lsn = 201;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_WAIT, ROUTE_ACT_HOLD,
	    -1, SNAP_WHY_MIN_LSN);
	it.max_lag_bytes = 10; /* whoever is over another bound is no hope */
	s.m[1].lag_bytes = s.m[2].lag_bytes = 11;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_TO,
	    ROUTE_ACT_FALLBACK, 0, SNAP_WHY_LEADER);
	s.m[1].lag_bytes = s.m[2].lag_bytes = 0;
	it.flags = INTENT_F_WAITED;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_TO,
	    ROUTE_ACT_FALLBACK, 0, SNAP_WHY_LEADER);
	s.write = -1;
	assert_int_equal(route_decide(&s, &it, &rr).kind, ROUTE_WAIT);
	s.m[2].replay_lsn = 0; /* unknown */
	it.min_lsn = 150;
	assert_decision(route_decide(&s, &it, &rr), ROUTE_WAIT, ROUTE_ACT_HOLD,
	    -1, SNAP_WHY_NO_REPLICA);
	s.m[1].replay_lsn = 150; /* and who has it is taken, waited or not */
	assert_decision(route_decide(&s, &it, &rr), ROUTE_TO, ROUTE_ACT_READ, 1,
	    SNAP_WHY_REPLICA);
}

/* A member is never chosen that is not READ, whatever its weight. */
static void unfit_members(void **state)
{
	struct snapshot s = make_snap(5);
	struct intent it = intent(INTENT_REPLICA);
	struct rr rr = {.turn = 0xdeadbeef};

	(void)state;
	s.m[1].flags = 0;
	s.m[3].flags = SNAP_F_LIVE;
	for (int i = 0; i < 100; i++) {
		int m = route_decide(&s, &it, &rr).member;

		assert_true(m == 2 || m == 4);
	}
}

static void even_round_robin(void **state)
{
	struct intent it = intent(INTENT_REPLICA);

	(void)state;
	for (unsigned n = 2; n <= LIM_MEMBERS; n++) {
		struct snapshot s = make_snap(n);
		struct rr rr = {.turn = n * 0x12345678};
		int seen[LIM_MEMBERS] = {0};

		for (int i = 0; i < 1000; i++) {
			int min = 1000, max = 0;

			seen[route_decide(&s, &it, &rr).member]++;
			for (unsigned m = 1; m < n; m++) {
				min = seen[m] < min ? seen[m] : min;
				max = seen[m] > max ? seen[m] : max;
			}
			assert_true(max - min <= 1);
		}
	}
}

/* Each in its share, and none of them in one go. */
static void weights(void **state)
{
	struct snapshot s = make_snap(4);
	struct intent it = intent(INTENT_REPLICA);
	struct rr rr = {0};
	int seen[4] = {0}, run = 0, last = -1;

	(void)state;
	s.m[1].weight = 200;
	s.m[2].weight = 50;
	s.m[3].weight = 150;
	for (int i = 0; i < 4000; i++) {
		int m = route_decide(&s, &it, &rr).member;

		run = m == last ? run + 1 : 1;
		last = m;
		assert_true(run <= 2);
		seen[m]++;
	}
	assert_int_equal(seen[1], 2000);
	assert_int_equal(seen[2], 500);
	assert_int_equal(seen[3], 1500);
}

/*
 * At every moment each member has had its share, by weight, of all reads so
 * far, but for one and a half: half of one is the random start.
 */
static void shares_at_every_moment(void **state)
{
	uint64_t seed = unit_seed();
	struct intent it = intent(INTENT_REPLICA);
	double below = 0, above = 0;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		unsigned n = 2 + unit_random(&seed) % (LIM_MEMBERS - 1);
		struct snapshot s = make_snap(n);
		struct rr rr = {.turn = unit_random(&seed)};
		int seen[LIM_MEMBERS] = {0};
		double sum = 0;

		for (unsigned m = 1; m < n; m++) {
			s.m[m].weight = (uint16_t)(1 +
			    unit_random(&seed) %
				(round % 2 == 0 ? 3 : SNAP_WEIGHT_MAX));
			sum += s.m[m].weight;
		}
		for (int i = 1; i <= 500; i++) {
			seen[route_decide(&s, &it, &rr).member]++;
			for (unsigned m = 1; m < n; m++) {
				double off = seen[m] - i * s.m[m].weight / sum;

				below = off < below ? off : below;
				above = off > above ? off : above;
			}
		}
	}
	print_message(
	    "at most %.2f below a share, %.2f above\n", -below, above);
	assert_true(below >= -1.5 && above <= 1.5);
}

/*
 * Members come, go, are filtered out and change places at random; two that are
 * candidates for the same reads never differ by more than one.
 */
static void even_whatever_happens(void **state)
{
	uint64_t seed = unit_seed();
	struct intent it = intent(INTENT_REPLICA);
	struct rr rr = {.turn = unit_random(&seed)};
	int seen[LIM_MEMBERS] = {0};

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct snapshot s = make_snap(8), all = s;
		unsigned shift = unit_random(&seed) % 8;
		int m;

		/* node2 and node3 always are there; the others by chance. */
		s.n = 0;
		s.write = -1;
		for (unsigned j = 0; j < 8; j++) {
			unsigned k = (j + shift) % 8;

			if (k == 0 || (k > 2 && unit_random(&seed) % 2 == 0))
				continue;
			s.m[s.n] = all.m[k];
			if (k > 2 && unit_random(&seed) % 3 == 0)
				s.m[s.n].lag_bytes = 1 << 20;
			s.n++;
		}
		it.max_lag_bytes =
		    unit_random(&seed) % 2 == 0 ? 4096 : UINT64_MAX;
		assert_true(snap_check(&s));
		m = route_decide(&s, &it, &rr).member;
		assert_true(m >= 0 && m < s.n);
		seen[atoi(s.m[m].name + 4) - 1]++;
		if (abs(seen[1] - seen[2]) > 1)
			fail_msg("%d: %d and %d", i, seen[1], seen[2]);
	}
	/* And the five that share a fate by chance share alike in the long. */
	for (int k = 4; k < 8; k++)
		assert_true(abs(seen[k] - seen[3]) < seen[3] / 20);
}

/* The start is random and each member as likely as any other. */
static void starts(void **state)
{
	uint64_t seed = unit_seed();
	struct snapshot s = make_snap(4);
	struct intent it = intent(INTENT_REPLICA);
	int seen[4] = {0};

	(void)state;
	for (int i = 0; i < 30000; i++) {
		struct rr rr = {.turn = unit_random(&seed)};

		seen[route_decide(&s, &it, &rr).member]++;
	}
	for (int m = 1; m < 4; m++)
		assert_true(seen[m] > 9500 && seen[m] < 10500);
}

static void credits_stay_small(void **state)
{
	uint64_t seed = unit_seed();
	struct intent it = intent(INTENT_REPLICA);
	struct snapshot s = make_snap(LIM_MEMBERS);
	struct rr rr = {0};

	(void)state;
	for (int i = 0; i < 200000; i++) {
		for (unsigned j = 1; j < LIM_MEMBERS; j++) {
			s.m[j].weight =
			    (uint16_t)(1 + unit_random(&seed) % 256);
			s.m[j].lag_bytes = unit_random(&seed) % 100;
		}
		it.max_lag_bytes = unit_random(&seed) % 100;
		(void)route_decide(&s, &it, &rr);
		for (unsigned j = 0; j < LIM_MEMBERS; j++)
			assert_true(llabs(rr.credit[j]) < INT64_MAX / 64);
	}
}

static void words(void **state)
{
	(void)state;
	assert_string_equal(route_action_name(ROUTE_ACT_NONE), "");
	assert_string_equal(route_action_name(ROUTE_ACT_WRITE), "write");
	assert_string_equal(route_action_name(ROUTE_ACT_READ), "read");
	assert_string_equal(route_action_name(ROUTE_ACT_FALLBACK), "fallback");
	assert_string_equal(route_action_name(ROUTE_ACT_HOLD), "hold");
	assert_string_equal(route_action_name(ROUTE_ACT_DESK), "desk");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes),
	    cmocka_unit_test(zeroed),
	    cmocka_unit_test(desk),
	    cmocka_unit_test(fallbacks),
	    cmocka_unit_test(reads_need_no_leader),
	    cmocka_unit_test(standby_cluster),
	    cmocka_unit_test(sync_standbys),
	    cmocka_unit_test(bounds_of_the_intent),
	    cmocka_unit_test(min_lsn),
	    cmocka_unit_test(unfit_members),
	    cmocka_unit_test(even_round_robin),
	    cmocka_unit_test(weights),
	    cmocka_unit_test(even_whatever_happens),
	    cmocka_unit_test(starts),
	    cmocka_unit_test(credits_stay_small),
	    cmocka_unit_test(words),
	    cmocka_unit_test(shares_at_every_moment),
	};

	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
