/* Patroni's keys, one by one, into a view; a switchover as captured. */
#include "captured.h"
#include "dcs_keys.h"
#include "etcd3_json.h"
#include "../common/unit.h"

#define PREFIX "/service/main/"

static void put(struct dcs_keys *k, const char *key, const char *value)
{
	char name[256];

	(void)snprintf(name, sizeof(name), PREFIX "%s", key);
	dcs_keys_put(k, slice_str(name), slice_str(value), 5);
}

static void del(struct dcs_keys *k, const char *key)
{
	char name[256];

	(void)snprintf(name, sizeof(name), PREFIX "%s", key);
	dcs_keys_del(k, slice_str(name));
}

static struct dcs_keys start(void)
{
	struct dcs_keys k;

	assert_true(dcs_keys_init(&k, PREFIX));
	return k;
}

static void test_prefix(void **state)
{
	char text[LIM_TEXT + 1];
	struct dcs_keys k;

	(void)state;
	assert_false(dcs_keys_init(&k, ""));
	assert_false(dcs_keys_init(&k, "/service/main"));
	memset(text, '/', sizeof(text));
	text[LIM_TEXT] = '\0';
	assert_false(dcs_keys_init(&k, text));
	text[LIM_TEXT - 1] = '\0';
	assert_true(dcs_keys_init(&k, text));
	/* Foreign keys, and the prefix itself, say nothing. */
	k = start();
	dcs_keys_put(&k, slice_str("/service/other/leader"), slice_str("x"), 1);
	dcs_keys_put(&k, slice_str(PREFIX), slice_str("x"), 1);
	dcs_keys_put(&k, slice_str("/"), slice_str("x"), 1);
	put(&k, "0/leader", "x");
	put(&k, "leaders", "x");
	assert_false(k.view.has_leader || k.view.n > 0);
}

static void test_leader(void **state)
{
	struct dcs_keys k = start();

	(void)state;
	put(&k, "leader", "node1");
	assert_true(k.view.has_leader && k.view.leader_rev == 5);
	assert_string_equal(k.view.leader, "node1");
	del(&k, "leader");
	assert_false(k.view.has_leader);
	assert_true(k.view.leader_rev == 0 && k.view.leader[0] == '\0');
	/* A name too long names nobody, but somebody holds the key. */
	put(&k, "leader",
	    "0123456789012345678901234567890123456789012345678901234567890123");
	assert_true(k.view.has_leader && k.view.leader[0] == '\0');
	assert_int_equal(k.ignored, 1);
}

static void test_member(void **state)
{
	struct dcs_keys k = start();
	const struct ev_dcs_member *m = &k.view.m[0];

	(void)state;
	put(&k, "members/node2",
	    "{\"conn_url\":\"postgres://[::2]:5433/postgres\","
	    "\"api_url\":\"https://db2:8009/patroni\",\"role\":\"replica\","
	    "\"state\":\"running\",\"replication_state\":\"streaming\","
	    "\"timeline\":7,\"xlog_location\":83886176,\"tags\":{"
	    "\"noloadbalance\":true,\"nofailover\":\"true\","
	    "\"patroute_weight\":20}}");
	assert_int_equal(k.view.n, 1);
	assert_true(m->present && m->noloadbalance && m->nofailover);
	assert_string_equal(m->name, "node2");
	assert_string_equal(m->host, "::2");
	assert_int_equal(m->port, 5433);
	assert_string_equal(m->api_host, "db2");
	assert_true(m->api_port == 8009 && m->api_tls);
	assert_int_equal(m->role, EV_ROLE_REPLICA);
	assert_int_equal(m->state, EV_STATE_STREAMING);
	assert_true(m->tli == 7 && m->lsn == 83886176 && m->weight == 20);
	/* The same key again replaces all of it. */
	put(&k, "members/node2", "rubbish");
	assert_int_equal(k.view.n, 1);
	assert_true(m->present && m->port == 0 && m->host[0] == '\0');
	assert_int_equal(m->weight, 100);
	/* URLs of the wrong kind are none. */
	put(&k, "members/node2",
	    "{\"conn_url\":\"http://h:1/\",\"api_url\":\"postgres://h/\"}");
	assert_true(m->port == 0 && m->api_port == 0 && m->weight == 100);
}

