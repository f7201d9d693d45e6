/* GET /patroni: bodies of 3.0.2 as captured, and the other versions' fields. */
#include "captured.h"
#include "../common/guard.h"
#include "patroni_json.h"
#include "../common/unit.h"

#define SYSID 7710567984388780083u

static struct ev_rest parse(const char *body)
{
	struct ev_rest rest;

	assert_true(patroni_json_status(slice_str(body), &rest));
	return rest;
}

static void test_captured(void **state)
{
	struct ev_rest r = parse(rest_primary);

	(void)state;
	assert_int_equal(r.role, EV_ROLE_PRIMARY);
	assert_int_equal(r.state, EV_STATE_RUNNING);
	assert_int_equal(r.tli, 1);
	assert_int_equal(r.lsn, 83886176);
	assert_int_equal(r.receive_lsn, 0);
	assert_true(r.sysid == SYSID);
	assert_false(r.streaming_known || r.pause || r.failsafe);
	r = parse(rest_replica);
	assert_int_equal(r.role, EV_ROLE_REPLICA);
	assert_int_equal(r.lsn, 83886176);
	assert_int_equal(r.receive_lsn, 83886176);
	/* 3.0.2 does not say whether it streams: unknown. */
	assert_false(r.streaming_known);
	r = parse(rest_stopping);
	assert_int_equal(r.role, EV_ROLE_PRIMARY);
	assert_int_equal(r.state, EV_STATE_STOPPING);
	assert_int_equal(r.lsn, 0);
	r = parse(rest_demoted);
	assert_int_equal(r.role, EV_ROLE_DEMOTED);
	assert_int_equal(r.state, EV_STATE_STOPPED);
	assert_int_equal(parse(rest_unlocked).role, EV_ROLE_REPLICA);
}

#define REPLICA "{\"state\":\"running\",\"role\":\"replica\""

static const struct {
	const char *body;
	enum ev_state state;
	bool known, streaming;
} replication[] = {
    {REPLICA "}", EV_STATE_RUNNING, false, false},
    {REPLICA ",\"patroni\":{\"version\":\"3.0.3\"}}", EV_STATE_RUNNING, false,
	false},
    {REPLICA ",\"patroni\":{\"version\":\"3.0.4\"}}", EV_STATE_RUNNING, true,
	false},
    {REPLICA ",\"patroni\":{\"version\":\"3.0.10\"}}", EV_STATE_RUNNING, true,
	false},
    {REPLICA ",\"patroni\":{\"version\":\"2.1.9\"}}", EV_STATE_RUNNING, false,
	false},
    {REPLICA ",\"patroni\":{\"version\":\"4.1.1\"}}", EV_STATE_RUNNING, true,
	false},
    {REPLICA ",\"patroni\":{\"version\":\"x\"}}", EV_STATE_RUNNING, false,
	false},
    {REPLICA ",\"replication_state\":\"streaming\"}", EV_STATE_STREAMING, true,
	true},
    {REPLICA ",\"replication_state\":\"in archive recovery\"}",
	EV_STATE_ARCHIVE_RECOVERY, true, false},
    {REPLICA ",\"replication_state\":\"new word\"}", EV_STATE_RUNNING, true,
	false},
};

static void test_replication(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(replication); i++) {
		struct ev_rest r = parse(replication[i].body);

		assert_int_equal(r.state, replication[i].state);
		assert_int_equal(r.streaming_known, replication[i].known);
		assert_int_equal(r.streaming, replication[i].streaming);
	}
}

