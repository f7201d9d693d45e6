/* From words to decisions: intents, freshness, the read pool's short wait. */
#include "unit.h"

#include "decide.h"
#include "make_snap.h"

static const char text[] =
    "cluster main { etcd = {\"http://127.0.0.1:1\"} }\n"
    "cluster other { etcd = {\"http://127.0.0.1:1\"} }\n"
    "listen write { port = 5000 cluster = main target = primary }\n"
    "listen read { port = 5001 cluster = main target = replica }\n"
    "listen mixed { port = 5002 cluster = main target = replica "
    "startup_options = true }\n"
    "listen strict { port = 5004 cluster = main target = replica "
    "fallback = none }\n"
    "listen hasty { port = 5005 cluster = main target = replica "
    "fallback = none hold_timeout = 100ms }\n"
    "listen far { port = 5003 cluster = other target = primary }\n";

static struct decider d;

/* What the feed has: stands in for its client, which is an edge. */
static struct {
	struct snapshot snap;
	bool fresh;
	unsigned asked;
} feed;

const struct snapshot *feed_client_get(
    const struct feed_client *fc, const char *cluster, struct mono now)
{
	(void)fc;
	(void)now;
	feed.asked++;
	if (!feed.fresh || strcmp(cluster, feed.snap.cluster) != 0)
		return NULL;
	return &feed.snap;
}

static struct mono at_ms(int64_t ms)
{
	return mono_add((struct mono){1000000}, dur_ms(ms));
}

static struct conf *parse(const char *what)
{
	struct conf_err err;
	struct conf *conf = conf_parse("test", slice_str(what), &err);

	if (conf == NULL)
		print_error("%s\n", err.text);
	assert_non_null(conf);
	return conf;
}

static void tell(struct snapshot snap, int64_t ms)
{
	feed.snap = snap;
	feed.fresh = true;
	(void)decide_snapshot(&d, &feed.snap, at_ms(ms));
	decide_pass(&d, at_ms(ms));
}

static int begin(void **state)
{
	struct conf *conf = parse(text);

	*state = conf;
	decide_init(&d, conf, 12345);
	tell(make_snap(3), 0);
	feed.asked = 0;
	return 0;
}

static int end(void **state)
{
	conf_free(*state);
	return 0;
}

static struct ruling ask(const char *listen, struct slice first)
{
	struct notify n = {.engine = NOTIFY_ROUTE,
	    .listen = slice_str(listen),
	    .first = first};
	struct intent it;

	assert_true(decide_intent(&d, &n, &it) != DECIDE_UNKNOWN);
	return decide_route(&d, &it);
}

static const struct slice none = {NULL, 0};

static void by_listener(void **state)
{
	struct ruling r = ask("write", none);

	(void)state;
	assert_int_equal(r.d.kind, ROUTE_TO);
	assert_int_equal(r.d.action, ROUTE_ACT_WRITE);
	assert_int_equal(r.d.member, 0);
	r = ask("read", none);
	assert_int_equal(r.d.action, ROUTE_ACT_READ);
	assert_true(r.d.member > 0);
	/* No snapshot of that cluster has come. */
	assert_null(ask("far", none).snap);
}

static void by_first_bytes(void **state)
{
	static const char options[] =
	    "\x00\x00\x00\x33\x00\x03\x00\x00user\0x\0options\0"
	    "-c patroute.target=primary\0";
	struct slice first = slice_of(options, sizeof(options));
	struct notify n = {.listen = slice_str("mixed"), .first = first};
	struct intent it;

	(void)state;
	assert_int_equal(options[3], sizeof(options));
	assert_int_equal(ask("mixed", first).d.action, ROUTE_ACT_WRITE);
	/* Only where the listener lets the client choose. */
	assert_int_equal(ask("read", first).d.action, ROUTE_ACT_READ);
	/* Rubbish: counted, and the listener's own intent. */
	n.first = slice_of("\x00\x00\x00\x01zzzz", 8);
	assert_int_equal(decide_intent(&d, &n, &it), DECIDE_STARTUP_BAD);
	assert_int_equal(it.want, INTENT_REPLICA);
	/* A server name counts for TLS alone. */
	n.first = slice_of("\x16\x03\x01\x00\x10", 5);
	n.sni = slice_str("primary.db.example.org");
	assert_int_equal(decide_intent(&d, &n, &it), DECIDE_STARTUP_OK);
	assert_int_equal(it.want, INTENT_PRIMARY);
	n.first = none;
	assert_int_equal(decide_intent(&d, &n, &it), DECIDE_STARTUP_OK);
	assert_int_equal(it.want, INTENT_REPLICA);
}