/* Somebody's slip of the pen takes no reads away; only a 0 does. */
static void test_weight(void **state)
{
	static const struct {
		const char *text;
		int weight;
	} weights[] = {{"0", 0}, {"1", 1}, {"256", 256}, {"257", 256},
	    {"1e300", 256}, {"null", 100}, {"-1", 100}, {"-1e300", 100},
	    {"1.5", 100}, {"\"high\"", 100}, {"\"0\"", 100}, {"false", 100},
	    {"[]", 100}, {"{}", 100}};
	struct dcs_keys k = start();
	const struct ev_dcs_member *m = &k.view.m[0];

	(void)state;
	for (size_t i = 0; i < COUNT(weights); i++) {
		char text[96];

		(void)snprintf(text, sizeof(text),
		    "{\"tags\":{\"patroute_weight\":%s}}", weights[i].text);
		put(&k, "members/node2", text);
		assert_int_equal(m->weight, weights[i].weight);
	}
}

static void test_members_come_and_go(void **state)
{
	struct dcs_keys k = start();
	char name[32];

	(void)state;
	for (int i = 0; i < LIM_MEMBERS + 2; i++) {
		(void)snprintf(name, sizeof(name), "members/n%d", i);
		put(&k, name, "{}");
	}
	assert_int_equal(k.view.n, LIM_MEMBERS);
	assert_int_equal(k.ignored, 2);
	del(&k, "members/n0");
	del(&k, "members/n0");
	assert_int_equal(k.view.n, LIM_MEMBERS - 1);
	assert_string_equal(k.view.m[0].name, "n31");
	assert_false(k.view.m[LIM_MEMBERS - 1].present);
	put(&k, "members/", "{}");
	assert_int_equal(k.view.n, LIM_MEMBERS - 1);
	dcs_keys_clear(&k);
	assert_true(k.view.n == 0 && k.ignored == 0);
	assert_string_equal(k.prefix, PREFIX);
}

static void test_config(void **state)
{
	struct dcs_keys k = start();
	struct ev_view *v = &k.view;

	(void)state;
	put(&k, "config",
	    "{\"pause\":true,\"failsafe_mode\":\"on\","
	    "\"synchronous_mode\":\"quorum\","
	    "\"standby_cluster\":{\"host\":\"h\"}}");
	assert_true(v->pause && v->failsafe_mode && v->sync_mode);
	assert_true(v->standby_cluster);
	put(&k, "config", "{\"standby_cluster\":{},\"synchronous_mode\":1}");
	assert_true(v->sync_mode && !v->standby_cluster && !v->pause);
	put(&k, "config", "{\"standby_cluster\":{\"port\":5432}}");
	assert_true(v->standby_cluster && !v->sync_mode);
	del(&k, "config");
	assert_false(v->standby_cluster);
}

static void test_failover(void **state)
{
	static const struct {
		const char *value;
		bool has, scheduled;
	} keys[] = {
	    {"{\"leader\":\"node1\"}", true, false},
	    {"{\"leader\":\"node1\",\"member\":\"node2\","
	     "\"scheduled_at\":\"2026-11-21T12:00:00+00:00\"}",
		true, true},
	    {"{\"member\":\"node2\",\"scheduled_at\":null}", true, false},
	    {"{}", false, false},
	    {"", false, false},
	    {"node1:node2", true, false},
	    {":", false, false},
	};
	struct dcs_keys k = start();

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		put(&k, "failover", keys[i].value);
		assert_int_equal(k.view.has_failover, keys[i].has);
		assert_int_equal(k.view.failover_scheduled, keys[i].scheduled);
	}
}

