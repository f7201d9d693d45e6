/* The contract: what is encoded comes back, what is not whole does not. */
#include "unit.h"

#include "guard.h"
#include "make_snap.h"

static unsigned char buf[LIM_FEED_MSG];

static void assert_round_trip(const struct snapshot *s)
{
	struct snapshot back;
	size_t len = snap_encode(s, buf, sizeof(buf));

	assert_true(len > 0 && len <= LIM_FEED_MSG - 64);
	assert_true(snap_decode(slice_of(buf, len), &back));
	assert_true(is_snap_same(s, &back));
	assert_memory_equal(s, &back, sizeof(back));
}

static void round_trips(void **state)
{
	struct snapshot s = {.cluster = "empty", .write = -1};

	(void)state;
	assert_round_trip(&s);
	s = make_snap(3);
	assert_round_trip(&s);
	s.planned = s.transition = s.observe = true;
	s.write = -1;
	s.write_why = SNAP_WHY_STOPPING;
	assert_round_trip(&s);
	s = make_snap_full();
	assert_round_trip(&s);
	assert_int_equal(snap_encode(&s, buf, sizeof(buf)), 7228);
}

static void too_small_a_buffer(void **state)
{
	struct snapshot s = make_snap(3);
	size_t len = snap_encode(&s, buf, sizeof(buf));

	(void)state;
	for (size_t i = 0; i < len; i++)
		assert_int_equal(snap_encode(&s, buf, i), 0);
	assert_int_equal(snap_encode(&s, buf, len), len);
}

static void every_prefix(void **state)
{
	struct guard g = guard_new(LIM_FEED_MSG);
	struct snapshot s = make_snap_full(), out, zero = {0};
	size_t len = snap_encode(&s, buf, sizeof(buf));

	(void)state;
	for (size_t i = 0; i < len; i++) {
		memset(&out, 0xff, sizeof(out));
		assert_false(snap_decode(guard_put(&g, buf, i), &out));
		assert_memory_equal(&out, &zero, sizeof(out));
	}
	assert_true(snap_decode(guard_put(&g, buf, len), &out));
	buf[len] = 0;
	assert_false(snap_decode(guard_put(&g, buf, len + 1), &out));
	guard_free(&g);
}

/* One changed byte either is another sound snapshot or none at all. */
static void every_byte_changed(void **state)
{
	struct guard g = guard_new(LIM_FEED_MSG);
	struct snapshot s = make_snap(2), out;
	size_t len = snap_encode(&s, buf, sizeof(buf));

	(void)state;
	for (size_t i = 0; i < len; i++) {
		unsigned char was = buf[i];

		for (int v = 0; v < 256; v++) {
			buf[i] = (unsigned char)v;
			if (snap_decode(guard_put(&g, buf, len), &out))
				assert_true(snap_check(&out));
		}
		buf[i] = was;
	}
	guard_free(&g);
}