static void nothing_to_decide(void **state)
{
	struct notify n = {.listen = slice_str("nowhere")};
	struct intent it;

	(void)state;
	assert_int_equal(decide_intent(&d, &n, &it), DECIDE_UNKNOWN);
	n = (struct notify){.listen = slice_str("write"), .is_odd = true};
	assert_int_equal(decide_intent(&d, &n, &it), DECIDE_UNKNOWN);
}

/* Freshness is asked for once a pass, and counts for that pass. */
static void fresh_by_the_pass(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_non_null(ask("write", none).snap);
	assert_int_equal(feed.asked, 1);
	feed.fresh = false;
	decide_pass(&d, at_ms(5000));
	assert_null(ask("write", none).snap);
	assert_int_equal(feed.asked, 2);
}

static struct snapshot without_readers(void)
{
	struct snapshot s = make_snap(3);

	for (unsigned i = 1; i < 3; i++)
		s.m[i].flags = SNAP_F_LIVE;
	return s;
}

static void an_empty_pool_waits_briefly(void **state)
{
	unsigned before;

	(void)state;
	tell(without_readers(), 1000);
	assert_int_equal(ask("read", none).d.kind, ROUTE_WAIT);
	before = decide_phase(&d, 0);
	/* The same news again does not begin the wait anew. */
	tell(without_readers(), 1100);
	decide_pass(&d, at_ms(1000 + DECIDE_READ_WAIT_MS - 1));
	assert_int_equal(ask("read", none).d.kind, ROUTE_WAIT);
	assert_int_equal(decide_phase(&d, 0), before);
	decide_pass(&d, at_ms(1000 + DECIDE_READ_WAIT_MS));
	assert_int_equal(ask("read", none).d.action, ROUTE_ACT_FALLBACK);
	assert_true(decide_phase(&d, 0) != before);
	/* Writes never wait for readers. */
	tell(make_snap(3), 3000);
	tell(without_readers(), 3001);
	assert_int_equal(ask("write", none).d.kind, ROUTE_TO);
	tell(make_snap(3), 3002);
	assert_int_equal(ask("read", none).d.action, ROUTE_ACT_READ);
}

static struct dur hold_of(const char *listen)
{
	struct notify n = {.listen = slice_str(listen)};
	struct intent it;
	struct ruling r;

	assert_int_equal(decide_intent(&d, &n, &it), DECIDE_STARTUP_OK);
	r = decide_route(&d, &it);
	assert_true(r.snap == NULL || r.d.kind == ROUTE_WAIT);
	return decide_hold(&d, &it, &r);
}

/* Where the primary is no choice there is little to wait for, unless a change
   of the leader is what took the replicas. */
static void who_may_not_fall_back_waits_briefly(void **state)
{
	struct snapshot s = without_readers();

	(void)state;
	/* Replicas are on the way to a leader that was confirmed just now. */
	s.since_ms = 9999;
	tell(s, 1000);
	assert_int_equal(hold_of("strict").us, 10000000);
	s.since_ms = 10000;
	tell(s, 1000);
	assert_int_equal(hold_of("strict").us, DECIDE_READ_HOLD_MS * 1000);
	assert_int_equal(hold_of("hasty").us, 100000);
	s.transition = true;
	tell(s, 2000);
	assert_int_equal(hold_of("strict").us, 10000000);
	/* Whom a leader would help waits for one. */
	s.transition = false;
	s.write = -1;
	s.write_why = SNAP_WHY_SILENT;
	s.m[0].role = SNAP_ROLE_NONE;
	tell(s, 3000);
	assert_int_equal(hold_of("read").us, 10000000);
	assert_int_equal(hold_of("write").us, 10000000);
	assert_int_equal(hold_of("strict").us, DECIDE_READ_HOLD_MS * 1000);
}

