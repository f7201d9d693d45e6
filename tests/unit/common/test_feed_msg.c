/* Every kind of message: round trip, every prefix, other versions, excess. */
#include "unit.h"

#include "feed_msg.h"
#include "guard.h"
#include "make_snap.h"

static unsigned char buf[LIM_FEED_MSG];

static struct feed_msg make(enum feed_kind kind)
{
	struct feed_msg m = {.kind = kind};

	switch (kind) {
	case FEED_HELLO:
		m.u.hello = (struct feed_hello){42, "patroute-spoa"};
		break;
	case FEED_SNAPSHOT:
		m.u.snapshot = make_snap_full();
		break;
	case FEED_SEEN:
		m.u.seen = (struct feed_seen){7, 8, "main"};
		break;
	case FEED_PING:
		m.u.ping.nonce = UINT64_MAX;
		break;
	case FEED_ECHO:
		m.u.echo.nonce = 99;
		m.u.echo.n = LIM_CLUSTERS;
		for (unsigned i = 0; i < LIM_CLUSTERS; i++)
			m.u.echo.age_ms[i] = i % 2 ? FEED_AGE_STALE : i;
		break;
	case FEED_WANT:
		m.u.want = (struct feed_want){"main", 0x404DF60};
		break;
	case FEED_STATS:
	case FEED_NONE:
	case FEED_KIND_N:
		fail();
	}
	return m;
}

static void each_kind(void **state)
{
	struct guard g = guard_new(LIM_FEED_MSG);

	(void)state;
	for (enum feed_kind k = FEED_HELLO; k < FEED_STATS; k++) {
		struct feed_msg m = make(k), out;
		size_t len = feed_encode(&m, buf, sizeof(buf));

		assert_true(len > 2 && len <= LIM_FEED_MSG);
		assert_int_equal(
		    feed_decode(guard_put(&g, buf, len), &out), FEED_OK);
		assert_memory_equal(&m, &out, sizeof(m));
		for (size_t i = 0; i < len; i++) {
			assert_int_equal(
			    feed_decode(guard_put(&g, buf, i), &out), FEED_BAD);
			assert_int_equal(out.kind, FEED_NONE);
			assert_int_equal(feed_encode(&m, buf, i), 0);
		}
		assert_int_equal(feed_encode(&m, buf, len), len);
		buf[len] = 0;
		assert_int_equal(
		    feed_decode(guard_put(&g, buf, len + 1), &out), FEED_BAD);
	}
	guard_free(&g);
}

/* What these bytes are they stay, as long as FEED_VERSION does. */
#define BYTES(text) text, sizeof(text) - 1
static void layout_of(
    const struct feed_msg *m, const char *bytes, size_t bytes_n)
{
	struct feed_msg out;

	assert_int_equal(feed_encode(m, buf, sizeof(buf)), bytes_n);
	assert_memory_equal(buf, bytes, bytes_n);
	assert_int_equal(feed_decode(slice_of(bytes, bytes_n), &out), FEED_OK);
	assert_memory_equal(m, &out, sizeof(out));
}

static void layouts(void **state)
{
	struct feed_msg hello = make(FEED_HELLO), seen = make(FEED_SEEN);
	struct feed_msg ping = make(FEED_PING), want = make(FEED_WANT);
	struct feed_msg echo = {.kind = FEED_ECHO};

	(void)state;
	echo.u.echo = (struct feed_echo){99, 2, {300, FEED_AGE_STALE}};
	layout_of(&hello,
	    BYTES("\2\1\0\0\0\0\0\0\0\x2a"
		  "\15patroute-spoa"));
	layout_of(&seen,
	    BYTES("\2\3\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\10"
		  "\4main"));
	layout_of(&ping, BYTES("\2\4\xff\xff\xff\xff\xff\xff\xff\xff"));
	layout_of(&echo,
	    BYTES("\2\5\0\0\0\0\0\0\0\x63\0\2"
		  "\0\0\x01\x2c\xff\xff\xff\xff"));
	layout_of(&want,
	    BYTES("\2\6\0\0\0\0\x04\x04\xdf\x60"
		  "\4main"));
}

