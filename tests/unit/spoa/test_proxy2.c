/* The PROXY header: both families, every prefix, what it must not believe. */
#include "unit.h"

#include "guard.h"
#include "proxy2.h"

static const unsigned char v4[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"
				  "\xc0\xa8\x22\x32\xc0\xa8\x22\x55"
				  "\x9c\x40\x13\x88";
static const unsigned char v6[] =
    "\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x24"
    "0123456789abcdef0123456789abcdef\x9c\x40\x13\x8a";

static void both_families(void **state)
{
	struct proxy2 p;

	(void)state;
	assert_int_equal(
	    proxy2_get(slice_of(v4, sizeof(v4) - 1), &p), PROXY2_OK);
	assert_int_equal(p.dst_port, 5000);
	assert_int_equal(p.size, 28);
	assert_int_equal(
	    proxy2_get(slice_of(v6, sizeof(v6) - 1), &p), PROXY2_OK);
	assert_int_equal(p.dst_port, 5002);
	assert_int_equal(p.size, 52);
}

static void every_prefix(void **state)
{
	struct guard g = guard_new(64);
	struct proxy2 p;

	(void)state;
	for (size_t cut = 0; cut < sizeof(v6) - 1; cut++)
		assert_int_equal(
		    proxy2_get(guard_put(&g, v6, cut), &p), PROXY2_MORE);
	assert_int_equal(
	    proxy2_get(guard_put(&g, v6, sizeof(v6) - 1), &p), PROXY2_OK);
	guard_free(&g);
}

/* The byte at `at` becomes `value`. */
static enum proxy2_rc changed(size_t at, unsigned char value, struct proxy2 *p)
{
	unsigned char bytes[sizeof(v4)];

	memcpy(bytes, v4, sizeof(v4));
	bytes[at] = value;
	return proxy2_get(slice_of(bytes, sizeof(v4) - 1), p);
}

static void what_it_must_not_believe(void **state)
{
	struct proxy2 p;

	(void)state;
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(changed(i, 'x', &p), PROXY2_BAD);
	assert_int_equal(changed(12, 0x11, &p), PROXY2_BAD);
	assert_int_equal(changed(12, 0x2f, &p), PROXY2_BAD);
	assert_int_equal(changed(14, 0xff, &p), PROXY2_BAD);
	assert_int_equal(changed(15, 0xff, &p), PROXY2_MORE);
	/* LOCAL, UDP, unknown, and an address that is too short. */
	assert_int_equal(changed(12, 0x20, &p), PROXY2_OK);
	assert_int_equal(p.dst_port, 0);
	assert_int_equal(changed(13, 0x12, &p), PROXY2_OK);
	assert_int_equal(p.dst_port, 0);
	assert_int_equal(changed(13, 0x21, &p), PROXY2_OK);
	assert_int_equal(p.dst_port, 0);
	assert_int_equal(changed(15, 0x0b, &p), PROXY2_OK);
	assert_int_equal(p.dst_port, 0);
	assert_int_equal(p.size, 27);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_families),
	    cmocka_unit_test(every_prefix),
	    cmocka_unit_test(what_it_must_not_believe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
