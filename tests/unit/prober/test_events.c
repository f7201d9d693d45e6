/*
 * The ring of events: numbers, what is kept, what a reader who is behind gets,
 * and the JSON of words that come from outside.
 */
#include <stdio.h>
#include <stdlib.h>

#include "events.h"
#include "events_json.h"
#include "unit.h"

static struct event named(const char *member)
{
	struct event e = event_of(EVENT_READ, 1795287600123);

	e.cluster = "main";
	e.member = member;
	return e;
}

static void a_an_empty_ring_has_nothing(void **state)
{
	struct events *e = events_new();
	struct event one;

	(void)state;
	assert_non_null(e);
	assert_int_equal(events_last(e), 0);
	assert_false(events_next(e, 0, &one));
	events_free(e);
}

static void a_events_come_in_order_and_are_copies(void **state)
{
	struct events *e = events_new();
	char name[] = "node1";
	struct event in = named(name), one;

	(void)state;
	assert_int_equal(events_put(e, &in), 1);
	name[4] = '2';
	assert_int_equal(events_put(e, &in), 2);
	assert_true(events_next(e, 0, &one));
	assert_int_equal(one.id, 1);
	assert_string_equal(one.member, "node1");
	assert_null(one.text);
	assert_true(events_next(e, 1, &one));
	assert_string_equal(one.member, "node2");
	assert_false(events_next(e, 2, &one));
	assert_false(events_next(e, 99, &one));
	events_free(e);
}

static void a_the_oldest_go(void **state)
{
	struct events *e = events_new();
	struct event in = named("node1"), one;

	(void)state;
	for (int i = 0; i < EVENTS_KEPT + 5; i++)
		(void)events_put(e, &in);
	assert_true(events_next(e, 0, &one));
	assert_int_equal(one.id, 6);
	assert_true(events_next(e, 5, &one));
	assert_int_equal(one.id, 6);
	assert_true(events_next(e, EVENTS_KEPT + 4, &one));
	assert_int_equal(one.id, EVENTS_KEPT + 5);
	events_free(e);
}

static void a_a_text_is_cut(void **state)
{
	struct events *e = events_new();
	char text[2 * EVENTS_TEXT];
	struct event in = named("node1"), one;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	in.text = text;
	(void)events_put(e, &in);
	assert_true(events_next(e, 0, &one));
	assert_int_equal(strlen(one.text), EVENTS_TEXT - 1);
	/* Between two characters: the last byte left is no part of one. */
	for (size_t i = 1; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	in.text = text;
	for (size_t skip = 0; skip < 2; skip++) {
		size_t n;

		in.text = text + skip;
		(void)events_put(e, &in);
		assert_true(events_next(e, 1 + skip, &one));
		n = strlen(one.text);
		assert_true(n >= EVENTS_TEXT - 2);
		assert_int_equal((unsigned char)one.text[n - 1], 0xa4);
	}
	events_free(e);
}

static void a_json_escapes_what_comes_from_outside(void **state)
{
	struct events *e = events_new();
	struct event in = named("a\"b\\c");
	char *text;

	(void)state;
	in.text = "\x01\n</script>";
	in.dcs_ms = 12;
	(void)events_put(e, &in);
	text = events_json_all(e, 0xabc, 0, NULL);
	assert_string_equal(text,
	    "{\"boot_id\":\"abc\",\"last\":1,\"events\":["
	    "{\"id\":1,\"at\":\"2026-11-21T19:00:00.123Z\","
	    "\"cluster\":\"main\",\"type\":\"read\",\"member\":\"a\\\"b\\\\c\","
	    "\"evidence\":{\"dcs_ms\":12},"
	    "\"text\":\"\\u0001\\u000a</script>\"}]}\n");
	free(text);
	events_free(e);
}

static void a_a_list_is_of_one_cluster(void **state)
{
	struct events *e = events_new();
	struct event in = named("node1");
	char *text;

	(void)state;
	(void)events_put(e, &in);
	in.cluster = NULL;
	(void)events_put(e, &in);
	text = events_json_all(e, 1, 0, "other");
	assert_null(strstr(text, "\"id\":1"));
	assert_non_null(strstr(text, "\"id\":2"));
	free(text);
	events_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_an_empty_ring_has_nothing),
	    cmocka_unit_test(a_events_come_in_order_and_are_copies),
	    cmocka_unit_test(a_the_oldest_go),
	    cmocka_unit_test(a_a_text_is_cut),
	    cmocka_unit_test(a_json_escapes_what_comes_from_outside),
	    cmocka_unit_test(a_a_list_is_of_one_cluster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