static void layout_of_snapshot(void **state)
{
	struct feed_msg m = {.kind = FEED_SNAPSHOT};

	(void)state;
	m.u.snapshot = (struct snapshot){.boot_id = 0x0102030405060708,
	    .seq = 9,
	    .cluster = "main",
	    .write = -1,
	    .write_why = SNAP_WHY_NO_KEY,
	    .fallback = SNAP_FALLBACK_PRIMARY,
	    .planned = true,
	    .observe = true,
	    .since_ms = 1234,
	    .n = 1};
	m.u.snapshot.m[0] = (struct snap_member){.name = "node1",
	    .server = "srv1",
	    .addr = "10.0.0.1",
	    .role = SNAP_ROLE_SYNC,
	    .flags = SNAP_F_READ | SNAP_F_LIVE,
	    .why = SNAP_WHY_MIN_LSN,
	    .port = 5432,
	    .weight = 256,
	    .tli = 3,
	    .lag_ms = 500,
	    .lag_bytes = 65537,
	    .replay_lsn = 0x5000000};
	layout_of(&m,
	    BYTES("\2\2\2"
		  "\1\2\3\4\5\6\7\10"
		  "\0\0\0\0\0\0\0\11"
		  "\4main"
		  "\xff\4\1\1\0\1\0\0\x04\xd2\1"
		  "\5node1\4srv1\x08"
		  "10.0.0.1"
		  "\3\5\x1c\x15\x38\x01\0\0\0\0\3\0\0\x01\xf4"
		  "\0\0\0\0\0\1\0\1\0\0\0\0\5\0\0\0"));
}

/* Each counter has its place's number; an array's, those of its elements. */
static struct feed_stats numbered(void)
{
	struct feed_stats s = {
	    .decisions = 1,
	    .routed_write = 2,
	    .routed_read = 3,
	    .routed_fallback = 4,
	    .held = 5,
	    .refused = 6,
	    .undecided = 7,
	    .lsn_waited = 8,
	    .lsn_late = 9,
	    .startup_bad = 10,
	    .startup_unread = 11,
	    .startup_chosen = 12,
	    .startup_replication = 13,
	    .startup_cancel = 14,
	    .frames_bad = 15,
	    .connections = 16,
	    .hello_rejected = 17,
	    .latency_sum_us = 18,
	    .hold_now = 43,
	    .hold_max_ms = 44,
	    .lsn_now = 45,
	    .snapshot_age_ms = 46,
	    .answers_lost = 47,
	    .loop_longest_us = 48,
	    .loop_turns = 49,
	    .loop_slow = 50,
	    .observed_same = {51, 52, 53},
	    .observed_differs = {54, 55, 56},
	    .hold_recent_ms = 57,
	};

	for (unsigned i = 0; i < FEED_LATENCY_BUCKETS; i++)
		s.latency[i] = 19 + i;
	return s;
}

/* Where the counter of this number ends: the layout once more, by hand. */
static size_t end_of(unsigned number)
{
	if (number <= 42)
		return 2 + number * 8;
	if (number <= 46)
		return 2 + 42 * 8 + (number - 42) * 4;
	return 2 + 42 * 8 + 4 * 4 + (number - 46) * 8;
}

#define STATS_LAST 57

static void layout_of_stats(void **state)
{
	struct feed_msg m = {.kind = FEED_STATS}, out;

	(void)state;
	m.u.counts.all = numbered();
	assert_int_equal(feed_encode(&m, buf, sizeof(buf)), end_of(STATS_LAST));
	assert_memory_equal(buf, "\2\7", 2);
	for (unsigned i = 1; i <= STATS_LAST; i++) {
		unsigned sum = 0;

		for (size_t at = end_of(i - 1); at < end_of(i); at++)
			sum += buf[at];
		assert_int_equal(buf[end_of(i) - 1], i);
		assert_int_equal(sum, i);
	}
	assert_int_equal(
	    feed_decode(slice_of(buf, end_of(STATS_LAST)), &out), FEED_OK);
	assert_memory_equal(&m, &out, sizeof(out));
}