/* HAProxy may have gone another way meanwhile. */
static void who_knows_nothing_waits_briefly(void **state)
{
	(void)state;
	feed.fresh = false;
	decide_pass(&d, at_ms(1000));
	assert_null(ask("write", none).snap);
	assert_int_equal(hold_of("write").us, DECIDE_BLIND_HOLD_MS * 1000);
	assert_int_equal(hold_of("read").us, DECIDE_BLIND_HOLD_MS * 1000);
	assert_int_equal(hold_of("hasty").us, 100000);
}

static void explaining_moves_nothing(void **state)
{
	struct notify n = {.listen = slice_str("read")};
	int count[3] = {0};
	struct intent it;

	(void)state;
	assert_int_equal(decide_intent(&d, &n, &it), DECIDE_STARTUP_OK);
	for (unsigned i = 0; i < 10; i++) {
		int8_t next = decide_explain(&d, &it).d.member;

		assert_int_equal(decide_explain(&d, &it).d.member, next);
		assert_int_equal(decide_route(&d, &it).d.member, next);
		count[next]++;
	}
	assert_int_equal(count[1], 5);
	assert_int_equal(count[2], 5);
}

static void who_is_refused_tls_comes_again_in_turn(void **state)
{
	struct notify n = {.listen = slice_str("read")};
	int count[2][3] = {0};
	struct intent it;

	(void)state;
	assert_int_equal(decide_intent(&d, &n, &it), DECIDE_STARTUP_OK);
	for (unsigned i = 0; i < 20; i++) {
		it.flags ^= INTENT_F_TLS;
		count[i % 2][decide_route(&d, &it).d.member]++;
	}
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(count[i][1], 5);
		assert_int_equal(count[i][2], 5);
	}
}

static void slots_survive_a_reload(void **state)
{
	struct conf *old = *state;
	struct conf *new = parse(
	    "cluster new { etcd = {\"http://127.0.0.1:1\"} }\n"
	    "cluster main { etcd = {\"http://127.0.0.1:1\"} }\n"
	    "listen write { port = 5000 cluster = main target = primary }\n"
	    "listen fresh { port = 5009 cluster = new target = primary }\n");
	struct notify n = {.listen = slice_str("write")};
	struct intent it;
	uint16_t before;

	assert_int_equal(decide_intent(&d, &n, &it), DECIDE_STARTUP_OK);
	before = decide_slot(&d, &it);
	d.cluster[before].rr[0].turn = 4711;
	decide_reload(&d, new);
	assert_int_equal(decide_intent(&d, &n, &it), DECIDE_STARTUP_OK);
	assert_int_equal(decide_slot(&d, &it), before);
	assert_int_equal(d.cluster[before].rr[0].turn, 4711);
	n.listen = slice_str("far");
	assert_int_equal(decide_intent(&d, &n, &it), DECIDE_UNKNOWN);
	n.listen = slice_str("fresh");
	assert_int_equal(decide_intent(&d, &n, &it), DECIDE_STARTUP_OK);
	assert_true(decide_slot(&d, &it) != before);
	conf_free(old);
	*state = new;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(by_listener, begin, end),
	    cmocka_unit_test_setup_teardown(by_first_bytes, begin, end),
	    cmocka_unit_test_setup_teardown(nothing_to_decide, begin, end),
	    cmocka_unit_test_setup_teardown(fresh_by_the_pass, begin, end),
	    cmocka_unit_test_setup_teardown(
		an_empty_pool_waits_briefly, begin, end),
	    cmocka_unit_test_setup_teardown(
		who_may_not_fall_back_waits_briefly, begin, end),
	    cmocka_unit_test_setup_teardown(
		who_knows_nothing_waits_briefly, begin, end),
	    cmocka_unit_test_setup_teardown(
		explaining_moves_nothing, begin, end),
	    cmocka_unit_test_setup_teardown(
		who_is_refused_tls_comes_again_in_turn, begin, end),
	    cmocka_unit_test_setup_teardown(slots_survive_a_reload, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
