/* SPOP's codec: numbers, typed data, frames, HELLO, every prefix of each. */
#include "unit.h"

#include "guard.h"
#include "lim.h"
#include "spop.h"

static unsigned char buf[LIM_SPOP_FRAME + SPOP_LENGTH];

static size_t put_varint(unsigned char *p, uint64_t v)
{
	struct spop_ack ack = {.stream_id = v};
	unsigned char frame[64];
	size_t n = spop_put_ack(frame, sizeof(frame), &ack);

	/* Length, type and flags before it, a frame-id of one byte behind. */
	n -= SPOP_LENGTH + 1 + 4 + 1;
	memcpy(p, frame + SPOP_LENGTH + 1 + 4, n);
	return n;
}

static void varint_round_trips(void **state)
{
	static const uint64_t edge[] = {0, 1, 239, 240, 241, 2287, 2288, 2289,
	    264431, 264432, 33818863, 33818864, 4328786159, 4328786160,
	    UINT32_MAX, (uint64_t)1 << 60, UINT64_MAX - 1, UINT64_MAX};
	static const size_t length[] = {
	    1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 5, 9, 10, 10};
	struct guard g = guard_new(16);
	uint64_t seed = unit_seed(), v;
	unsigned char p[16];

	(void)state;
	for (size_t i = 0; i < COUNT(edge); i++) {
		size_t n = put_varint(p, edge[i]);
		struct slice in = guard_put(&g, p, n);

		assert_int_equal(n, length[i]);
		assert_true(spop_varint_get(&in, &v));
		assert_true(v == edge[i] && in.len == 0);
		for (size_t cut = 0; cut < n; cut++) {
			in = guard_put(&g, p, cut);
			assert_false(spop_varint_get(&in, &v));
		}
	}
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t want =
		    ((uint64_t)unit_random(&seed) << 32 | unit_random(&seed)) >>
		    unit_random(&seed) % 64;
		struct slice in = slice_of(p, put_varint(p, want));

		assert_true(spop_varint_get(&in, &v));
		assert_true(v == want && in.len == 0);
	}
	guard_free(&g);
}

/* A2: eleven bytes, ten that are too much for 64 bits. */
static void varint_too_long(void **state)
{
	unsigned char p[12];
	struct slice in;
	uint64_t v;

	(void)state;
	memset(p, 0xFF, sizeof(p));
	in = slice_of(p, sizeof(p));
	assert_false(spop_varint_get(&in, &v));
	p[9] = 0x7F;
	in = slice_of(p, 10);
	assert_false(spop_varint_get(&in, &v));
	p[9] = 0x10; /* bit 64 */
	in = slice_of(p, 10);
	assert_false(spop_varint_get(&in, &v));
	memset(p, 0x80, sizeof(p));
	p[0] = 0xF0;
	in = slice_of(p, sizeof(p));
	assert_false(spop_varint_get(&in, &v));
}

static void typed_data(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum spop_data type;
		uint64_t number;
		size_t bytes_n;
	} each[] = {
	    {"\x00", 1, SPOP_NULL, 0, 0},
	    {"\x01", 1, SPOP_BOOL, 0, 0},
	    {"\x11", 1, SPOP_BOOL, 1, 0},
	    {"\x02\x05", 2, SPOP_INT32, 5, 0},
	    {"\x03\xf0\x00", 3, SPOP_UINT32, 240, 0},
	    {"\x04\x07", 2, SPOP_INT64, 7, 0},
	    {"\x05\xef", 2, SPOP_UINT64, 239, 0},
	    {"\x06"
	     "abcd",
		5, SPOP_IPV4, 0, 4},
	    {"\x07"
	     "0123456789abcdef",
		17, SPOP_IPV6, 0, 16},
	    {"\x08\x03"
	     "abc",
		5, SPOP_STRING, 0, 3},
	    {"\x09\x00", 2, SPOP_BINARY, 0, 0},
	};
	struct guard g = guard_new(32);
	struct spop_value v;

	(void)state;
	for (size_t i = 0; i < COUNT(each); i++) {
		struct slice in = guard_put(&g, each[i].bytes, each[i].len);

		assert_true(spop_value_get(&in, &v));
		assert_int_equal(v.type, each[i].type);
		assert_int_equal(in.len, 0);
		assert_int_equal(v.bytes.len, each[i].bytes_n);
		if (v.type == SPOP_BOOL)
			assert_int_equal(v.truth, each[i].number);
		else
			assert_int_equal(v.number, each[i].number);
		for (size_t cut = 0; cut < each[i].len; cut++) {
			in = guard_put(&g, each[i].bytes, cut);
			assert_false(spop_value_get(&in, &v));
		}
	}
	for (unsigned char t = 10; t < 16; t++) {
		struct slice in = guard_put(&g, &t, 1);

		assert_false(spop_value_get(&in, &v));
	}
	guard_free(&g);
}

static struct spop_frame must_get(struct slice in)
{
	struct spop_frame f;

	assert_int_equal(spop_frame_get(in, LIM_SPOP_FRAME, &f), SPOP_OK);
	return f;
}

