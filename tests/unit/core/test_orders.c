/*
 * Orders: which is in force, what a key may hold, and when it is over.
 */
#include "../common/unit.h"
#include "orders.h"

static const struct order_when when = {{1000000}, 1795287600000};

static struct order made(enum order_kind kind, const char *member, bool host)
{
	struct order o = {.kind = kind, .is_host = host};

	(void)slice_copy(slice_str(member), o.member, sizeof(o.member));
	return o;
}

static void put(
    struct order_set *s, enum order_kind kind, const char *member, bool host)
{
	struct order o = made(kind, member, host);

	assert_true(order_set_put(s, &o));
}

/* Every combination of etcd's and the host's hold and force. */
static void a_the_hosts_own_stands_over_etcds(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 16; bits++) {
		struct order_set etcd = {0}, host = {0};
		struct orders o;

		if (bits & 1)
			put(&etcd, ORDER_HOLD, "", false);
		if (bits & 2)
			put(&host, ORDER_HOLD, "", true);
		if (bits & 4)
			put(&etcd, ORDER_FORCE, "classic", false);
		if (bits & 8)
			put(&host, ORDER_FORCE, "node2", true);
		o = orders_of(&etcd, &host);
		assert_int_equal(o.hold != NULL, (bits & 3) != 0);
		assert_int_equal(o.force != NULL, (bits & 12) != 0);
		if (o.hold != NULL)
			assert_int_equal(o.hold->is_host, (bits & 2) != 0);
		if (o.force != NULL)
			assert_string_equal(o.force->member,
			    (bits & 8) != 0 ? "node2" : "classic");
		/* A hold stands over a force, classic too. */
		assert_int_equal(
		    is_orders_classic(&o), (bits & 3) == 0 && (bits & 12) == 4);
	}
}

static void a_drains_add_up(void **state)
{
	struct order_set etcd = {0}, host = {0};
	struct orders o;

	(void)state;
	put(&etcd, ORDER_DRAIN, "node1", false);
	put(&etcd, ORDER_DRAIN, "node2", false);
	put(&host, ORDER_DRAIN, "node2", true);
	o = orders_of(&etcd, &host);
	assert_false(orders_drain(&o, "node1")->is_host);
	assert_true(orders_drain(&o, "node2")->is_host);
	assert_null(orders_drain(&o, "node3"));
	o = orders_of(NULL, NULL);
	assert_null(orders_drain(&o, "node1"));
	assert_null(o.hold);
}

static void a_a_set_has_one_of_a_kind(void **state)
{
	struct order_set s = {0};
	char name[LIM_NAME];

	(void)state;
	put(&s, ORDER_HOLD, "", false);
	put(&s, ORDER_HOLD, "", false);
	assert_int_equal(s.n, 1);
	for (unsigned i = 0; s.n < ORDERS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "m%u", i);
		put(&s, ORDER_DRAIN, name, false);
	}
	struct order more = made(ORDER_DRAIN, "more", false);
	assert_false(order_set_put(&s, &more));
	order_set_remove(&s, order_set_find(&s, ORDER_DRAIN, "m0"));
	assert_int_equal(order_set_find(&s, ORDER_DRAIN, "m0"), -1);
	assert_true(order_set_put(&s, &more));
}

static void a_it_is_over_at_its_end(void **state)
{
	struct order_set s = {0};
	struct order o = made(ORDER_HOLD, "", false);

	(void)state;
	o.until = (struct mono){2000000};
	assert_true(order_set_put(&s, &o));
	put(&s, ORDER_MODE, "", false);
	assert_int_equal(order_set_over(&s, (struct mono){1999999}), -1);
	assert_int_equal(order_set_over(&s, (struct mono){2000000}), 0);
	order_set_remove(&s, 0);
	assert_int_equal(order_set_over(&s, (struct mono){INT64_MAX / 2}), -1);
}

