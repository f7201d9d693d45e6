/* etcd's JSON gateway: captured answers, lines in pieces, what is asked. */
#include "captured.h"
#include "etcd3_json.h"
#include "../common/guard.h"
#include "../common/unit.h"

#define CLUSTER 724648072762990725u

/* What the sink was given. */
struct got {
	unsigned n;
	char key[64], value[64];
	struct etcd3_kv last;
};

static void kv_cb(void *arg, const struct etcd3_kv *kv)
{
	struct got *g = arg;

	g->n++;
	g->last = *kv;
	assert_true(slice_copy(kv->key, g->key, sizeof(g->key)));
	if (!slice_copy(kv->value, g->value, sizeof(g->value)))
		g->value[0] = '\0';
}

static struct etcd3_watch watch(const char *line, struct got *g)
{
	const struct etcd3_sink sink = {.kv = kv_cb, .arg = g};

	memset(g, 0, sizeof(*g));
	return etcd3_watch_line(slice_str(line), &sink);
}

static void test_range(void **state)
{
	struct got g = {0};
	const struct etcd3_sink sink = {.kv = kv_cb, .arg = &g};
	struct etcd3_range range;

	(void)state;
	assert_true(etcd3_range(slice_str(etcd_range), &sink, &range));
	assert_true(range.head.cluster_id == CLUSTER);
	assert_true(range.head.revision > 0 && range.count == g.n);
	assert_int_equal(g.n, 7);
	assert_string_equal(g.key, "/service/main/status");
	assert_string_equal(g.value, "{\"optime\":83886176}");
}

static void test_empty_range(void **state)
{
	struct got g = {0};
	const struct etcd3_sink sink = {.kv = kv_cb, .arg = &g};
	struct etcd3_range range;

	(void)state;
	assert_true(etcd3_range(slice_str("{\"header\":{\"cluster_id\":\"1\","
					  "\"revision\":\"1\"}}"),
	    &sink, &range));
	assert_true(range.count == 0 && g.n == 0);
}

#define HEAD "\"header\":{\"cluster_id\":\"1\",\"revision\":\"9\"}"
#define KV "{\"key\":\"YQ==\",\"mod_revision\":\"9\",\"value\":\"Yg==\"}"

static void test_broken_ranges(void **state)
{
	static const char *const bodies[] = {"", "{}", "[]", "{" HEAD,
	    "{" HEAD ",\"kvs\":[" KV "],\"count\":\"2\"}",
	    "{" HEAD ",\"kvs\":[" KV "],\"count\":\"1\",\"more\":true}",
	    "{" HEAD ",\"kvs\":{},\"count\":\"0\"}",
	    "{" HEAD ",\"kvs\":[7],\"count\":\"1\"}",
	    "{" HEAD ",\"kvs\":[{\"key\":\"Y\",\"mod_revision\":\"9\"}],"
	    "\"count\":\"1\"}",
	    "{" HEAD ",\"kvs\":[{\"key\":\"Y!==\",\"mod_revision\":\"9\"}],"
	    "\"count\":\"1\"}",
	    "{" HEAD ",\"kvs\":[{\"key\":7,\"mod_revision\":\"9\"}],"
	    "\"count\":\"1\"}",
	    "{" HEAD ",\"kvs\":[{\"mod_revision\":\"9\"}],\"count\":\"1\"}",
	    "{" HEAD ",\"kvs\":[{\"key\":\"YQ==\"}],\"count\":\"1\"}",
	    "{\"header\":{\"cluster_id\":\"1\"},\"count\":\"0\"}",
	    "{\"header\":{\"revision\":\"9\"},\"count\":\"0\"}",
	    "{\"error\":\"etcdserver: request timed out\",\"code\":14}"};
	struct got g = {0};
	const struct etcd3_sink sink = {.kv = kv_cb, .arg = &g};
	struct etcd3_range range;

	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++)
		assert_false(etcd3_range(slice_str(bodies[i]), &sink, &range));
}

