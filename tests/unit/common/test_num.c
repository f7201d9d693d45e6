/* Numbers, durations, sizes, LSNs and instants: whole or nothing. */
#include "unit.h"

#include "guard.h"
#include "lsn.h"
#include "mono.h"
#include "num.h"

static struct guard guard;

static struct slice in(const char *text)
{
	return guard_put(&guard, text, strlen(text));
}

static void u64_table(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max, value;
		bool ok;
	} t[] = {
	    {"0", 0, 9, 0, true},
	    {"7", 0, 9, 7, true},
	    {"007", 0, 9, 7, true},
	    {"9", 9, 9, 9, true},
	    {"10", 0, 9, 0, false},
	    {"8", 9, 9, 0, false},
	    {"18446744073709551615", 0, UINT64_MAX, UINT64_MAX, true},
	    {"18446744073709551616", 0, UINT64_MAX, 0, false},
	    {"99999999999999999999999999", 0, UINT64_MAX, 0, false},
	    {"", 0, 9, 0, false},
	    {" 1", 0, 9, 0, false},
	    {"1 ", 0, 9, 0, false},
	    {"+1", 0, 9, 0, false},
	    {"-1", 0, 9, 0, false},
	    {"0x1", 0, 9, 0, false},
	    {"1e1", 0, 99, 0, false},
	    {"a", 0, 9, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		uint64_t v = 4711;

		if (num_u64(in(t[i].text), t[i].min, t[i].max, &v) != t[i].ok)
			fail_msg("\"%s\"", t[i].text);
		assert_int_equal(v, t[i].ok ? t[i].value : 4711);
	}
}

static void dur_table(void **state)
{
	static const struct {
		const char *text;
		int64_t min, max, value;
		bool ok;
	} t[] = {
	    {"1us", 0, INT64_MAX, 1, true},
	    {"500ms", 0, INT64_MAX, 500000, true},
	    {"3s", 0, INT64_MAX, 3000000, true},
	    {"2min", 0, INT64_MAX, 120000000, true},
	    {"1h", 0, INT64_MAX, 3600000000, true},
	    {"1d", 0, INT64_MAX, 86400000000, true},
	    {"0s", 0, INT64_MAX, 0, true},
	    {"3", 0, INT64_MAX, 0, false},
	    {"s", 0, INT64_MAX, 0, false},
	    {"3 s", 0, INT64_MAX, 0, false},
	    {"3S", 0, INT64_MAX, 0, false},
	    {"3sec", 0, INT64_MAX, 0, false},
	    {"1.5s", 0, INT64_MAX, 0, false},
	    {"-1s", 0, INT64_MAX, 0, false},
	    {"1s", 1000001, INT64_MAX, 0, false},
	    {"1s", 1000000, 1000000, 1000000, true},
	    {"1s", 0, 999999, 0, false},
	    {"9223372036854775807us", 0, INT64_MAX, INT64_MAX, true},
	    {"9223372036854775808us", 0, INT64_MAX, 0, false},
	    {"18446744073709551615d", 0, INT64_MAX, 0, false},
	    {"213503982335d", 0, INT64_MAX, 0, false},
	    {"", 0, INT64_MAX, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct dur v = {4711};

		if (num_dur(in(t[i].text), dur_us(t[i].min), dur_us(t[i].max),
			&v) != t[i].ok)
			fail_msg("\"%s\"", t[i].text);
		assert_int_equal(v.us, t[i].ok ? t[i].value : 4711);
	}
}

static void size_table(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
		bool ok;
	} t[] = {
	    {"0B", 0, true},
	    {"1B", 1, true},
	    {"1kB", 1024, true},
	    {"16MB", 16777216, true},
	    {"1GB", 1073741824, true},
	    {"2TB", 2199023255552, true},
	    {"16777215TB", 18446742974197923840U, true},
	    {"16777216TB", 0, false},
	    {"16", 0, false},
	    {"16mb", 0, false},
	    {"16KB", 0, false},
	    {"16MBB", 0, false},
	    {"16M", 0, false},
	    {"MB", 0, false},
	    {"", 0, false},
	};
	uint64_t v = 4711;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		v = 4711;
		if (num_size(in(t[i].text), 0, UINT64_MAX, &v) != t[i].ok)
			fail_msg("\"%s\"", t[i].text);
		assert_int_equal(v, t[i].ok ? t[i].value : 4711);
	}
	assert_false(num_size(in("2kB"), 0, 2047, &v));
	assert_false(num_size(in("2kB"), 2049, 4096, &v));
}

