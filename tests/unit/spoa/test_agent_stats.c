/* STATS of more clusters than fit one message: by turns, none left out. */
#include "unit.h"

#include "app.h"

#define CLUSTERS (FEED_SPLIT_MAX + 1)

static struct conf conf; /* of no cluster: the feed is not asked */
static struct app app = {.magic = APP_MAGIC, .conf = &conf};
static struct feed_counts got;

/* Every slot but the first of all has a name and has been observed. */
static int begin(void **state)
{
	(void)state;
	memset(app.decide.cluster, 0, sizeof(app.decide.cluster));
	app.agent.split_next = 0;
	(void)slice_copy(
	    slice_str("unobserved"), app.decide.cluster[0].name, LIM_NAME);
	for (unsigned i = 1; i <= CLUSTERS; i++) {
		struct decide_cluster *c = &app.decide.cluster[i];

		(void)snprintf(c->name, sizeof(c->name), "c%u", i);
		c->observed.same[OBSERVE_READ] = i;
	}
	return 0;
}

/* Asks as the feed does, whose message has held another. */
static void ask(void)
{
	memset(&got, 0xff, sizeof(got));
	agent_stats_cb(&app, &got);
	assert_true(got.is_split);
}

static void is_cluster(unsigned at, unsigned i)
{
	char name[LIM_NAME];

	(void)snprintf(name, sizeof(name), "c%u", i);
	assert_string_equal(got.of[at].cluster, name);
	assert_int_equal(got.of[at].observed.same[OBSERVE_READ], i);
	assert_int_equal(got.of[at].observed.differs[OBSERVE_READ], 0);
}

static void each_has_its_turn(void **state)
{
	(void)state;
	ask();
	assert_int_equal(got.n, FEED_SPLIT_MAX);
	for (unsigned k = 0; k < FEED_SPLIT_MAX; k++)
		is_cluster(k, k + 1);
	/* The one that was left, and again those that were told longest ago. */
	ask();
	assert_int_equal(got.n, FEED_SPLIT_MAX);
	is_cluster(0, CLUSTERS);
	for (unsigned k = 1; k < FEED_SPLIT_MAX; k++)
		is_cluster(k, k);
	ask();
	is_cluster(0, CLUSTERS - 1);
	is_cluster(1, CLUSTERS);
	is_cluster(2, 1);
}

/* As many as there are, each once, wherever the turn is. */
static void few_fit_one_message(void **state)
{
	(void)state;
	memset(&app.decide.cluster[4], 0,
	    (LIM_CLUSTERS - 4) * sizeof(app.decide.cluster[0]));
	for (int turn = 0; turn < 3; turn++) {
		ask();
		assert_int_equal(got.n, 3);
		for (unsigned k = 0; k < 3; k++)
			is_cluster(k, k + 1);
	}
}

static void nothing_observed_is_told_as_that(void **state)
{
	(void)state;
	memset(app.decide.cluster, 0, sizeof(app.decide.cluster));
	ask();
	assert_int_equal(got.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(each_has_its_turn, begin),
	    cmocka_unit_test_setup(few_fit_one_message, begin),
	    cmocka_unit_test_setup(nothing_observed_is_told_as_that, begin),
	};

	return cmocka_run_group_tests_name("agent_stats", tests, NULL, NULL);
}