/* Of an earlier version, of a later one; half a counter is of neither. */
static void stats_of_other_versions(void **state)
{
	struct guard g = guard_new(LIM_FEED_MSG);
	struct feed_msg m = {.kind = FEED_STATS}, out;
	size_t len;

	(void)state;
	m.u.counts.all = numbered();
	len = feed_encode(&m, buf, sizeof(buf));
	for (size_t n = 2, i = 1; n < len; n++) {
		enum feed_rc rc = feed_decode(guard_put(&g, buf, n), &out);
		unsigned char again[LIM_FEED_MSG];

		while (end_of((unsigned)i) <= n)
			i++;
		if (n != end_of((unsigned)i - 1)) {
			assert_int_equal(rc, FEED_BAD);
			continue;
		}
		assert_int_equal(rc, FEED_OK);
		assert_int_equal(feed_encode(&out, again, len), len);
		assert_memory_equal(again, buf, n);
		for (size_t at = n; at < len; at++)
			assert_int_equal(again[at], 0);
	}
	guard_free(&g);
}

/* No counter is later than the last: a length of 0 stands behind it. */
#define SPLIT_NAMES "\4main\5other"
#define SPLIT_LEN (2 + 2 + sizeof(SPLIT_NAMES) - 1 + (size_t)2 * 6 * 8)

/* A message of two clusters' counts: 58 to 63, and 64 to 69. */
static struct feed_msg split(void)
{
	struct feed_msg m = {.kind = FEED_STATS,
	    .u.counts = {.is_split = true,
		.n = 2,
		.of = {{"main", {{58, 59, 60}, {61, 62, 63}}},
		    {"other", {{64, 65, 66}, {67, 68, 69}}}}}};

	m.u.counts.all = numbered();
	return m;
}

static void stats_by_cluster(void **state)
{
	struct feed_msg m = split(), out;
	const unsigned char *p = buf + end_of(STATS_LAST);

	(void)state;
	assert_int_equal(
	    feed_encode(&m, buf, sizeof(buf)), end_of(STATS_LAST) + SPLIT_LEN);
	assert_memory_equal(p, "\0\0\0\2\4main\0\0\0\0\0\0\0\x3a", 17);
	assert_memory_equal(p + 9 + 48, "\5other\0\0\0\0\0\0\0\x40", 14);
	assert_int_equal(
	    feed_decode(slice_of(buf, end_of(STATS_LAST) + SPLIT_LEN), &out),
	    FEED_OK);
	assert_memory_equal(&m, &out, sizeof(out));
}

/* Cut it is nothing; what follows it is of a later version. */
static void stats_by_cluster_of_other_versions(void **state)
{
	struct guard g = guard_new(LIM_FEED_MSG);
	struct feed_msg m = split(), out;
	size_t len = feed_encode(&m, buf, sizeof(buf));

	(void)state;
	for (size_t n = end_of(STATS_LAST) + 1; n < len; n++)
		assert_int_equal(
		    feed_decode(guard_put(&g, buf, n), &out), FEED_BAD);
	memset(buf + len, 0xff, sizeof(buf) - len);
	for (size_t n = len; n <= sizeof(buf); n += 97) {
		assert_int_equal(
		    feed_decode(guard_put(&g, buf, n), &out), FEED_OK);
		assert_memory_equal(&m, &out, sizeof(out));
	}
	/* More than a message may have: no count of ours. */
	buf[end_of(STATS_LAST) + 3] = FEED_SPLIT_MAX + 1;
	assert_int_equal(
	    feed_decode(guard_put(&g, buf, sizeof(buf)), &out), FEED_BAD);
	/* Later counters that would go on behind the message's end. */
	len = feed_encode(&m, buf, sizeof(buf));
	buf[end_of(STATS_LAST)] = 0xff;
	assert_int_equal(feed_decode(guard_put(&g, buf, len), &out), FEED_BAD);
	guard_free(&g);
}