static void test_beat(void **state)
{
	struct etcd3_head head;
	struct etcd3_beat beat[2];

	(void)state;
	assert_true(etcd3_beat(slice_str(etcd_beat), &head, beat, 2));
	assert_int_equal(head.revision, 6);
	assert_true(beat[0].count == 0 && beat[0].top_revision == 0);
	assert_true(beat[1].count == 1 && beat[1].top_revision == 5);
	/* Another number of ranges than was asked for is no answer. */
	assert_false(etcd3_beat(slice_str(etcd_beat), &head, beat, 1));
	assert_false(etcd3_beat(slice_str("{" HEAD "}"), &head, beat, 1));
	assert_false(
	    etcd3_beat(slice_str("{" HEAD ",\"succeeded\":true,\"responses\":[{"
				 "\"response_range\":{\"count\":\"1\"}}]}"),
		&head, beat, 1));
}

static void test_watch(void **state)
{
	struct got g;
	struct etcd3_watch w = watch(watch_created, &g);

	(void)state;
	assert_int_equal(w.kind, ETCD3_CREATED);
	assert_true(w.head.cluster_id == CLUSTER && w.head.revision == 38);
	w = watch(watch_failover, &g);
	assert_int_equal(w.kind, ETCD3_EVENTS);
	assert_string_equal(g.key, "/service/main/failover");
	assert_string_equal(g.value, "{\"leader\":\"node1\"}");
	assert_true(g.last.created && !g.last.deleted);
	w = watch(watch_gone, &g);
	assert_string_equal(g.key, "/service/main/leader");
	assert_true(g.last.deleted && !g.last.created);
	assert_int_equal(g.last.mod_revision, 43);
	w = watch(watch_leader, &g);
	assert_string_equal(g.value, "node2");
	/* The key was gone: it is a new one. */
	assert_true(g.last.created && g.last.mod_revision == 47);
	w = watch(watch_cleared, &g);
	assert_false(g.last.created);
	w = watch(watch_no_leader, &g);
	assert_int_equal(w.kind, ETCD3_ERROR);
	assert_string_equal(w.text, "etcdserver: no leader");
}

#define RESULT "{\"result\":{" HEAD

static const struct {
	const char *line;
	enum etcd3_kind kind;
	unsigned events;
} lines[] = {
    {RESULT "}}", ETCD3_PROGRESS, 0},
    {RESULT ",\"created\":true}}", ETCD3_CREATED, 0},
    {RESULT ",\"canceled\":true}}", ETCD3_CANCELED, 0},
    {RESULT ",\"canceled\":true,\"compact_revision\":\"7\"}}", ETCD3_COMPACTED,
	0},
    {"{\"result\":{\"canceled\":true,\"compact_revision\":\"7\"}}",
	ETCD3_COMPACTED, 0},
    {RESULT ",\"events\":[{\"kv\":" KV "},{\"type\":\"PUT\",\"kv\":" KV
	    "},{\"type\":\"DELETE\",\"kv\":" KV "}]}}",
	ETCD3_EVENTS, 3},
    {RESULT ",\"events\":[{\"type\":\"MOVE\",\"kv\":" KV "}]}}", ETCD3_BAD, 0},
    {RESULT ",\"events\":[{}]}}", ETCD3_BAD, 0},
    {RESULT ",\"events\":7}}", ETCD3_BAD, 0},
    {"{\"result\":{}}", ETCD3_BAD, 0},
    {"{\"error\":7}", ETCD3_ERROR, 0},
    {"{}", ETCD3_BAD, 0},
    {"", ETCD3_BAD, 0},
    {"no json", ETCD3_BAD, 0},
};

static void test_lines(void **state)
{
	struct got g;

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		assert_int_equal(watch(lines[i].line, &g).kind, lines[i].kind);
		assert_int_equal(g.n, lines[i].events);
	}
}