/* Frames of every kind that we write, for the prefixes. */
static size_t make_frame(unsigned kind)
{
	static const struct spop_var var[] = {
	    {SPOP_SCOPE_SESS, {(const unsigned char *)"action", 6},
		{(const unsigned char *)"write", 5}, false},
	    {SPOP_SCOPE_TXN, {(const unsigned char *)"server", 6}, {NULL, 0},
		true},
	};
	const struct spop_ack ack = {300, UINT64_MAX, var, COUNT(var)};
	const struct spop_hello hello = {
	    .pipelining = true, .async = true, .max_frame_size = 16380};
	const struct spop_hello check = {
	    .pipelining = true, .healthcheck = true, .max_frame_size = 256};

	switch (kind) {
	case 0:
		return spop_put_ack(buf, sizeof(buf), &ack);
	case 1:
		return spop_put_haproxy_hello(buf, sizeof(buf), &hello);
	case 2:
		return spop_put_agent_hello(buf, sizeof(buf), &check);
	case 3:
		return spop_put_disconnect(
		    buf, sizeof(buf), SPOP_AGENT_DISCONNECT, SPOP_ST_TOO_BIG);
	case 4:
		return spop_put_haproxy_hello(buf, sizeof(buf), &check);
	default:
		return 0;
	}
}

/* A3: what is cut off asks for more; a room that is too small gives 0. */
static void every_prefix(void **state)
{
	struct guard g = guard_new(512);
	struct spop_frame f;
	size_t n;

	(void)state;
	for (unsigned kind = 0; (n = make_frame(kind)) > 0; kind++) {
		unsigned char whole[512];

		assert_true(n <= LIM_SPOP_FRAME_MIN);
		memcpy(whole, buf, n);
		for (size_t cut = 0; cut < n; cut++)
			assert_int_equal(
			    spop_frame_get(
				guard_put(&g, whole, cut), LIM_SPOP_FRAME, &f),
			    SPOP_MORE);
		f = must_get(guard_put(&g, whole, n));
		assert_int_equal(f.size, n);
		assert_int_equal(f.flags, SPOP_F_FIN);
	}
	for (size_t room = 0; room < 64; room++) {
		struct spop_ack ack = {1, 2, NULL, 0};

		n = spop_put_ack(g.map, room, &ack);
		assert_true(n == 0 ? room < 11 : n == 11);
	}
	guard_free(&g);
}

/* A1: the length alone is enough to refuse it. */
static void wrong_lengths(void **state)
{
	static const struct {
		uint32_t len;
		enum spop_rc rc;
		enum spop_status status;
	} each[] = {
	    {0, SPOP_BAD, SPOP_ST_INVALID},
	    {1, SPOP_BAD, SPOP_ST_INVALID},
	    {6, SPOP_BAD, SPOP_ST_INVALID},
	    {7, SPOP_MORE, SPOP_ST_NONE},
	    {LIM_SPOP_FRAME, SPOP_MORE, SPOP_ST_NONE},
	    {LIM_SPOP_FRAME + 1, SPOP_BAD, SPOP_ST_TOO_BIG},
	    {1U << 20, SPOP_BAD, SPOP_ST_TOO_BIG},
	    {INT32_MAX, SPOP_BAD, SPOP_ST_TOO_BIG},
	    {UINT32_MAX, SPOP_BAD, SPOP_ST_TOO_BIG},
	};
	struct guard g = guard_new(16);

	(void)state;
	for (size_t i = 0; i < COUNT(each); i++) {
		unsigned char p[4] = {(unsigned char)(each[i].len >> 24),
		    (unsigned char)(each[i].len >> 16),
		    (unsigned char)(each[i].len >> 8),
		    (unsigned char)each[i].len};
		struct spop_frame f;

		assert_int_equal(
		    spop_frame_get(guard_put(&g, p, 4), LIM_SPOP_FRAME, &f),
		    each[i].rc);
		assert_int_equal(f.status, each[i].status);
	}
	guard_free(&g);
}

/* Ids that run over the frame's end, although bytes follow it. */
static void ids_stay_within(void **state)
{
	static const unsigned char bytes[] = {
	    0, 0, 0, 7, 3, 0, 0, 0, 1, 0xFF, 0xFF, 0x7F, 0, 0, 0};
	struct spop_frame f;

	(void)state;
	assert_int_equal(
	    spop_frame_get(slice_of(bytes, sizeof(bytes)), LIM_SPOP_FRAME, &f),
	    SPOP_BAD);
	assert_int_equal(f.status, SPOP_ST_INVALID);
}

