/* etcd's JSON gateway: captured answers, errors, lines in pieces. */
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
	struct etcd3_head head;

	(void)state;
	assert_true(etcd3_range(slice_str(etcd_range), &sink, &head));
	assert_true(head.cluster_id == CLUSTER && head.revision == 38);
	assert_int_equal(g.n, 7);
	assert_string_equal(g.key, "/service/main/status");
	assert_string_equal(g.value, "{\"optime\":83886176}");
}

static void test_empty_range(void **state)
{
	struct got g = {0};
	const struct etcd3_sink sink = {.kv = kv_cb, .arg = &g};
	struct etcd3_head head;

	(void)state;
	assert_true(etcd3_range(slice_str("{\"header\":{\"cluster_id\":\"1\","
					  "\"revision\":\"1\"}}"),
	    &sink, &head));
	assert_true(head.revision == 1 && g.n == 0);
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
	struct etcd3_head head;

	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++)
		assert_false(etcd3_range(slice_str(bodies[i]), &sink, &head));
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
	const char *const texts[] = {
	    watch_leader, watch_history, etcd_range, etcd3_whole};
	struct guard guard = guard_new(8192);
	struct got g = {0};
	const struct etcd3_sink sink = {.kv = kv_cb, .arg = &g};
	struct etcd3_read read;
	struct etcd3_head head;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		/* Without the newline the line is already whole. */
		size_t len = strcspn(texts[i], "\n");

		for (size_t n = 0; n < len; n++) {
			struct slice s = guard_put(&guard, texts[i], n);

			assert_int_equal(
			    etcd3_watch_line(s, &sink).kind, ETCD3_BAD);
			assert_false(etcd3_range(s, &sink, &head));
			assert_false(etcd3_read(s, &sink, &read));
			(void)etcd3_error(s);
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

static void test_read(void **state)
{
	struct got g = {0};
	const struct etcd3_sink sink = {.kv = kv_cb, .arg = &g};
	struct etcd3_read read;
	char text[4096];
	char *at;

	(void)state;
	assert_true(etcd3_read(slice_str(etcd3_whole), &sink, &read));
	assert_int_equal(read.head.revision, 9);
	/* config and failover; initialize, leader, two members, status */
	assert_true(read.count[0] == 2 && read.count[1] == 5);
	assert_int_equal(read.history, 4);
	/* There is no sync; history and status are not wanted. */
	assert_int_equal(g.n, 6);
	assert_string_equal(g.key, "/service/main/members/node2");
	/* One key is missing of what was counted: no whole read. */
	assert_true(strlen(etcd3_whole) < sizeof(text));
	memcpy(text, etcd3_whole, strlen(etcd3_whole) + 1);
	at = strstr(text, "\"count\":\"1\"");
	assert_non_null(at);
	at[9] = '2';
	assert_true(etcd3_read(slice_str(text), &sink, &read));
	at = strstr(at + 1, "\"count\":\"1\"");
	assert_non_null(at);
	at[9] = '2';
	assert_false(etcd3_read(slice_str(text), &sink, &read));
	/* Another number of answers than of questions. */
	assert_false(etcd3_read(slice_str(etcd_beat), &sink, &read));
	assert_false(etcd3_read(slice_str("{" HEAD "}"), &sink, &read));
	assert_false(etcd3_read(slice_str("[]"), &sink, &read));
}

static void test_token(void **state)
{
	char token[8];

	(void)state;
	assert_true(etcd3_token(slice_str("{\"token\":\"ab.1\"}"), token, 8));
	assert_string_equal(token, "ab.1");
	assert_false(
	    etcd3_token(slice_str("{\"token\":\"12345678\"}"), token, 8));
	assert_string_equal(token, "");
	assert_false(etcd3_token(slice_str("{\"token\":\"\"}"), token, 8));
	assert_false(etcd3_token(slice_str("{}"), token, 8));
	assert_false(etcd3_token(slice_str("no json"), token, 8));
	/* It would begin another header line. */
	assert_false(
	    etcd3_token(slice_str("{\"token\":\"a\\r\\nb\"}"), token, 8));
	assert_string_equal(token, "");
}

static const struct {
	const char *body;
	enum etcd3_code code;
	const char *text;
} errors[] = {
    {"{\"error\":\"etcdserver: invalid auth token\",\"message\":"
     "\"etcdserver: invalid auth token\",\"code\":16}",
	ETCD3_CODE_TOKEN, "etcdserver: invalid auth token"},
    {"{\"error\":\"etcdserver: revision of auth store is old\",\"code\":3}",
	ETCD3_CODE_TOKEN, "etcdserver: revision of auth store is old"},
    {"{\"error\":\"etcdserver: permission denied\",\"code\":7}",
	ETCD3_CODE_DENIED, "etcdserver: permission denied"},
    {"{\"error\":\"etcdserver: authentication is not enabled\",\"code\":9}",
	ETCD3_CODE_NO_AUTH, "etcdserver: authentication is not enabled"},
    {"{\"error\":\"etcdserver: user name is empty\",\"code\":3}",
	ETCD3_CODE_NONE, "etcdserver: user name is empty"},
    {"404 page not found", ETCD3_CODE_NONE, ""},
    {"", ETCD3_CODE_NONE, ""},
};

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		struct etcd3_error e = etcd3_error(slice_str(errors[i].body));

		assert_int_equal(e.code, errors[i].code);
		assert_string_equal(e.text, errors[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_range),
	    cmocka_unit_test(test_empty_range),
	    cmocka_unit_test(test_broken_ranges),
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_beat),
	    cmocka_unit_test(test_token),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_watch),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_prefixes),
	    cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
