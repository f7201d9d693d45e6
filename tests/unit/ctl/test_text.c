/*
 * Text from outside stays text on a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <locale.h>

#include "text.h"

static void check(const char *in, bool utf8, const char *expected, size_t wide)
{
	char out[256];
	size_t n = text_clean(slice_str(in), utf8, out, sizeof(out));

	assert_string_equal(out, expected);
	assert_int_equal(n, wide);
}

static void a_clean(void **state)
{
	(void)state;
	check("node1", true, "node1", 5);
	check("a\033[31mb", true, "a\\x1b[31mb", 10);
	check("a\nb\tc\rd", true, "a\\nb\\tc\\rd", 10);
	check("\x7f\x01", true, "\\x7f\\x01", 8);
	check("St\xc3\xb6rung", true, "St\xc3\xb6rung", 7);
	check("St\xc3\xb6rung", false, "St\\xc3\\xb6rung", 14);
	/* C1's CSI, a turn of the writing's direction, a combining mark. */
	check("\xc2\x9b"
	      "1m",
	    true, "\\u{9b}1m", 8);
	check("\xe2\x80\xae", true, "\\u{202e}", 8);
	check("e\xcc\x81", true, "e\\u{301}", 8);
	/* Wide ones take two columns. */
	check("\xe6\x97\xa5", true, "\xe6\x97\xa5", 2);
}

static void a_no_utf8(void **state)
{
	static const char *const bad[] = {"\xc3", "\xc0\xaf", "\xed\xa0\x80",
	    "\xf5\x80\x80\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char out[64];

		(void)text_clean(slice_str(bad[i]), true, out, sizeof(out));
		assert_int_equal(strlen(out), 4 * strlen(bad[i]));
		assert_memory_equal(out, "\\x", 2);
	}
}

/* Whatever comes in, nothing but printable text comes out, within bounds. */
static void b_any_bytes(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		unsigned char in[16];
		char out[TEXT_CLEAN_MAX(sizeof(in))];
		size_t n, size;

		for (size_t i = 0; i < sizeof(in); i++) {
			seed = seed * 1103515245u + 12345u;
			in[i] = (unsigned char)(seed >> 16);
		}
		size = 1 + seed % sizeof(out);
		n = text_clean(
		    slice_of(in, sizeof(in)), round % 2 == 0, out, size);
		assert_true(strlen(out) < size && n <= strlen(out));
		for (const char *p = out; *p != '\0'; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
	}
}

static void a_json(void **state)
{
	static const char in[] = "{\"a\":\"\xc3\xa9\x7f\xc2\x9b "
				 "\xf0\x9f\x90\x98\",\n\t\"b\":\"\xff\"}";
	char *out = text_json_ascii(slice_str(in));
	cJSON *doc;

	(void)state;
	assert_non_null(out);
	for (const char *p = out; *p != '\0'; p++)
		assert_true((*p >= 0x20 && *p < 0x7f) || *p == '\n');
	doc = cJSON_Parse(out);
	assert_non_null(doc);
	assert_string_equal(cJSON_GetObjectItem(doc, "a")->valuestring,
	    "\xc3\xa9\x7f\xc2\x9b \xf0\x9f\x90\x98");
	cJSON_Delete(doc);
	free(out);
}

/* Four bytes as a character has them, above all that there are. */
static void a_json_beyond_unicode(void **state)
{
	static const char in[] = "\xf5\xa1\xa1\xa1\xf5\xa1\xa1\xa1";
	char *out = text_json_ascii(slice_str(in));

	(void)state;
	assert_non_null(out);
	assert_string_equal(out,
	    "\\ufffd\\ufffd\\ufffd\\ufffd"
	    "\\ufffd\\ufffd\\ufffd\\ufffd");
	free(out);
}

static void a_durations(void **state)
{
	char b[TEXT_DUR];

	(void)state;
	assert_string_equal(text_dur(-1, b), "-");
	assert_string_equal(text_dur(0, b), "0 ms");
	assert_string_equal(text_dur(999.4, b), "999 ms");
	assert_string_equal(text_dur(999.5, b), "1.0 s");
	assert_string_equal(text_dur(99949, b), "99.9 s");
	assert_string_equal(text_dur(100000, b), "1 min");
	assert_string_equal(text_dur(3 * 3600e3 + 12 * 60e3, b), "3 h 12 min");
	assert_string_equal(text_dur(50 * 3600e3, b), "2 d 2 h");
	assert_string_equal(
	    text_dur(1e300, b), text_dur(1e15, (char[TEXT_DUR]){0}));
}

static void a_bytes(void **state)
{
	char b[TEXT_SIZE];

	(void)state;
	assert_string_equal(text_bytes(-1, b), "-");
	assert_string_equal(text_bytes(0, b), "0");
	assert_string_equal(text_bytes(812, b), "812 B");
	assert_string_equal(text_bytes(1024, b), "1.0 kB");
	assert_string_equal(text_bytes(16.0 * 1024 * 1024, b), "16.0 MB");
	assert_true(strlen(text_bytes(1e300, b)) < TEXT_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_clean),
	    cmocka_unit_test(a_no_utf8),
	    cmocka_unit_test(b_any_bytes),
	    cmocka_unit_test(a_json),
	    cmocka_unit_test(a_json_beyond_unicode),
	    cmocka_unit_test(a_durations),
	    cmocka_unit_test(a_bytes),
	};

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
