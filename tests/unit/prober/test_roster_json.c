/* GET /cluster: what 3.0.2 to 4.1 answer, and what no Patroni sends. */
#include "../common/guard.h"
#include "../common/unit.h"
#include "roster_json.h"

/* 3.0.2's, as captured, but for a third member of 4.1's words. */
static const char cluster[] =
    "{\"members\": [{\"name\": \"node1\", \"role\": \"leader\", "
    "\"state\": \"running\", \"api_url\": "
    "\"http://192.168.34.124:8008/patroni\", \"host\": "
    "\"192.168.34.124\", \"port\": 5432, \"timeline\": 3}, "
    "{\"name\": \"node2\", \"role\": \"sync_standby\", \"state\": "
    "\"running\", \"api_url\": \"https://[fd00::2]:8009/patroni\", "
    "\"host\": \"fd00::2\", \"port\": 6432, \"timeline\": 3, "
    "\"tags\": {\"noloadbalance\": true, \"patroute_weight\": 7}, "
    "\"lag\": 0}, {\"name\": \"node3\", \"role\": "
    "\"quorum_standby\", \"state\": \"streaming\", \"api_url\": "
    "\"http://db3:8008/patroni\", \"host\": \"db3\", \"lag\": "
    "\"unknown\", \"pending_restart\": true}], \"scope\": \"main\", "
    "\"pause\": true}";

static void a_cluster(void **state)
{
	struct ev_view v;

	(void)state;
	assert_true(roster_json(slice_str(cluster), &v));
	assert_int_equal(v.n, 3);
	assert_true(v.pause && v.sync_mode);
	/* Who leads is not taken from here. */
	assert_false(v.has_leader);
	assert_string_equal(v.m[0].name, "node1");
	assert_string_equal(v.m[0].host, "192.168.34.124");
	assert_string_equal(v.m[0].api_host, "192.168.34.124");
	assert_int_equal(v.m[0].port, 5432);
	assert_int_equal(v.m[0].api_port, 8008);
	assert_int_equal(v.m[0].role, EV_ROLE_PRIMARY);
	assert_int_equal(v.m[0].tli, 3);
	assert_int_equal(v.m[0].weight, 100);
	assert_string_equal(v.m[1].host, "fd00::2");
	assert_string_equal(v.m[1].api_host, "fd00::2");
	assert_int_equal(v.m[1].port, 6432);
	assert_true(v.m[1].api_tls && v.m[1].noloadbalance);
	assert_int_equal(v.m[1].weight, 7);
	assert_int_equal(v.m[2].role, EV_ROLE_REPLICA);
	assert_int_equal(v.m[2].state, EV_STATE_STREAMING);
	assert_int_equal(v.m[2].port, 5432);
	assert_int_equal(v.sync_n, 2);
	assert_string_equal(v.sync_standby[1], "node3");
}

static void a_standby_cluster(void **state)
{
	struct ev_view v;

	(void)state;
	assert_true(roster_json(slice_str("{\"members\":[{\"name\":\"a\","
					  "\"role\":\"standby_leader\"}]}"),
	    &v));
	assert_int_equal(v.m[0].role, EV_ROLE_STANDBY_LEADER);
	assert_string_equal(v.m[0].host, "");
}

static void nobody(void **state)
{
	static const char *const bodies[] = {"", "{}", "[]", "{\"members\":{}}",
	    "{\"members\":[]}", "{\"members\":[{}]}",
	    "{\"members\":[{\"name\":\"\"}]}", "{\"members\":7}",
	    "{\"members\":[7,\"a\",null]}", "<html>"};
	static const struct ev_view nothing = {0};
	struct ev_view v;

	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		assert_false(roster_json(slice_str(bodies[i]), &v));
		assert_memory_equal(&v, &nothing, sizeof(v));
	}
}

/* No more than there is room for, and of no name longer than one. */
static void too_many(void **state)
{
	char text[8192] = "{\"members\":[{\"name\":\"";
	struct ev_view v;
	size_t n = strlen(text);

	(void)state;
	memset(text + n, 'x', LIM_NAME);
	n += LIM_NAME;
	n += (size_t)snprintf(text + n, sizeof(text) - n, "\"}");
	for (int i = 0; i < LIM_MEMBERS + 9; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    ",{\"name\":\"m%d\",\"port\":70000,"
		    "\"role\":\"sync_standby\",\"host\":\"h\"}",
		    i);
	(void)snprintf(text + n, sizeof(text) - n, "]}");
	assert_true(roster_json(slice_str(text), &v));
	assert_int_equal(v.n, LIM_MEMBERS);
	assert_int_equal(v.sync_n, LIM_MEMBERS);
	assert_string_equal(v.m[0].name, "m0");
	assert_int_equal(v.m[0].port, 5432);
}

static void prefixes(void **state)
{
	struct guard g = guard_new(sizeof(cluster));
	struct ev_view v;

	(void)state;
	for (size_t n = 0; n < sizeof(cluster) - 1; n++)
		assert_false(roster_json(guard_put(&g, cluster, n), &v));
	guard_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_cluster),
	    cmocka_unit_test(a_standby_cluster),
	    cmocka_unit_test(nobody),
	    cmocka_unit_test(too_many),
	    cmocka_unit_test(prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