static void stats_of_the_most_clusters_fit(void **state)
{
	static struct feed_msg m, out;
	size_t len;

	(void)state;
	memset(&m, 0, sizeof(m));
	m.kind = FEED_STATS;
	m.u.counts.is_split = true;
	m.u.counts.n = FEED_SPLIT_MAX;
	for (unsigned i = 0; i < FEED_SPLIT_MAX; i++)
		memset(m.u.counts.of[i].cluster, 'x', LIM_NAME - 1);
	len = feed_encode(&m, buf, sizeof(buf));
	assert_true(len > 0 && len <= LIM_FEED_MSG);
	assert_int_equal(feed_decode(slice_of(buf, len), &out), FEED_OK);
	assert_memory_equal(&m, &out, sizeof(out));
}

static void other_versions(void **state)
{
	struct feed_msg out;

	(void)state;
	for (int v = 0; v < 256; v++) {
		unsigned char one[1] = {(unsigned char)v};

		assert_int_equal(feed_decode(slice_of(one, 1), &out),
		    v == FEED_VERSION ? FEED_BAD : FEED_OTHER_VERSION);
	}
}

static void unknown_kinds(void **state)
{
	struct feed_msg out;

	(void)state;
	for (int k = 0; k < 256; k++) {
		unsigned char two[2] = {FEED_VERSION, (unsigned char)k};

		/* STATS of no counters is the shortest that there is. */
		assert_int_equal(feed_decode(slice_of(two, 2), &out),
		    k == FEED_STATS ? FEED_OK : FEED_BAD);
	}
}

static void an_echo_of_too_many(void **state)
{
	unsigned char in[2 + 8 + 2 + 4 * (LIM_CLUSTERS + 1)] = {
	    FEED_VERSION, FEED_ECHO};
	struct feed_msg out;

	(void)state;
	in[10] = (LIM_CLUSTERS + 1) >> 8;
	in[11] = (LIM_CLUSTERS + 1) & 0xff;
	assert_int_equal(feed_decode(slice_of(in, sizeof(in)), &out), FEED_BAD);
}

/* A program's name with a NUL in it, or as long as its field. */
static void bad_strings(void **state)
{
	struct feed_msg m = make(FEED_HELLO), out;
	size_t len = feed_encode(&m, buf, sizeof(buf));
	unsigned char in[2 + 8 + 1 + LIM_NAME] = {FEED_VERSION, FEED_HELLO};

	(void)state;
	buf[len - 1] = 0;
	assert_int_equal(feed_decode(slice_of(buf, len), &out), FEED_BAD);
	memset(in + 10, 'x', sizeof(in) - 10);
	in[10] = LIM_NAME;
	assert_int_equal(feed_decode(slice_of(in, sizeof(in)), &out), FEED_BAD);
	in[10] = LIM_NAME - 1;
	assert_int_equal(
	    feed_decode(slice_of(in, sizeof(in) - 1), &out), FEED_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_kind),
	    cmocka_unit_test(layouts),
	    cmocka_unit_test(layout_of_snapshot),
	    cmocka_unit_test(layout_of_stats),
	    cmocka_unit_test(stats_of_other_versions),
	    cmocka_unit_test(stats_by_cluster),
	    cmocka_unit_test(stats_by_cluster_of_other_versions),
	    cmocka_unit_test(stats_of_the_most_clusters_fit),
	    cmocka_unit_test(other_versions),
	    cmocka_unit_test(unknown_kinds),
	    cmocka_unit_test(an_echo_of_too_many),
	    cmocka_unit_test(bad_strings),
	};

	return cmocka_run_group_tests_name("feed_msg", tests, NULL, NULL);
}
