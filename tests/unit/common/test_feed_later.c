/*
 * STATS between this version and the next, which has one counter more: each
 * reads of the other all that both know.
 */
#include "unit.h"

#include "feed_later.h"
#include "feed_msg.h"

static unsigned char buf[LIM_FEED_MSG];
static struct feed_msg m;

static void of_main(uint64_t last, uint64_t same)
{
	memset(&m, 0, sizeof(m));
	m.kind = FEED_STATS;
	m.u.counts.all.hold_recent_ms = last;
	m.u.counts.is_split = true;
	m.u.counts.n = 1;
	(void)slice_copy(slice_str("main"), m.u.counts.of[0].cluster, LIM_NAME);
	m.u.counts.of[0].observed.same[OBSERVE_WRITE] = same;
}

static void ours_is_read_by_the_next(void **state)
{
	struct later_stats got;
	size_t len;

	(void)state;
	of_main(57, 58);
	len = feed_encode(&m, buf, sizeof(buf));
	assert_true(later_decode_stats(slice_of(buf, len), &got));
	assert_int_equal(got.last, 57);
	assert_int_equal(got.later, 0);
	assert_true(got.is_split);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.same, 58);
}

/* An agent that does not count by cluster has none of the later counters. */
static void an_earlier_one_is_read_by_the_next(void **state)
{
	struct later_stats got;
	size_t len;

	(void)state;
	of_main(57, 58);
	m.u.counts.is_split = false;
	len = feed_encode(&m, buf, sizeof(buf));
	assert_true(later_decode_stats(slice_of(buf, len), &got));
	assert_int_equal(got.last, 57);
	assert_int_equal(got.later, 0);
	assert_false(got.is_split);
}

static void the_next_one_is_read_by_ours(void **state)
{
	const struct later_stats next = {57, UINT64_MAX, true, 1, 59};
	struct later_stats got;
	size_t len = later_encode_stats(&next, buf, sizeof(buf));

	(void)state;
	assert_true(later_decode_stats(slice_of(buf, len), &got));
	assert_int_equal(got.later, UINT64_MAX);
	assert_int_equal(got.same, 59);
	assert_int_equal(feed_decode(slice_of(buf, len), &m), FEED_OK);
	assert_int_equal(m.u.counts.all.hold_recent_ms, 57);
	assert_true(m.u.counts.is_split);
	assert_int_equal(m.u.counts.n, 1);
	assert_string_equal(m.u.counts.of[0].cluster, "main");
	assert_int_equal(m.u.counts.of[0].observed.same[OBSERVE_WRITE], 59);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ours_is_read_by_the_next),
	    cmocka_unit_test(an_earlier_one_is_read_by_the_next),
	    cmocka_unit_test(the_next_one_is_read_by_ours),
	};

	return cmocka_run_group_tests_name("feed_later", tests, NULL, NULL);
}
