/*
 * Events out of a stream, however it is cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "sse.h"

static const char stream[] = ": hello\n\nid: 7\nevent: write\n"
			     "data: {\"id\":7}\n\n"
			     ": still here\n\n"
			     "data:{\"id\":8,\r\ndata: \"a\":1}\r\n\r\n"
			     "event: empty\n\n"
			     "data: last\r\r";
static const char *const expected[] = {
    "{\"id\":7}", "{\"id\":8,\n\"a\":1}", "last"};

/* In pieces of `n` bytes each. */
static void feed(size_t n)
{
	struct sse *s = calloc(1, sizeof(*s));
	struct slice all = slice_str(stream);
	size_t found = 0;

	assert_non_null(s);
	while (all.len > 0) {
		size_t take = n < all.len ? n : all.len;
		struct slice piece = slice_of(all.p, take), data;

		while (sse_next(s, &piece, &data)) {
			assert_true(found < 3);
			assert_true(is_slice_eq(data, expected[found]));
			found++;
		}
		all = slice_skip(all, take);
	}
	assert_int_equal(found, 3);
	free(s);
}

static void a_pieces(void **state)
{
	(void)state;
	for (size_t n = 1; n <= sizeof(stream); n++)
		feed(n);
}

/* Too long an event is passed over, the next one is whole. */
static void a_long(void **state)
{
	struct sse *s = calloc(1, sizeof(*s));
	size_t size = 3 * LIM_CTL_EVENT;
	char *text = malloc(size);
	struct slice in, data;

	(void)state;
	assert_true(s != NULL && text != NULL);
	for (int lines = 0; lines < 2; lines++) {
		memset(text, 'x', size);
		memcpy(text, "data:", 5);
		if (lines == 1)
			for (size_t i = 100; i + 6 < size; i += 100)
				memcpy(text + i, "\ndata:", 6);
		memcpy(text + size - 2, "\n\n", 2);
		in = slice_of(text, size);
		assert_false(sse_next(s, &in, &data));
		in = slice_str("data: y\n\n");
		assert_true(sse_next(s, &in, &data));
		assert_true(is_slice_eq(data, "y"));
	}
	free(text);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pieces),
	    cmocka_unit_test(a_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
