/* The proof that a watch told all: what a heartbeat may and may not confirm. */
#include "etcd_cluster.h"
#include "../common/unit.h"

#define PREFIX "/service/main/"

struct heard {
	unsigned views, alives;
	struct mono at;
};

static void view_cb(void *arg, const struct ev_view *v, struct mono at)
{
	struct heard *h = arg;

	(void)v;
	h->views++;
	h->at = at;
}

static void alive_cb(void *arg, struct mono at)
{
	struct heard *h = arg;

	h->alives++;
	h->at = at;
}

/* A whole read of revision 10 that found the leader key. */
static struct etcd_cluster start(struct heard *h)
{
	struct etcd_cluster c = {
	    .sink = {.view = view_cb, .alive = alive_cb, .arg = h}};
	const struct etcd3_read read = {
	    .head = {.cluster_id = 1, .revision = 10}, .count = {2, 1}};
	const struct etcd3_kv kv = {.key = slice_str(PREFIX "leader"),
	    .value = slice_str("node1"),
	    .mod_revision = 7};

	memset(h, 0, sizeof(*h));
	assert_true(dcs_keys_init(&c.keys, PREFIX));
	etcd_cluster_clear(&c);
	etcd_cluster_read(&c, &kv);
	etcd_cluster_take(&c, &read);
	return c;
}

static void event(
    struct etcd_cluster *c, int64_t revision, bool deleted, bool created)
{
	const struct etcd3_kv kv = {.key = slice_str(PREFIX "leader"),
	    .value = slice_str("node2"),
	    .mod_revision = revision,
	    .deleted = deleted,
	    .created = created};

	etcd_cluster_event(c, 1, &kv);
}

static bool prove(
    struct etcd_cluster *c, int64_t revision, uint64_t count, int64_t top)
{
	c->part[0].beat = (struct etcd3_beat){.count = 2, .top_revision = 3};
	c->part[1].beat =
	    (struct etcd3_beat){.count = count, .top_revision = top};
	c->is_unproven = true;
	return etcd_cluster_prove(c, revision, (struct mono){5});
}

static void test_nothing_happened(void **state)
{
	struct heard h;
	struct etcd_cluster c = start(&h);

	(void)state;
	assert_true(prove(&c, 10, 1, 7));
	assert_true(h.alives == 1 && h.at.us == 5);
	/* Said once, however often it is asked. */
	assert_true(etcd_cluster_prove(&c, 10, (struct mono){6}));
	assert_int_equal(h.alives, 1);
	/* Other prefixes moved the revision. */
	assert_true(prove(&c, 99, 1, 7));
}

static void test_a_swallowed_put(void **state)
{
	struct heard h;
	struct etcd_cluster c = start(&h);

	(void)state;
	assert_false(prove(&c, 11, 1, 11));
	assert_int_equal(h.alives, 0);
	event(&c, 11, false, false);
	assert_true(etcd_cluster_prove(&c, 11, (struct mono){5}));
	assert_true(
	    h.alives == 1 && c.is_changed && etcd_cluster_seen(&c) == 11);
}

static void test_a_swallowed_delete(void **state)
{
	struct heard h;
	struct etcd_cluster c = start(&h);

	(void)state;
	/* No key is newer than what is known; one is missing. */
	assert_false(prove(&c, 11, 0, 0));
	event(&c, 11, true, false);
	assert_true(etcd_cluster_prove(&c, 11, (struct mono){5}));
	assert_false(c.keys.view.has_leader);
}

static void test_a_swallowed_delete_and_creation(void **state)
{
	struct heard h;
	struct etcd_cluster c = start(&h);

	(void)state;
	assert_false(prove(&c, 12, 1, 12));
	event(&c, 11, true, false);
	assert_false(etcd_cluster_prove(&c, 12, (struct mono){5}));
	event(&c, 12, false, true);
	assert_true(etcd_cluster_prove(&c, 12, (struct mono){5}));
	assert_int_equal(c.part[1].count, 1);
}

static void test_the_stream_is_ahead(void **state)
{
	struct heard h;
	struct etcd_cluster c = start(&h);

	(void)state;
	/* The key was deleted after the heartbeat looked. */
	event(&c, 12, true, false);
	assert_true(prove(&c, 11, 1, 7));
	assert_int_equal(h.alives, 1);
}

static void test_show(void **state)
{
	struct heard h;
	struct etcd_cluster c = start(&h);

	(void)state;
	event(&c, 11, false, false);
	etcd_cluster_show(&c, (struct mono){9});
	assert_true(h.views == 1 && h.at.us == 9 && !c.is_changed);
	assert_int_equal(c.keys.view.revision, 11);
	assert_string_equal(c.keys.view.leader, "node2");
}

