/*
 * Options and operands, and one sentence for what they cannot be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "args.h"

#define SECOND 1000000

static const struct args_option own[] = {
    {ARGS_DURATION, "for", 'f', "D", "", SECOND, 3600LL * SECOND},
    {ARGS_NUMBER, "port", 'p', "N", "", 1, 65535},
    {ARGS_TEXT, "reason", 'r', "T", "", 0, 0},
    {.kind = ARGS_END},
};
static const struct args_option common[] = {
    {ARGS_FLAG, "json", '\0', NULL, "", 0, 0},
    {.kind = ARGS_END},
};

static bool parse(struct args *a, const char *const *words)
{
	char text[16][64];
	char *argv[17] = {NULL};
	int argc = 1;

	argv[0] = text[0];
	(void)strcpy(text[0], "x");
	for (; words[argc - 1] != NULL; argc++) {
		(void)strcpy(text[argc], words[argc - 1]);
		argv[argc] = text[argc];
	}
	return args_parse(a, own, common, argc, argv);
}

static void a_good(void **state)
{
	static const char *const words[] = {"node2", "--for", "10m", "-p5000",
	    "--json", "--reason=disk swap", "--", "-x", NULL};
	struct args a;

	(void)state;
	assert_true(parse(&a, words));
	assert_int_equal(args_number(&a, "for", 0), 600LL * SECOND);
	assert_int_equal(args_number(&a, "port", 0), 5000);
	assert_true(is_arg(&a, "json") && is_arg(&a, "reason"));
	assert_int_equal(a.operands, 2);
}

static void a_absent(void **state)
{
	static const char *const words[] = {NULL};
	struct args a;

	(void)state;
	assert_true(parse(&a, words));
	assert_int_equal(args_number(&a, "for", 77), 77);
	assert_null(args_text(&a, "reason"));
	assert_false(is_arg(&a, "json"));
}

static void a_wrong(void **state)
{
	static const struct {
		const char *const words[4];
		const char *says;
	} bad[] = {{{"--for", "5", NULL}, "--for: \"5\" is not possible"},
	    {{"--for", "2h", NULL}, "--for: \"2h\""},
	    {{"--for", "m", NULL}, "--for: \"m\""},
	    {{"--for", "10mm", NULL}, "--for: \"10mm\""},
	    {{"--port", "0", NULL}, "from 1 to 65535"},
	    {{"--port", "-1", NULL}, "from 1 to 65535"},
	    {{"--port", "65536", NULL}, "from 1 to 65535"},
	    {{"--port", NULL}, "expected a value"},
	    {{"--prot", "1", NULL}, "no such option"},
	    {{"-z", NULL}, "no such option"},
	    {{"--json=1", NULL}, "no such option"},
	    {{"--port", "\033[2J", NULL}, "\\x1b[2J"}};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct args a;

		assert_false(parse(&a, bad[i].words));
		assert_non_null(strstr(a.wrong, bad[i].says));
	}
}

static void a_many_operands(void **state)
{
	static const char *const words[] = {
	    "1", "2", "3", "4", "5", "6", "7", "8", "9", NULL};
	struct args a;

	(void)state;
	assert_false(parse(&a, words));
	assert_string_equal(a.wrong, "more than 8 words");
}

static void a_durations(void **state)
{
	int64_t us = 5;

	(void)state;
	assert_true(args_dur("90s", 0, INT64_MAX, &us) && us == 90LL * SECOND);
	assert_true(args_dur("1h", 0, INT64_MAX, &us) && us == 3600LL * SECOND);
	assert_true(
	    args_dur("2min", 0, INT64_MAX, &us) && us == 120LL * SECOND);
	assert_true(args_dur("2m", 0, INT64_MAX, &us) && us == 120LL * SECOND);
	assert_true(
	    args_dur("1d", 0, INT64_MAX, &us) && us == 86400LL * SECOND);
	us = 5;
	assert_false(args_dur("", 0, INT64_MAX, &us));
	assert_false(args_dur("1 h", 0, INT64_MAX, &us));
	assert_false(args_dur("99999999999999999999h", 0, INT64_MAX, &us));
	assert_int_equal(us, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_good),
	    cmocka_unit_test(a_absent),
	    cmocka_unit_test(a_wrong),
	    cmocka_unit_test(a_many_operands),
	    cmocka_unit_test(a_durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
