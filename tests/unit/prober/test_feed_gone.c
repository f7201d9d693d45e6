/* What agents counted that have gone: the sum never falls, nor doubles. */
#include <stdlib.h>

#include "unit.h"

#include "feed_gone.h"

#define CLUSTERS 2

static struct feed_gone g;

static int begin(void **state)
{
	(void)state;
	feed_gone_init(&g, CLUSTERS);
	return 0;
}

static int end(void **state)
{
	(void)state;
	feed_gone_end(&g);
	return 0;
}

/* An agent's counts: n of the first cluster, 10 n of the second. */
static struct feed_observed *counts(uint64_t n)
{
	struct feed_observed *o = calloc(CLUSTERS, sizeof(*o));

	assert_non_null(o);
	o[0].same[OBSERVE_READ] = n;
	o[1].differs[OBSERVE_ANY] = 10 * n;
	return o;
}

static void sum_is(uint64_t n)
{
	struct feed_observed one = {{0}, {0}}, two = {{0}, {0}};

	feed_gone_sum(&g, 0, &one);
	feed_gone_sum(&g, 1, &two);
	assert_int_equal(one.same[OBSERVE_READ], n);
	assert_int_equal(one.differs[OBSERVE_ANY], 0);
	assert_int_equal(two.differs[OBSERVE_ANY], 10 * n);
}

static void more_go_than_are_remembered(void **state)
{
	uint64_t sum = 0;

	(void)state;
	for (uint64_t i = 1; i <= 3 * LIM_FEED_CLIENTS; i++) {
		feed_gone_keep(&g, i, counts(i));
		sum += i;
		sum_is(sum);
	}
}

static void one_comes_again(void **state)
{
	struct feed_observed *o;

	(void)state;
	feed_gone_keep(&g, 7, counts(5));
	feed_gone_keep(&g, 8, counts(6));
	feed_gone_keep(&g, 9, NULL);
	assert_null(feed_gone_back(&g, 9));
	o = feed_gone_back(&g, 7);
	assert_non_null(o);
	assert_int_equal(o[0].same[OBSERVE_READ], 5);
	assert_null(feed_gone_back(&g, 7));
	sum_is(6);
	feed_gone_keep(&g, 7, o);
	sum_is(11);
}

static void of_one_agent_the_larger_counts(void **state)
{
	struct feed_observed *a = counts(5), *b = counts(6);

	(void)state;
	b[0].same[OBSERVE_READ] = 4;
	feed_gone_raise(a, b, CLUSTERS);
	assert_int_equal(a[0].same[OBSERVE_READ], 5);
	assert_int_equal(a[1].differs[OBSERVE_ANY], 60);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		more_go_than_are_remembered, begin, end),
	    cmocka_unit_test_setup_teardown(one_comes_again, begin, end),
	    cmocka_unit_test(of_one_agent_the_larger_counts),
	};

	return cmocka_run_group_tests_name("feed_gone", tests, NULL, NULL);
}