static const struct {
	const char *key, *value;
	enum order_kind kind; /* NONE: refused */
	int64_t for_ms;       /* 0: without end */
} keys[] = {
    {"hold", "{\"v\":1,\"at_ms\":1000,\"until_ms\":61000}", ORDER_HOLD, 60000},
    {"hold", "{\"v\":2,\"new\":[1]}", ORDER_HOLD, ORDERS_FOR_MAX_S * 1000LL},
    {"hold", "{\"v\":1,\"at_ms\":5,\"until_ms\":99999999999}", ORDER_HOLD,
	ORDERS_FOR_MAX_S * 1000LL},
    {"hold", "{\"v\":1,\"at_ms\":9,\"until_ms\":5}", ORDER_HOLD,
	ORDERS_FOR_MAX_S * 1000LL},
    {"hold", "{\"v\":0}", ORDER_NONE, 0},
    {"hold", "{}", ORDER_NONE, 0},
    {"hold", "[1]", ORDER_NONE, 0},
    {"hold", "", ORDER_NONE, 0},
    {"hold", "observe", ORDER_NONE, 0},
    {"holds", "{\"v\":1}", ORDER_NONE, 0},
    {"force", "{\"v\":1,\"member\":\"node1\"}", ORDER_FORCE,
	ORDERS_FOR_MAX_S * 1000LL},
    {"force", "{\"v\":1}", ORDER_NONE, 0},
    {"force", "{\"v\":1,\"member\":\"a b\"}", ORDER_NONE, 0},
    {"drain/node1", "{\"v\":1}", ORDER_DRAIN, ORDERS_FOR_MAX_S * 1000LL},
    {"drain/", "{\"v\":1}", ORDER_NONE, 0},
    {"drain", "{\"v\":1}", ORDER_NONE, 0},
    {"drain/a\nb", "{\"v\":1}", ORDER_NONE, 0},
    {"mode", "observe", ORDER_MODE, 0},
    {"mode", "live", ORDER_MODE, 0},
    {"mode", "{\"v\":1,\"mode\":\"observe\",\"at_ms\":1}", ORDER_MODE, 0},
    {"mode", "{\"v\":1}", ORDER_NONE, 0},
    {"mode", "off", ORDER_NONE, 0},
};

static void a_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct order o;
		bool ok = order_decode(
		    slice_str(keys[i].key), slice_str(keys[i].value), when, &o);

		print_message("%s %s\n", keys[i].key, keys[i].value);
		assert_int_equal(o.kind, keys[i].kind);
		assert_int_equal(ok, keys[i].kind != ORDER_NONE);
		assert_int_equal(is_mono_set(o.until), keys[i].for_ms > 0);
		if (keys[i].for_ms > 0)
			assert_int_equal(
			    o.until.us - when.now.us, keys[i].for_ms * 1000);
	}
}

static void a_what_is_written_is_read(void **state)
{
	struct order o = made(ORDER_FORCE, "node1", false), back;
	char value[ORDERS_VALUE], key[ORDERS_KEY];
	size_t n;

	(void)state;
	order_text(slice_str("\xc3\xa4 \"x\\\"\n\xff\xc2\x85"), o.reason,
	    sizeof(o.reason));
	assert_string_equal(o.reason, "\xc3\xa4 \"x\\\"????");
	order_text(slice_str("ann@host"), o.by, sizeof(o.by));
	o.at_ms = when.wall_ms;
	o.until_ms = when.wall_ms + 60000;
	n = order_encode(&o, value, sizeof(value));
	assert_true(n > 0);
	assert_true(order_decode(
	    slice_str(order_key(&o, key)), slice_of(value, n), when, &back));
	assert_true(is_order_same(&o, &back));
	assert_int_equal(order_encode(&o, value, 40), 0);
}