static void hello_round_trips(void **state)
{
	struct spop_hello hello = {.pipelining = true,
	    .async = true,
	    .healthcheck = true,
	    .max_frame_size = 16380};
	struct spop_hello got;
	struct spop_frame f;
	size_t n;

	(void)state;
	n = spop_put_haproxy_hello(buf, sizeof(buf), &hello);
	f = must_get(slice_of(buf, n));
	assert_int_equal(f.type, SPOP_HAPROXY_HELLO);
	assert_int_equal(spop_hello_get(f.payload, &got), SPOP_ST_NONE);
	assert_true(got.pipelining && got.async && got.healthcheck);
	assert_int_equal(got.max_frame_size, 16380);
	n = spop_put_agent_hello(buf, sizeof(buf), &hello);
	f = must_get(slice_of(buf, n));
	assert_int_equal(spop_agent_hello_get(f.payload, &got), SPOP_ST_NONE);
	/* Each side's own key for the version. */
	assert_int_equal(spop_hello_get(f.payload, &got), SPOP_ST_NO_VERSION);
	n = spop_put_disconnect(
	    buf, sizeof(buf), SPOP_HAPROXY_DISCONNECT, SPOP_ST_TIMEOUT);
	f = must_get(slice_of(buf, n));
	assert_int_equal(spop_disconnect_get(f.payload), SPOP_ST_TIMEOUT);
	assert_int_equal(
	    spop_disconnect_get(slice_of("\x09", 1)), SPOP_ST_UNKNOWN);
}

/* A6: KEY and typed value; NULL leaves one out. */
static size_t put_pair(
    unsigned char *p, const char *key, const char *value, size_t len)
{
	size_t n = strlen(key);

	if (value == NULL)
		return 0;
	p[0] = (unsigned char)n;
	memcpy(p + 1, key, n);
	memcpy(p + 1 + n, value, len);
	return 1 + n + len;
}

#define STR(s) "\x08" s, sizeof("\x08" s) - 1

static void hello_refused(void **state)
{
	static const struct {
		const char *version;
		size_t version_n;
		const char *size;
		size_t size_n;
		const char *caps;
		size_t caps_n;
		enum spop_status status;
	} each[] = {
	    {STR("\x03"
		 "2.0"),
		"\x03\xef", 2, STR("\x00"), SPOP_ST_BAD_FRAME_SIZE},
	    {STR("\x03"
		 "2.0"),
		"\x03\xf0\x01", 3, STR("\x00"), SPOP_ST_NONE},
	    {STR("\x03"
		 "2.0"),
		"\x03\xff\x00", 3, STR("\x00"), SPOP_ST_BAD_FRAME_SIZE},
	    {STR("\x03"
		 "1.0"),
		"\x03\xf0\x01", 3, STR("\x00"), SPOP_ST_BAD_VERSION},
	    {STR("\x0a"
		 "1.9,  2.5 "),
		"\x03\xf0\x01", 3, STR("\x00"), SPOP_ST_NONE},
	    {STR("\x04"
		 "2.0x"),
		"\x03\xf0\x01", 3, STR("\x00"), SPOP_ST_BAD_VERSION},
	    {STR("\x02"
		 "2."),
		"\x03\xf0\x01", 3, STR("\x00"), SPOP_ST_BAD_VERSION},
	    {STR("\x00"), "\x03\xf0\x01", 3, STR("\x00"), SPOP_ST_BAD_VERSION},
	    {"\x03\x02", 2, "\x03\xf0\x01", 3, STR("\x00"), SPOP_ST_NO_VERSION},
	    {NULL, 0, "\x03\xf0\x01", 3, STR("\x00"), SPOP_ST_NO_VERSION},
	    {STR("\x03"
		 "2.0"),
		NULL, 0, STR("\x00"), SPOP_ST_NO_FRAME_SIZE},
	    {STR("\x03"
		 "2.0"),
		STR("\x03"
		    "300"),
		STR("\x00"), SPOP_ST_NO_FRAME_SIZE},
	    {STR("\x03"
		 "2.0"),
		"\x03\xf0\x01", 3, NULL, 0, SPOP_ST_NO_CAPABILITIES},
	    {STR("\x03"
		 "2.0"),
		"\x03\xf0\x01", 3,
		STR("\x05"
		    ",,x y"),
		SPOP_ST_NONE},
	    {STR("\x03"
		 "2.0"),
		"\x03\xf0\x01", 3, "\x08\x7f", 2, SPOP_ST_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(each); i++) {
		struct spop_hello got;
		size_t n = 0;

		n += put_pair(buf + n, "supported-versions", each[i].version,
		    each[i].version_n);
		n += put_pair(
		    buf + n, "max-frame-size", each[i].size, each[i].size_n);
		n += put_pair(
		    buf + n, "capabilities", each[i].caps, each[i].caps_n);
		assert_int_equal(
		    spop_hello_get(slice_of(buf, n), &got), each[i].status);
	}
}

static void every_status_has_words(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(strlen(spop_status_text((enum spop_status)i)) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(varint_round_trips),
	    cmocka_unit_test(varint_too_long),
	    cmocka_unit_test(typed_data),
	    cmocka_unit_test(every_prefix),
	    cmocka_unit_test(wrong_lengths),
	    cmocka_unit_test(ids_stay_within),
	    cmocka_unit_test(hello_round_trips),
	    cmocka_unit_test(hello_refused),
	    cmocka_unit_test(every_status_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