/* Each line breaks one invariant of an otherwise sound snapshot. */
#define BREAKS(what)                              \
	do {                                      \
		struct snapshot s = make_snap(3); \
		what;                             \
		if (snap_check(&s))               \
			fail_msg("%s", #what);    \
	} while (0)
#define KEEPS(what)                               \
	do {                                      \
		struct snapshot s = make_snap(3); \
		what;                             \
		if (!snap_check(&s))              \
			fail_msg("%s", #what);    \
	} while (0)

static void invariants(void **state)
{
	struct snapshot zero = {0};

	(void)state;
	assert_false(snap_check(&zero));
	KEEPS((void)s);
	KEEPS(s.write = -1);
	KEEPS(s.n = 0; s.write = -1);
	KEEPS(s.m[1].server[0] = '\0'; s.m[1].flags = 0);
	KEEPS(s.m[1].addr[0] = '\0');
	KEEPS(s.m[1].weight = 256);
	BREAKS(s.cluster[0] = '\0');
	BREAKS(s.cluster[0] = '\n');
	BREAKS(s.cluster[0] = ' ');
	BREAKS(s.cluster[0] = '\x80');
	BREAKS(memset(s.cluster, 'c', sizeof(s.cluster)));
	BREAKS(s.n = LIM_MEMBERS + 1);
	BREAKS(s.write = 3);
	BREAKS(s.write = -2);
	BREAKS(s.write = 1);
	BREAKS(s.m[0].server[0] = '\0');
	BREAKS(s.m[0].role = SNAP_ROLE_STANDBY_LEADER);
	BREAKS(s.write_why = SNAP_WHY_N);
	BREAKS(s.fallback = 2);
	BREAKS(s.m[1].name[0] = '\0');
	BREAKS(s.m[1].name[0] = '\x1b');
	BREAKS(s.m[1].server[0] = '\x7f');
	BREAKS(s.m[1].addr[0] = ' ');
	BREAKS(memcpy(s.m[2].name, s.m[1].name, LIM_NAME));
	BREAKS(s.m[1].role = SNAP_ROLE_N);
	BREAKS(s.m[1].why = SNAP_WHY_N);
	BREAKS(s.m[1].flags = SNAP_F_ALL + 1);
	BREAKS(s.m[1].weight = 257);
	BREAKS(s.m[1].weight = 0);
	BREAKS(s.m[1].server[0] = '\0');
	BREAKS(s.m[0].flags = SNAP_F_READ; s.m[0].weight = 100);
}

/* seq must grow for each of these, and for none of the last three. */
#define DIFFERS(what)                                        \
	do {                                                 \
		struct snapshot was = make_snap(3), s = was; \
		what;                                        \
		if (is_snap_same(&was, &s))                  \
			fail_msg("%s", #what);               \
	} while (0)

static void sameness(void **state)
{
	struct snapshot a = make_snap(3), b = a;

	(void)state;
	DIFFERS(s.cluster[0] = 'x');
	DIFFERS(s.write = -1);
	DIFFERS(s.write_why++);
	DIFFERS(s.fallback = 0);
	DIFFERS(s.planned = true);
	DIFFERS(s.transition = true);
	DIFFERS(s.n = 2);
	DIFFERS(s.m[2].name[0] = 'x');
	DIFFERS(s.m[2].server[0] = 'x');
	DIFFERS(s.m[2].addr[0] = 'x');
	DIFFERS(s.m[2].role++);
	DIFFERS(s.m[2].flags = 0);
	DIFFERS(s.m[2].why++);
	DIFFERS(s.m[2].port++);
	DIFFERS(s.m[2].weight++);
	DIFFERS(s.m[2].tli++);
	DIFFERS(s.m[2].lag_ms++);
	DIFFERS(s.m[2].lag_bytes++);
	DIFFERS(s.m[2].replay_lsn++);
	b.boot_id++;
	b.seq++;
	b.since_ms++;
	assert_true(is_snap_same(&a, &b));
}

static void every_word(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SNAP_WHY_N; i++) {
		const char *name = snap_why_name((enum snap_why)i);

		assert_true(is_snap_name(name));
		assert_true(strlen(snap_why_text((enum snap_why)i)) > 5);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(
			    name, snap_why_name((enum snap_why)j));
	}
	for (unsigned i = 0; i < SNAP_ROLE_N; i++)
		assert_true(is_snap_name(snap_role_name((enum snap_role)i)));
}

/* The numbers are on the wire: a new reason stands at the end, nowhere else. */
static void numbers_of_reasons(void **state)
{
	static const char *const names[] = {"none", "leader", "primary-200",
	    "forced", "no-key", "unconfirmed", "fenced", "conflict", "stale",
	    "silent", "refused", "stopping", "in-recovery", "standby-cluster",
	    "unknown-member", "held", "replica", "lag-bytes", "lag-time",
	    "not-streaming", "not-running", "noloadbalance", "takes-key",
	    "drained", "diverged", "not-in-haproxy", "no-replica", "no-weight",
	    "min-lsn"};

	(void)state;
	assert_int_equal(sizeof(names) / sizeof(names[0]), SNAP_WHY_N);
	for (unsigned i = 0; i < SNAP_WHY_N; i++)
		assert_string_equal(snap_why_name((enum snap_why)i), names[i]);
}

/* A later version's reason: the rest of the snapshot counts. */
static void reasons_of_a_later_version(void **state)
{
	struct snapshot s = make_snap(2), out;
	size_t len, write_why = 1 + 8 + 8 + 5 + 1;
	size_t why = write_why + 1 + 4 + 4 + 1 + 6 + 5 + 9 + 2;

	(void)state;
	s.since_ms = 0;
	len = snap_encode(&s, buf, sizeof(buf));
	assert_int_equal(buf[write_why], SNAP_WHY_LEADER);
	assert_int_equal(buf[why], SNAP_WHY_LEADER);
	buf[write_why] = SNAP_WHY_N;
	buf[why] = 255;
	assert_true(snap_decode(slice_of(buf, len), &out));
	assert_int_equal(out.write_why, SNAP_WHY_NONE);
	assert_int_equal(out.m[0].why, SNAP_WHY_NONE);
	out.write_why = out.m[0].why = SNAP_WHY_LEADER;
	assert_true(is_snap_same(&s, &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_trips),
	    cmocka_unit_test(too_small_a_buffer),
	    cmocka_unit_test(every_prefix),
	    cmocka_unit_test(every_byte_changed),
	    cmocka_unit_test(invariants),
	    cmocka_unit_test(sameness),
	    cmocka_unit_test(every_word),
	    cmocka_unit_test(numbers_of_reasons),
	    cmocka_unit_test(reasons_of_a_later_version),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
