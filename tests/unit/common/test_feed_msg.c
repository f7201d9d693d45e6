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
		memset(&m.u.stats, 0x5a, sizeof(m.u.stats));
		m.u.stats.decisions = 1;
		m.u.stats.hold_max_ms = 2;
		break;
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
	for (enum feed_kind k = FEED_HELLO; k < FEED_KIND_N; k++) {
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

		assert_int_equal(feed_decode(slice_of(two, 2), &out), FEED_BAD);
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
	    cmocka_unit_test(other_versions),
	    cmocka_unit_test(unknown_kinds),
	    cmocka_unit_test(an_echo_of_too_many),
	    cmocka_unit_test(bad_strings),
	};

	return cmocka_run_group_tests_name("feed_msg", tests, NULL, NULL);
}