static void lsn_table(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
		bool ok;
	} t[] = {
	    {"0/0", 0, true},
	    {"0/404DF60", 0x404DF60, true},
	    {"0/404df60", 0x404DF60, true},
	    {"16/B374D848", 0x16B374D848, true},
	    {"00000016/B374D848", 0x16B374D848, true},
	    {"FFFFFFFF/FFFFFFFF", UINT64_MAX, true},
	    {"100000000/0", 0, false},
	    {"0/100000000", 0, false},
	    {"000000000/0", 0, false},
	    {"0", 0, false},
	    {"0/", 0, false},
	    {"/0", 0, false},
	    {"/", 0, false},
	    {"0/0/0", 0, false},
	    {" 0/0", 0, false},
	    {"0/0 ", 0, false},
	    {"0/G", 0, false},
	    {"-1/0", 0, false},
	    {"", 0, false},
	};
	char buf[LSN_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		uint64_t v = 4711;

		if (lsn_parse(in(t[i].text), &v) != t[i].ok)
			fail_msg("\"%s\"", t[i].text);
		assert_int_equal(v, t[i].ok ? t[i].value : 4711);
	}
	assert_string_equal(lsn_text(0x404DF60, buf), "0/404DF60");
	assert_string_equal(lsn_text(UINT64_MAX, buf), "FFFFFFFF/FFFFFFFF");
	assert_string_equal(lsn_text(0, buf), "0/0");
	assert_int_equal(lsn_lag(10, 4), 6);
	assert_int_equal(lsn_lag(4, 10), 0);
}

static void lsn_round_trip(void **state)
{
	uint64_t seed = unit_seed();

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t lsn = (uint64_t)unit_random(&seed) << 32, back = 0;
		char buf[LSN_TEXT];

		lsn |= unit_random(&seed);
		lsn >>= unit_random(&seed) % 64;
		assert_true(lsn_parse(slice_str(lsn_text(lsn, buf)), &back));
		assert_true(back == lsn);
	}
}

static void mono_edges(void **state)
{
	struct mono t = {1000000}, never = {0}, end = {INT64_MAX};

	(void)state;
	assert_int_equal(mono_add(end, dur_us(1)).us, INT64_MAX);
	assert_int_equal(
	    mono_add((struct mono){INT64_MIN}, dur_us(-1)).us, INT64_MIN);
	assert_int_equal(mono_add(t, dur_us(INT64_MAX)).us, INT64_MAX);
	assert_int_equal(mono_sub(end, t).us, INT64_MAX - 1000000);
	assert_false(is_mono_fresh(never, dur_us(INT64_MAX), t));
	assert_true(is_mono_fresh(t, dur_us(1), t));
	assert_false(is_mono_fresh(t, dur_us(0), t));
	assert_true(is_mono_fresh(t, dur_ms(3), mono_add(t, dur_us(2999))));
	assert_false(is_mono_fresh(t, dur_ms(3), mono_add(t, dur_us(3000))));
	assert_true(is_mono_before(t, end));
	assert_false(is_mono_before(t, t));
	assert_int_equal(dur_to_ms(dur_us(1999)), 1);
	assert_true(mono_now().us > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(u64_table),
	    cmocka_unit_test(dur_table),
	    cmocka_unit_test(size_table),
	    cmocka_unit_test(lsn_table),
	    cmocka_unit_test(lsn_round_trip),
	    cmocka_unit_test(mono_edges),
	};
	int rc;

	guard = guard_new(64);
	rc = cmocka_run_group_tests_name("num", tests, NULL, NULL);
	guard_free(&guard);
	return rc;
}
