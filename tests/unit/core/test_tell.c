/* Which words of a source are worth a line. */
#include "../common/unit.h"

#include "tell.h"

static struct ev_item item(int member, enum ev_src src, enum ev_rc rc)
{
	return (struct ev_item){
	    .src = src, .member = (uint8_t)member, .rc = rc};
}

/* Gives: what it was, NONE if there is nothing to say. */
static enum ev_rc say(
    struct tell *t, int member, enum ev_src src, enum ev_rc rc)
{
	struct ev_item it = item(member, src, rc);
	enum ev_rc was;

	if (!is_tell_due(t, &it, &was))
		return EV_RC_NONE;
	tell_said(t, &it);
	return was;
}

static void a_password_is_refused_and_mended(void **state)
{
	struct tell t = {0};

	(void)state;
	assert_int_equal(say(&t, 1, EV_SQL, EV_RC_OK), EV_RC_NONE);
	assert_int_equal(say(&t, 1, EV_SQL, EV_RC_AUTH), EV_RC_OK);
	assert_int_equal(say(&t, 1, EV_SQL, EV_RC_AUTH), EV_RC_NONE);
	assert_int_equal(say(&t, 1, EV_SQL, EV_RC_BUSY), EV_RC_AUTH);
	assert_int_equal(say(&t, 1, EV_SQL, EV_RC_OK), EV_RC_BUSY);
	assert_int_equal(say(&t, 1, EV_SQL, EV_RC_OK), EV_RC_NONE);
}

/* A backend that is ended each second is a question, and no news. */
static void what_ends_a_connection_is_no_news(void **state)
{
	static const enum ev_rc quiet[] = {EV_RC_LOST, EV_RC_STOPPING,
	    EV_RC_STARTING, EV_RC_REFUSED, EV_RC_TIMEOUT, EV_RC_LOCAL};
	struct tell t = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++) {
		assert_int_equal(say(&t, 0, EV_SQL, quiet[i]), EV_RC_NONE);
		assert_int_equal(say(&t, 0, EV_SQL, EV_RC_OK), EV_RC_NONE);
	}
	/* And takes nothing back that was said. */
	assert_int_equal(say(&t, 0, EV_SQL, EV_RC_TLS), EV_RC_OK);
	assert_int_equal(say(&t, 0, EV_SQL, EV_RC_TIMEOUT), EV_RC_NONE);
	assert_int_equal(say(&t, 0, EV_SQL, EV_RC_TLS), EV_RC_NONE);
}

/* Each member's each source has a word of its own. */
static void sources_are_apart(void **state)
{
	struct tell t = {0};

	(void)state;
	assert_int_equal(say(&t, 0, EV_SQL, EV_RC_AUTH), EV_RC_OK);
	assert_int_equal(say(&t, 0, EV_REST, EV_RC_AUTH), EV_RC_OK);
	assert_int_equal(say(&t, 1, EV_SQL, EV_RC_AUTH), EV_RC_OK);
	tell_forget(&t, 0);
	assert_int_equal(say(&t, 0, EV_REST, EV_RC_AUTH), EV_RC_OK);
	assert_int_equal(say(&t, 1, EV_SQL, EV_RC_AUTH), EV_RC_NONE);
}

/* What the log had no room for is due again. */
static void due_until_it_is_said(void **state)
{
	struct ev_item it = item(0, EV_SQL, EV_RC_AUTH);
	struct tell t = {0};
	enum ev_rc was;

	(void)state;
	assert_true(is_tell_due(&t, &it, &was) && is_tell_due(&t, &it, &was));
	tell_said(&t, &it);
	assert_false(is_tell_due(&t, &it, &was));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_password_is_refused_and_mended),
	    cmocka_unit_test(what_ends_a_connection_is_no_news),
	    cmocka_unit_test(sources_are_apart),
	    cmocka_unit_test(due_until_it_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
