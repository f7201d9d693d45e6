/* A NOTIFY's messages: ours, others', twice, wrong types, broken off. */
#include "unit.h"

#include "guard.h"
#include "notify.h"

/* Bytes of a payload, built in order. */
struct make {
	unsigned char p[512];
	size_t n;
};

static void put(struct make *m, const void *p, size_t n)
{
	assert_true(n <= sizeof(m->p) - m->n);
	memcpy(m->p + m->n, p, n);
	m->n += n;
}

static void put_str(struct make *m, const char *s)
{
	unsigned char n = (unsigned char)strlen(s);

	put(m, &n, 1);
	put(m, s, n);
}

static void put_message(struct make *m, const char *name, unsigned char args)
{
	put_str(m, name);
	put(m, &args, 1);
}

static void put_text(
    struct make *m, const char *key, char type, const char *value)
{
	put_str(m, key);
	put(m, &type, 1);
	put_str(m, value);
}

static void put_null(struct make *m, const char *key)
{
	put_str(m, key);
	put(m, "", 1);
}

static struct notify must_get(const struct make *m)
{
	struct notify n;

	assert_true(notify_get(slice_of(m->p, m->n), &n));
	return n;
}

static struct make whole(void)
{
	struct make m = {.n = 0};

	put_message(&m, "route", 5);
	put_text(&m, "listen", 8, "mixed");
	put_str(&m, "src");
	put(&m, "\x06\x7f\x00\x00\x01", 5);
	put_str(&m, "sport");
	put(&m, "\x02\x63", 2);
	put_null(&m, "sni");
	put_text(&m, "first", 9, "GET /");
	return m;
}

static void as_haproxy_sends_it(void **state)
{
	struct make m = whole();
	struct notify n = must_get(&m);

	(void)state;
	assert_int_equal(n.engine, NOTIFY_ROUTE);
	assert_false(n.is_odd);
	assert_true(is_slice_eq(n.listen, "mixed"));
	assert_true(is_slice_eq(n.first, "GET /"));
	assert_int_equal(n.sni.len, 0);
}

static void every_prefix(void **state)
{
	struct guard g = guard_new(512);
	struct make m = whole();
	struct notify n;

	(void)state;
	for (size_t cut = 1; cut < m.n; cut++)
		assert_false(notify_get(guard_put(&g, m.p, cut), &n));
	assert_true(notify_get(guard_put(&g, m.p, 0), &n));
	assert_int_equal(n.engine, NOTIFY_NONE);
	guard_free(&g);
}

static void others_are_skipped(void **state)
{
	struct make m = {.n = 0};
	struct notify n;

	(void)state;
	put_message(&m, "check-ip", 1);
	put_text(&m, "listen", 8, "other");
	put_message(&m, "hold", 2);
	put_text(&m, "unheard", 8, "of");
	put_text(&m, "listen", 8, "write");
	put_message(&m, "", 0);
	n = must_get(&m);
	assert_int_equal(n.engine, NOTIFY_HOLD);
	assert_false(n.is_odd);
	assert_true(is_slice_eq(n.listen, "write"));
}

/* A7: each is a list of messages, and none is a question we answer. */
static void odd_ones(void **state)
{
	struct make m = {.n = 0};

	(void)state;
	put_message(&m, "route", 0);
	assert_true(must_get(&m).is_odd);
	m.n = 0;
	put_message(&m, "route", 2);
	put_text(&m, "listen", 8, "write");
	put_text(&m, "listen", 8, "read");
	assert_true(must_get(&m).is_odd);
	m.n = 0;
	put_message(&m, "route", 1);
	put_str(&m, "listen");
	put(&m, "\x03\x05", 2);
	assert_true(must_get(&m).is_odd);
	m.n = 0;
	put_message(&m, "route", 1);
	put_null(&m, "listen");
	assert_true(must_get(&m).is_odd);
	m.n = 0;
	put_message(&m, "route", 2);
	put_text(&m, "listen", 8, "write");
	put_str(&m, "first");
	put(&m,
	    "\x06"
	    "abcd",
	    5);
	assert_true(must_get(&m).is_odd);
	m = whole();
	put_message(&m, "hold", 1);
	put_text(&m, "listen", 8, "write");
	assert_true(must_get(&m).is_odd);
	/* Twice, and empty the first time. */
	m.n = 0;
	put_message(&m, "route", 3);
	put_text(&m, "listen", 8, "write");
	put_text(&m, "first", 9, "");
	put_text(&m, "first", 9, "x");
	assert_true(must_get(&m).is_odd);
}

static void broken(void **state)
{
	struct make m = {.n = 0};
	struct notify n;

	(void)state;
	put_message(&m, "route", 255);
	put_text(&m, "listen", 8, "write");
	assert_false(notify_get(slice_of(m.p, m.n), &n));
	m.n = 0;
	put_message(&m, "route", 1);
	put_str(&m, "listen");
	put(&m, "\x0a", 1);
	assert_false(notify_get(slice_of(m.p, m.n), &n));
	/* A2: 2^64-16 as a string's length. */
	m.n = 0;
	put(&m, "\xf0\xf0\xff\xff\xff\xff\xff\xff\xff\x0e", 10);
	put(&m, "route", 5);
	assert_false(notify_get(slice_of(m.p, m.n), &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(as_haproxy_sends_it),
	    cmocka_unit_test(every_prefix),
	    cmocka_unit_test(others_are_skipped),
	    cmocka_unit_test(odd_ones),
	    cmocka_unit_test(broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