/* Each part is a stream of its own: one ahead proves nothing of the other. */
static void test_one_part_is_ahead(void **state)
{
	struct heard h;
	struct etcd_cluster c = start(&h);

	(void)state;
	event(&c, 12, false, false);
	c.part[0].beat = (struct etcd3_beat){.count = 2, .top_revision = 11};
	c.part[1].beat = (struct etcd3_beat){.count = 1, .top_revision = 7};
	c.is_unproven = true;
	assert_false(etcd_cluster_prove(&c, 11, (struct mono){5}));
	c.part[0].seen = 11;
	assert_true(etcd_cluster_prove(&c, 11, (struct mono){5}));
	assert_int_equal(h.alives, 1);
}

static void node(struct etcd_cluster *c, int64_t modified, bool deleted)
{
	const struct etcd2_kv kv = {.key = slice_str(PREFIX "leader"),
	    .value = slice_str("node1"),
	    .modified = modified,
	    .created = 4,
	    .deleted = deleted};

	etcd_cluster_node(c, &kv);
}

static bool prove2(struct etcd_cluster *c, int64_t modified, int64_t index)
{
	const struct etcd2_proof proof = {modified, index, {5}};

	c->is_unproven = true;
	return etcd_cluster_prove2(c, &proof);
}

/* v2, from a whole read at index 10 on: the leader key stands for all. */
static void test_v2(void **state)
{
	struct heard h;
	struct etcd_cluster c = start(&h);

	(void)state;
	etcd_cluster_clear(&c);
	node(&c, 7, false);
	c.leader_seen = c.index_seen = 10;
	assert_int_equal(c.keys.view.leader_rev, 4);
	assert_true(prove2(&c, 7, 12));
	assert_int_equal(h.alives, 1);
	/* Renewed, and the watch did not tell. */
	assert_false(prove2(&c, 11, 12));
	node(&c, 11, false);
	assert_true(
	    etcd_cluster_prove2(&c, &(const struct etcd2_proof){11, 12, {5}}));
	/* A renewal is no move. */
	assert_true(c.keys.view.has_leader && c.keys.view.leader_rev == 4);
	/* The watch is ahead of the answer. */
	node(&c, 13, false);
	assert_true(prove2(&c, 11, 12));
	/* It is gone, and the watch did not tell. */
	assert_false(prove2(&c, 0, 14));
	node(&c, 14, true);
	assert_true(prove2(&c, 0, 14));
	assert_false(c.keys.view.has_leader);
	/* Gone only after the answer. */
	assert_true(prove2(&c, 13, 13));
}

static void test_v2_directory(void **state)
{
	const struct etcd2_kv all = {.key = slice_str("/service/main"),
	    .modified = 20,
	    .created = 1,
	    .deleted = true,
	    .dir = true};
	struct heard h;
	struct etcd_cluster c = start(&h);

	(void)state;
	etcd_cluster_clear(&c);
	node(&c, 7, false);
	etcd_cluster_node(&c, &all);
	assert_false(c.keys.view.has_leader);
	assert_true(c.leader_seen == 20 && c.is_changed);
	assert_true(prove2(&c, 0, 20));
}

/* Of v2's heartbeats each is a request: they must not wait for each other. */
static void test_shared(void **state)
{
	static struct conf_cluster a = {
	    .etcd = {{.host = "e", .port = 1}}, .etcd_n = 1};
	static struct conf_cluster b;

	(void)state;
	b = a;
	assert_true(is_etcd_shared(&a, &b));
	b.etcd[0].tls = true;
	assert_false(is_etcd_shared(&a, &b));
	b = a;
	b.etcd_api = CONF_ETCD_V3;
	assert_false(is_etcd_shared(&a, &b));
	a.etcd_api = CONF_ETCD_V3;
	assert_true(is_etcd_shared(&a, &b));
	a.etcd_api = b.etcd_api = CONF_ETCD_V2;
	assert_false(is_etcd_shared(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_happened),
	    cmocka_unit_test(test_a_swallowed_put),
	    cmocka_unit_test(test_a_swallowed_delete),
	    cmocka_unit_test(test_a_swallowed_delete_and_creation),
	    cmocka_unit_test(test_the_stream_is_ahead),
	    cmocka_unit_test(test_show),
	    cmocka_unit_test(test_one_part_is_ahead),
	    cmocka_unit_test(test_v2),
	    cmocka_unit_test(test_v2_directory),
	    cmocka_unit_test(test_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
