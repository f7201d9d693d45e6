/* etcd v2: captured answers of a real one, errors, what is broken. */
#include "captured.h"
#include "etcd2_json.h"
#include "../common/guard.h"
#include "../common/unit.h"

struct got {
	unsigned n;
	char key[64], value[256];
	struct etcd2_kv last;
};

static void kv_cb(void *arg, const struct etcd2_kv *kv)
{
	struct got *g = arg;

	g->n++;
	g->last = *kv;
	assert_true(slice_copy(kv->key, g->key, sizeof(g->key)));
	assert_true(slice_copy(kv->value, g->value, sizeof(g->value)));
}

static struct etcd2_answer decode(const char *body, struct got *g)
{
	const struct etcd2_sink sink = {.kv = kv_cb, .arg = g};

	memset(g, 0, sizeof(*g));
	return etcd2_decode(slice_str(body), &sink);
}

static void test_reads(void **state)
{
	struct got g;

	(void)state;
	assert_int_equal(decode(v2_leader, &g).kind, ETCD2_NODES);
	assert_int_equal(g.n, 1);
	assert_string_equal(g.key, "/service/main/leader");
	assert_string_equal(g.value, "node1");
	assert_true(g.last.modified == 5 && g.last.created == 5);
	/* The directory itself is no key. */
	assert_int_equal(decode(v2_members, &g).kind, ETCD2_NODES);
	assert_int_equal(g.n, 2);
	assert_string_equal(g.key, "/service/main/members/node2");
}

static void test_events(void **state)
{
	struct got g;
	struct etcd2_answer a = decode(v2_renewed, &g);

	(void)state;
	/* A renewal is no new key. */
	assert_true(a.kind == ETCD2_EVENT && a.modified == 8);
	assert_true(g.last.modified == 8 && g.last.created == 5);
	assert_false(g.last.deleted);
	assert_string_equal(g.value, "node1");
	a = decode(v2_gone, &g);
	assert_true(a.kind == ETCD2_EVENT && a.modified == 9);
	assert_true(g.last.deleted && !g.last.dir);
	a = decode(v2_taken, &g);
	assert_true(a.kind == ETCD2_EVENT && g.last.created == 10);
	assert_string_equal(g.value, "node2");
	a = decode(v2_expired, &g);
	assert_true(a.kind == ETCD2_EVENT && g.last.deleted);
	a = decode(v2_mkdir, &g);
	assert_true(a.kind == ETCD2_EVENT && a.modified == 13 && g.n == 0);
	a = decode(v2_removed, &g);
	assert_true(a.kind == ETCD2_EVENT && g.last.deleted && g.last.dir);
	assert_string_equal(g.key, "/service/main");
}

static void test_errors(void **state)
{
	struct got g;
	struct etcd2_answer a = decode(v2_absent, &g);

	(void)state;
	assert_int_equal(a.kind, ETCD2_ABSENT);
	assert_string_equal(a.cause, "/service/main/leader");
	assert_int_equal(decode(v2_cleared, &g).kind, ETCD2_CLEARED);
	a = decode("{\"errorCode\":110,\"message\":\"no \\u001b\"}", &g);
	assert_int_equal(a.kind, ETCD2_DENIED);
	a = decode("{\"errorCode\":300,\"message\":\"Raft\"}", &g);
	assert_int_equal(a.kind, ETCD2_ERROR);
	assert_string_equal(a.text, "Raft");
	assert_int_equal(g.n, 0);
}

#define NODE(more) "{\"action\":\"get\",\"node\":{" more "}}"
#define INDEX "\"modifiedIndex\":1,\"createdIndex\":1"

static void test_broken(void **state)
{
	static const char *const bodies[] = {"", "{}", "[]", "null",
	    "404 page not found", "{\"action\":\"get\"}",
	    "{\"action\":\"get\",\"node\":7}", "{\"action\":7,\"node\":{}}",
	    "{\"action\":\"dance\",\"node\":{\"key\":\"/a\"," INDEX "}}",
	    NODE("\"key\":\"/a\""), NODE(INDEX), NODE("\"key\":\"\"," INDEX),
	    NODE("\"key\":7," INDEX),
	    NODE("\"key\":\"/a\",\"modifiedIndex\":-1,\"createdIndex\":1"),
	    NODE("\"key\":\"/a\",\"modifiedIndex\":1e99,\"createdIndex\":1"),
	    NODE("\"dir\":true,\"nodes\":7"),
	    NODE("\"dir\":true,\"nodes\":[7]"),
	    NODE("\"dir\":true,\"nodes\":[{\"key\":\"/a\"}]"),
	    "{\"action\":\"delete\",\"node\":{\"key\":\"/a\"}}",
	    "{\"errorCode\":0}", "{\"errorCode\":\"x\"}"};
	struct got g;

	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++)
		assert_int_equal(decode(bodies[i], &g).kind, ETCD2_BAD);
	/* An empty value is one. */
	assert_int_equal(
	    decode(NODE("\"key\":\"/a\"," INDEX), &g).kind, ETCD2_NODES);
	assert_true(g.n == 1 && g.last.value.p != NULL);
}

static void test_prefixes(void **state)
{
	const char *const texts[] = {
	    v2_members, v2_renewed, v2_removed, v2_cleared, etcd_version};
	struct guard guard = guard_new(4096);
	struct got g = {0};
	const struct etcd2_sink sink = {.kv = kv_cb, .arg = &g};
	struct etcd_version v;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		/* Without the newline it is already whole. */
		size_t len = strcspn(texts[i], "\n");

		for (size_t n = 0; n < len; n++) {
			struct slice s = guard_put(&guard, texts[i], n);

			assert_int_equal(
			    etcd2_decode(s, &sink).kind, ETCD2_BAD);
			assert_false(etcd_version_decode(s, &v));
		}
	}
	guard_free(&guard);
}

static void test_version(void **state)
{
	static const char *const bad[] = {"{}", "[]",
	    "{\"etcdserver\":\"x.y.z\"}", "{\"etcdserver\":\"3\"}",
	    "{\"etcdserver\":\"0.4.9\"}", "{\"etcdserver\":\"-3.4.0\"}",
	    "{\"etcdserver\":3.4}"};
	struct etcd_version v;

	(void)state;
	assert_true(etcd_version_decode(slice_str(etcd_version), &v));
	assert_true(v.major == 3 && v.minor == 4);
	assert_string_equal(v.text, "3.4.23");
	assert_true(
	    etcd_version_decode(slice_str("{\"etcdserver\":\"2.3.8\"}"), &v));
	assert_true(v.major == 2 && v.minor == 3);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(etcd_version_decode(slice_str(bad[i]), &v));
}

static void test_cluster_id(void **state)
{
	static const char *const bad[] = {"", " -1", "-1", "+1", "0x7a", "7a ",
	    "7g", "10000000000000000", "7\n"};

	(void)state;
	assert_true(etcd2_cluster_id(slice_str("7a")) == 0x7a);
	assert_true(etcd2_cluster_id(slice_str("CDF818194e3a8C32")) ==
	    0xcdf818194e3a8c32u);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_true(etcd2_cluster_id(slice_str(bad[i])) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reads),
	    cmocka_unit_test(test_events),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_broken),
	    cmocka_unit_test(test_prefixes),
	    cmocka_unit_test(test_version),
	    cmocka_unit_test(test_cluster_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