static void test_prefixes(void **state)
{
	const char *const texts[] = {watch_leader, watch_history, etcd_range};
	struct guard guard = guard_new(8192);
	struct got g = {0};
	const struct etcd3_sink sink = {.kv = kv_cb, .arg = &g};
	struct etcd3_range range;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		/* Without the newline the line is already whole. */
		size_t len = strcspn(texts[i], "\n");

		for (size_t n = 0; n < len; n++) {
			struct slice s = guard_put(&guard, texts[i], n);

			assert_int_equal(
			    etcd3_watch_line(s, &sink).kind, ETCD3_BAD);
			assert_false(etcd3_range(s, &sink, &range));
		}
	}
	guard_free(&guard);
}

/* Cuts `text` into lines, fed in pieces of `piece` bytes; joins them by '|'. */
static enum etcd3_cut cut(
    const char *text, size_t piece, size_t room, char *out)
{
	unsigned char buf[64];
	struct etcd3_lines l = {.buf = buf, .size = room};
	struct slice all = slice_str(text), line;
	enum etcd3_cut c = ETCD3_CUT_NONE;

	*out = '\0';
	while (all.len > 0) {
		struct slice in =
		    slice_of(all.p, all.len < piece ? all.len : piece);

		all = slice_skip(all, in.len);
		while (
		    (c = etcd3_lines_next(&l, &in, &line)) == ETCD3_CUT_LINE) {
			strncat(out, (const char *)line.p, line.len);
			strncat(out, "|", 2);
		}
		if (c == ETCD3_CUT_LONG)
			return c;
	}
	return c;
}

static void test_pieces(void **state)
{
	char out[128];

	(void)state;
	for (size_t piece = 1; piece <= 20; piece++) {
		assert_int_equal(cut("one\n\ntwo two\n\n\nrest", piece, 7, out),
		    ETCD3_CUT_NONE);
		assert_string_equal(out, "one|two two|");
		assert_int_equal(
		    cut("one\ntwo two\n", piece, 6, out), ETCD3_CUT_LONG);
		assert_string_equal(out, "one|");
	}
}

static void test_questions(void **state)
{
	char buf[2 * ETCD3_ASK_ROOM];
	struct etcd3_text t = {.p = buf, .size = sizeof(buf)};

	(void)state;
	etcd3_ask_range(&t, "/service/main/");
	assert_false(t.full);
	assert_string_equal(buf,
	    "{\"key\":\"L3NlcnZpY2UvbWFpbi8=\","
	    "\"range_end\":\"L3NlcnZpY2UvbWFpbjA=\"}");
	t.used = 0;
	etcd3_ask_watch(&t, "/a/", 7, 1);
	assert_string_equal(buf,
	    "{\"create_request\":{\"key\":\"L2Ev\",\"range_end\":\"L2Ew\","
	    "\"start_revision\":\"7\",\"watch_id\":\"1\"}}\n");
	t.used = 0;
	etcd3_ask_beat_begin(&t);
	etcd3_ask_beat_add(&t, "/a/");
	etcd3_ask_beat_add(&t, "/b/");
	etcd3_ask_beat_end(&t);
	assert_non_null(strstr(buf, "\"MOD\"}},{\"request_range\""));
	assert_string_equal(buf + t.used - 5, "\"}}]}");
	assert_false(t.full);
}

static void test_room(void **state)
{
	char prefix[LIM_TEXT], buf[ETCD3_ASK_ROOM];
	struct etcd3_text t = {.p = buf, .size = sizeof(buf)};

	(void)state;
	memset(prefix, '/', sizeof(prefix));
	prefix[sizeof(prefix) - 1] = '\0';
	/* The longest prefix fits in the room that is promised. */
	etcd3_ask_watch(&t, prefix, INT64_MAX, INT64_MAX);
	assert_false(t.full);
	t.used = 0;
	etcd3_ask_beat_add(&t, prefix);
	assert_false(t.full);
	t.used = 0;
	t.size = 100;
	etcd3_ask_range(&t, prefix);
	assert_true(t.full && t.used <= t.size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_range),
	    cmocka_unit_test(test_empty_range),
	    cmocka_unit_test(test_broken_ranges),
	    cmocka_unit_test(test_beat),
	    cmocka_unit_test(test_watch),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_prefixes),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_questions),
	    cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