/* A key may outlive its order: what is over is in its set and not in force. */
static void a_what_is_over_is_not_in_force(void **state)
{
	static const enum order_kind kind[] = {
	    ORDER_HOLD, ORDER_FORCE, ORDER_MODE, ORDER_DRAIN};

	(void)state;
	for (size_t k = 0; k < 4; k++) {
		struct order_set etcd = {0}, host = {0};
		struct orders o;

		put(&host, kind[k], "a", true);
		put(&etcd, kind[k], "a", false);
		host.o[0].until = etcd.o[0].until = when.now;
		assert_int_equal(order_set_over(&host, when.now), 0);
		host.o[0].is_over = true;
		assert_int_equal(order_set_over(&host, when.now), -1);
		o = orders_of(&etcd, &host);
		const struct order *got = kind[k] == ORDER_HOLD ? o.hold
		    : kind[k] == ORDER_FORCE                    ? o.force
		    : kind[k] == ORDER_MODE                     ? o.mode
					    : orders_drain(&o, "a");
		assert_ptr_equal(got, &etcd.o[0]);
		etcd.o[0].is_over = true;
		o = orders_of(&etcd, &host);
		assert_true(o.hold == NULL && o.force == NULL);
		assert_true(o.mode == NULL && orders_drain(&o, "a") == NULL);
	}
}

/* A key that says nothing of its end is the same one when it is read again. */
static void a_no_end_is_the_same_end(void **state)
{
	const struct slice key = slice_str("hold"),
			   value = slice_str("{\"v\":1}");
	struct order_when later = {{2000000}, when.wall_ms + 1000};
	struct order a, b;

	(void)state;
	assert_true(order_decode(key, value, when, &a));
	assert_true(order_decode(key, value, later, &b));
	assert_true(is_order_same(&a, &b));
	assert_true(order_decode(
	    key, slice_str("{\"v\":1,\"at_ms\":1,\"until_ms\":9}"), later, &b));
	assert_false(is_order_same(&a, &b));
}

static void a_no_two_clusters_share_keys(void **state)
{
	static const struct {
		const char *ns, *scope, *prefix;
	} t[] = {
	    {"/service", "main", "/patroute/main/"},
	    {"/service", "main/0", "/patroute/main/0/"},
	    {"/service", "@a/main", "/patroute/@service/@a/main/"},
	    {"/a", "main", "/patroute/@a/main/"},
	    {"/a/b", "main", "/patroute/@a@b/main/"},
	    {"/a@b", "main", "/patroute/@a%@b/main/"},
	    {"/a%/b", "main", "/patroute/@a%%@b/main/"},
	    {"/a%@b", "main", "/patroute/@a%%%@b/main/"},
	    {"/service/a", "main", "/patroute/@service@a/main/"},
	};
	char buf[ORDERS_PREFIX];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		assert_string_equal(
		    order_prefix(t[i].ns, t[i].scope, buf), t[i].prefix);
}

static void a_a_members_name_is_no_path(void **state)
{
	struct order o;

	(void)state;
	assert_true(is_order_member("node1") && is_order_member("..x"));
	assert_false(is_order_member("") || is_order_member("a/b"));
	assert_false(is_order_member(".") || is_order_member(".."));
	assert_false(is_order_member("a b") || is_order_member("\x01"));
	assert_false(order_decode(
	    slice_str("drain/../main"), slice_str("{\"v\":1}"), when, &o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_the_hosts_own_stands_over_etcds),
	    cmocka_unit_test(a_drains_add_up),
	    cmocka_unit_test(a_a_set_has_one_of_a_kind),
	    cmocka_unit_test(a_it_is_over_at_its_end),
	    cmocka_unit_test(a_keys),
	    cmocka_unit_test(a_what_is_written_is_read),
	    cmocka_unit_test(a_what_is_over_is_not_in_force),
	    cmocka_unit_test(a_no_end_is_the_same_end),
	    cmocka_unit_test(a_no_two_clusters_share_keys),
	    cmocka_unit_test(a_a_members_name_is_no_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
