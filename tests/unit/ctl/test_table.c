/*
 * Tables: as wide as what is in them, whoever wrote that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "out.h"

static const struct table_column columns[] = {
    {"Member", false, false}, {"Weight", true, true}, {"Lag", true, false}};

/* What a table of two rows becomes; the caller frees it. */
static char *draw(bool utf8, bool colour, const char *name, const char *weight)
{
	char *text = NULL;
	size_t size = 0;
	struct out o = {.file = open_memstream(&text, &size),
	    .utf8 = utf8,
	    .colour = colour};
	struct table *t = table_new(&o, columns, 3);

	assert_non_null(t);
	assert_true(table_row(t));
	table_cell(t, OUT_GOOD, "%s", name);
	table_cell(t, OUT_PLAIN, "%s", weight);
	table_cell(t, OUT_PLAIN, "%d", 12);
	assert_true(table_row(t));
	table_cell(t, OUT_PLAIN, "n");
	table_print(&o, t);
	table_free(t);
	(void)fclose(o.file);
	return text;
}

static void a_ascii(void **state)
{
	char *text = draw(false, false, "node1", "");

	(void)state;
	assert_string_equal(text,
	    "+--------+-----+\n"
	    "| Member | Lag |\n"
	    "+--------+-----+\n"
	    "| node1  |  12 |\n"
	    "| n      |     |\n"
	    "+--------+-----+\n");
	free(text);
}

static void a_utf8(void **state)
{
	char *text = draw(true, false, "n\xc3\xb6", "50");

	(void)state;
	assert_string_equal(text,
	    "┌────────┬────────┬─────┐\n"
	    "│ Member │ Weight │ Lag │\n"
	    "├────────┼────────┼─────┤\n"
	    "│ n\xc3\xb6     │     50 │  12 │\n"
	    "│ n      │        │     │\n"
	    "└────────┴────────┴─────┘\n");
	free(text);
}

/* Colours are ours alone; they change no width. */
static void a_colours(void **state)
{
	char *text = draw(false, true, "a\033[31m", "");

	(void)state;
	assert_non_null(strstr(text, "| \033[32ma\\x1b[31m\033[0m |"));
	free(text);
	text = draw(false, false, "a\033[31m\n|", "");
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "| a\\x1b[31m\\n| |"));
	free(text);
}

static void a_long_cells(void **state)
{
	char name[4000];
	char *text;

	(void)state;
	memset(name, '\033', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	text = draw(false, false, name, "");
	assert_null(strchr(text, '\033'));
	assert_true(strlen(text) < 6 * (TABLE_CELL + 20));
	free(text);
}

static void a_rows_are_bounded(void **state)
{
	struct out o = {.file = stdout};
	struct table *t = table_new(&o, columns, 3);

	(void)state;
	for (int i = 0; i < TABLE_ROWS; i++)
		assert_true(table_row(t));
	assert_false(table_row(t));
	table_free(t);
}

static void a_lines(void **state)
{
	char *text = NULL;
	size_t size = 0;
	struct out o = {.file = open_memstream(&text, &size)};

	(void)state;
	out_part(&o, OUT_BAD, "%s", "a\nb");
	out_line(&o, "%s", "\rc");
	out_json(&o, "{\"a\":\"\xc3\xa9\"}");
	out_home(&o); /* no terminal */
	(void)fclose(o.file);
	assert_string_equal(text, "a\\nb\\rc\n{\"a\":\"\\u00e9\"}\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_ascii),
	    cmocka_unit_test(a_utf8),
	    cmocka_unit_test(a_colours),
	    cmocka_unit_test(a_long_cells),
	    cmocka_unit_test(a_rows_are_bounded),
	    cmocka_unit_test(a_lines),
	};

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