static void test_sync_and_history(void **state)
{
	struct dcs_keys k = start();
	struct ev_view *v = &k.view;

	(void)state;
	put(&k, "sync", "{\"leader\":\"a\",\"sync_standby\":\"b, c ,,\"}");
	assert_int_equal(v->sync_n, 2);
	assert_string_equal(v->sync_standby[0], "b");
	assert_string_equal(v->sync_standby[1], "c");
	put(&k, "sync", "{\"leader\":null,\"sync_standby\":null}");
	assert_int_equal(v->sync_n, 0);
	put(&k, "initialize", "7710567984388780083");
	assert_true(v->sysid == 7710567984388780083u);
	put(&k, "initialize", "");
	assert_true(v->sysid == 0);
	put(&k, "history", "[[1,2,\"x\",\"t\",\"a\"],[2,3,\"x\",\"t\",\"b\"]]");
	assert_string_equal(v->history_leader, "b");
	put(&k, "history", "[[1,2,\"x\",\"t\"]]");
	assert_string_equal(v->history_leader, "");
	put(&k, "history", "[]");
	assert_string_equal(v->history_leader, "");
}

static void test_directories(void **state)
{
	struct dcs_keys k = start();
	struct ev_view *v = &k.view;

	(void)state;
	put(&k, "leader", "node1");
	put(&k, "members/node1", "{}");
	assert_true(is_dcs_keys_leader(&k, slice_str(PREFIX "leader")));
	assert_false(is_dcs_keys_leader(&k, slice_str(PREFIX "leaders")));
	assert_true(is_dcs_keys_above(&k, slice_str("/service/main")));
	assert_true(is_dcs_keys_above(&k, slice_str("/service")));
	assert_true(is_dcs_keys_above(&k, slice_str("")));
	assert_false(is_dcs_keys_above(&k, slice_str("/serv")));
	assert_false(is_dcs_keys_above(&k, slice_str(PREFIX)));
	/* Others' directories are none of ours. */
	dcs_keys_del_dir(&k, slice_str("/service/other"));
	dcs_keys_del_dir(&k, slice_str(PREFIX "optime"));
	assert_true(v->has_leader && v->n == 1);
	dcs_keys_del_dir(&k, slice_str(PREFIX "members"));
	assert_true(v->has_leader && v->n == 0);
	dcs_keys_del_dir(&k, slice_str("/service/main"));
	assert_false(v->has_leader);
}

static void kv_cb(void *arg, const struct etcd3_kv *kv)
{
	struct dcs_keys *k = arg;

	if (kv->deleted)
		dcs_keys_del(k, kv->key);
	else
		dcs_keys_put(k, kv->key, kv->value, kv->mod_revision);
}

static void test_a_captured_switchover(void **state)
{
	struct dcs_keys k = start();
	const struct etcd3_sink sink = {.kv = kv_cb, .arg = &k};
	struct ev_view *v = &k.view;
	struct etcd3_head head;

	(void)state;
	assert_true(etcd3_range(slice_str(etcd_range), &sink, &head));
	assert_true(v->n == 3 && v->has_leader && !v->has_failover);
	assert_string_equal(v->leader, "node1");
	assert_true(v->sysid == 7710567984388780083u);
	assert_string_equal(v->m[1].host, "192.168.34.136");
	assert_int_equal(v->m[1].api_port, 8008);
	assert_int_equal(v->m[0].role, EV_ROLE_PRIMARY);
	(void)etcd3_watch_line(slice_str(watch_failover), &sink);
	assert_true(v->has_failover && !v->failover_scheduled);
	(void)etcd3_watch_line(slice_str(watch_gone), &sink);
	assert_false(v->has_leader);
	(void)etcd3_watch_line(slice_str(watch_leader), &sink);
	assert_true(v->has_leader && v->leader_rev == 47);
	assert_string_equal(v->leader, "node2");
	(void)etcd3_watch_line(slice_str(watch_cleared), &sink);
	assert_false(v->has_failover);
	(void)etcd3_watch_line(slice_str(watch_history), &sink);
	assert_string_equal(v->history_leader, "node2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_prefix),
	    cmocka_unit_test(test_leader),
	    cmocka_unit_test(test_member),
	    cmocka_unit_test(test_weight),
	    cmocka_unit_test(test_members_come_and_go),
	    cmocka_unit_test(test_config),
	    cmocka_unit_test(test_failover),
	    cmocka_unit_test(test_sync_and_history),
	    cmocka_unit_test(test_directories),
	    cmocka_unit_test(test_a_captured_switchover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
