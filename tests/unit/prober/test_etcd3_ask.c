/* What is asked of etcd: ranges that leave history out, and their room. */
#include "etcd3_ask.h"
#include "../common/unit.h"

static struct etcd_text text(char *buf, size_t size)
{
	buf[0] = '\0';
	return (struct etcd_text){.p = buf, .size = size};
}

static void test_parts(void **state)
{
	char buf[ETCD3_ASK_ROOM];
	struct etcd_text t = text(buf, sizeof(buf));
	struct etcd3_follow f = {
	    .prefix = "/a/", .part = 0, .revision = 7, .watch_id = 1};

	(void)state;
	/* "/a/" to "/a/history" */
	etcd3_ask_watch(&t, &f);
	assert_string_equal(buf,
	    "{\"create_request\":{\"key\":\"L2Ev\","
	    "\"range_end\":\"L2EvaGlzdG9yeQ==\","
	    "\"start_revision\":\"7\",\"watch_id\":\"1\"}}\n");
	/* "/a/history\0" to "/a0" */
	t = text(buf, sizeof(buf));
	f.part = 1;
	f.watch_id = 2;
	etcd3_ask_watch(&t, &f);
	assert_string_equal(buf,
	    "{\"create_request\":{\"key\":\"L2EvaGlzdG9yeQA=\","
	    "\"range_end\":\"L2Ew\","
	    "\"start_revision\":\"7\",\"watch_id\":\"2\"}}\n");
}

static void test_txns(void **state)
{
	char buf[ETCD3_READ_ROOM];
	struct etcd_text t = text(buf, sizeof(buf));

	(void)state;
	etcd3_ask_begin(&t);
	etcd3_ask_beat(&t, "/a/");
	etcd3_ask_beat(&t, "/b/");
	etcd3_ask_end(&t);
	assert_memory_equal(buf, "{\"success\":[{\"request_range\":", 29);
	assert_non_null(strstr(buf, "\"MOD\"}},{\"request_range\""));
	assert_string_equal(buf + t.used - 5, "\"}}]}");
	assert_null(strstr(buf, "}{"));
	assert_false(t.full);
	t = text(buf, sizeof(buf));
	etcd3_ask_key(&t, "/a/", "history");
	assert_string_equal(buf, "{\"key\":\"L2EvaGlzdG9yeQ==\"}");
}

static void test_login(void **state)
{
	char buf[200];
	struct etcd_text t = text(buf, sizeof(buf));

	(void)state;
	etcd3_ask_login(&t, "a\"b:c\\d\n\xc3\xa4");
	assert_string_equal(buf,
	    "{\"name\":\"a\\u0022b\","
	    "\"password\":\"c\\u005cd\\u000a\xc3\xa4\"}");
}

static void test_paths(void **state)
{
	char buf[100];
	struct etcd_text t = text(buf, sizeof(buf));

	(void)state;
	etcd_text_path(&t, "/a-b_c.d~/e?f=#%g\xc3");
	assert_string_equal(buf, "/a-b_c.d~/e%3Ff%3D%23%25g%C3");
}

static void test_room(void **state)
{
	char prefix[LIM_TEXT], buf[ETCD3_READ_ROOM];
	struct etcd_text t = text(buf, ETCD3_ASK_ROOM);
	struct etcd3_follow f = {
	    .prefix = prefix, .revision = INT64_MAX, .watch_id = INT64_MAX};

	(void)state;
	memset(prefix, '/', sizeof(prefix));
	prefix[sizeof(prefix) - 1] = '\0';
	/* The longest prefix fits in the room that is promised. */
	for (f.part = 0; f.part < ETCD3_PARTS; f.part++)
		etcd3_ask_watch(&t, &f);
	assert_false(t.full);
	t = text(buf, ETCD3_ASK_ROOM);
	etcd3_ask_beat(&t, prefix);
	assert_false(t.full);
	t = text(buf, ETCD3_ASK_ROOM);
	etcd3_ask_look(&t, prefix);
	assert_false(t.full);
	t = text(buf, sizeof(buf));
	etcd3_ask_read(&t, prefix);
	assert_false(t.full);
	t = text(buf, 100);
	etcd3_ask_read(&t, prefix);
	assert_true(t.full && t.used <= t.size);
	assert_int_equal(strlen(buf), t.used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_txns),
	    cmocka_unit_test(test_login),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