static void test_words(void **state)
{
	struct ev_rest r = parse("{\"state\":\"running\",\"role\":\"primary\","
				 "\"pause\":true,"
				 "\"failsafe_mode_is_active\":true,"
				 "\"tags\":{\"noloadbalance\":\"on\"}}");

	(void)state;
	assert_int_equal(r.role, EV_ROLE_PRIMARY);
	assert_true(r.pause && r.failsafe && r.noloadbalance);
	assert_false(r.pending_restart);
	r = parse(REPLICA ",\"pending_restart\":true}");
	assert_true(r.pending_restart);
	assert_int_equal(r.state, EV_STATE_RUNNING);
	r = parse("{\"state\":\"running\",\"role\":\"standby_leader\"}");
	assert_int_equal(r.role, EV_ROLE_STANDBY_LEADER);
	assert_true(r.standby_cluster);
	/* Unknown words are unknown, never down. */
	r = parse("{\"state\":\"levitating\",\"role\":\"promoted\"}");
	assert_int_equal(r.role, EV_ROLE_NONE);
	assert_int_equal(r.state, EV_STATE_NONE);
	r = parse("{\"state\":\"restart failed (starting)\"}");
	assert_int_equal(r.state, EV_STATE_NONE);
}

static void test_numbers(void **state)
{
	struct ev_rest r = parse("{\"state\":\"running\",\"timeline\":-1,"
				 "\"xlog\":{\"location\":9007199254740994},"
				 "\"database_system_identifier\":\"x\"}");

	(void)state;
	/* What cJSON's doubles cannot hold is unknown. */
	assert_true(r.tli == 0 && r.lsn == 0 && r.sysid == 0);
	r = parse("{\"state\":\"running\",\"timeline\":4294967296,"
		  "\"xlog\":{\"location\":9007199254740992}}");
	assert_true(r.tli == 0 && r.lsn == 9007199254740992);
	r = parse("{\"state\":\"running\",\"timeline\":null,\"xlog\":7}");
	assert_true(r.tli == 0 && r.lsn == 0);
}

static void test_no_status(void **state)
{
	static const char *const bodies[] = {"", " ", "{}", "[]", "null",
	    "\"state\"", "{\"state\":7}", "{\"state\":\"\"}",
	    "{\"state\":\"running\"} trailing", "<html>", "{\"state\":"};
	static const struct ev_rest nothing = {0};
	struct ev_rest rest;

	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		assert_false(patroni_json_status(slice_str(bodies[i]), &rest));
		assert_memory_equal(&rest, &nothing, sizeof(rest));
	}
}

static void test_depth(void **state)
{
	char text[3 * LIM_JSON_DEPTH + 64];
	struct ev_rest rest;

	(void)state;
	for (int extra = -1; extra <= 0; extra++) {
		int depth = LIM_JSON_DEPTH + extra;
		int n = snprintf(text, sizeof(text),
		    "{\"state\":\"running[[[\\\"[\",\"x\":");

		memset(text + n, '[', (size_t)depth);
		memset(text + n + depth, ']', (size_t)depth);
		memcpy(text + n + 2 * depth, "}", 2);
		/* The object itself is one level. */
		assert_int_equal(
		    patroni_json_status(slice_str(text), &rest), extra < 0);
	}
}

static void test_prefixes(void **state)
{
	const char *const bodies[] = {
	    rest_primary, rest_replica, rest_stopping};
	struct guard g = guard_new(2048);
	struct ev_rest rest;

	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++)
		for (size_t n = 0; n < strlen(bodies[i]); n++)
			assert_false(patroni_json_status(
			    guard_put(&g, bodies[i], n), &rest));
	guard_free(&g);
}

/* 3.x says sync_standby, 4.x with quorum commit quorum_standby. */
static void test_sync(void **state)
{
	(void)state;
	assert_false(parse("{\"state\": \"running\"}").sync);
	assert_true(parse("{\"state\": \"running\", \"role\": \"replica\", "
			  "\"sync_standby\": true}")
			.sync);
	assert_true(parse("{\"state\": \"running\", \"role\": \"replica\", "
			  "\"quorum_standby\": true}")
			.sync);
	assert_int_equal(
	    patroni_role(slice_str("quorum_standby")), EV_ROLE_REPLICA);
	assert_int_equal(
	    patroni_role(slice_str("sync_standby")), EV_ROLE_REPLICA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_captured),
	    cmocka_unit_test(test_replication),
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_no_status),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_prefixes),
	    cmocka_unit_test(test_sync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
