/* What the desk says: the sentence, the alert, the JSON, at their longest. */
#include "unit.h"

#include "make_snap.h"
#include "refusal.h"

static unsigned char buf[REFUSAL_MAX + 1];

/* The value of a field of an ErrorResponse, NULL if it is not there. */
static const char *field(size_t n, char letter)
{
	size_t at = 5;

	assert_int_equal(buf[0], 'E');
	assert_int_equal((size_t)buf[1] << 24 | (size_t)buf[2] << 16 |
		(size_t)buf[3] << 8 | buf[4],
	    n - 1);
	while (at < n && buf[at] != 0) {
		if (buf[at] == (unsigned char)letter)
			return (const char *)buf + at + 1;
		at += strlen((const char *)buf + at) + 1;
	}
	return NULL;
}

static void a_sentence(void **state)
{
	struct snapshot s = make_snap(3);
	struct refusal r = {.cluster = "main",
	    .snap = &s,
	    .d = {ROUTE_WAIT, ROUTE_ACT_HOLD, -1, SNAP_WHY_NO_KEY},
	    .want = INTENT_PRIMARY,
	    .since_s = 12,
	    .held_s = 10};
	size_t n = refusal_error(&r, buf);

	(void)state;
	assert_string_equal(field(n, 'S'), "FATAL");
	assert_string_equal(field(n, 'V'), "FATAL");
	assert_string_equal(field(n, 'C'), "57P03");
	assert_string_equal(field(n, 'M'),
	    "cluster \"main\" has no server for writes: nobody holds the "
	    "leader key (for 12 s)");
	assert_string_equal(field(n, 'H'),
	    "Try again: a connection waits up to 10 s for a server.");
	/* Nobody has to guess of whom it is said; an age that is not known is
	   not made up. */
	r.d.why = SNAP_WHY_SILENT;
	r.since_s = -1;
	assert_string_equal(field(refusal_error(&r, buf), 'M'),
	    "cluster \"main\" has no server for writes: the leader answers "
	    "neither by SQL nor by REST");
	r.snap = NULL;
	assert_string_equal(field(refusal_error(&r, buf), 'M'),
	    "patroute knows nothing fresh of cluster \"main\"");
	r.cluster = NULL;
	assert_string_equal(
	    field(refusal_error(&r, buf), 'M'), "patroute serves no such port");
	r = (struct refusal){.cluster = "main",
	    .snap = &s,
	    .d = {ROUTE_TO, ROUTE_ACT_WRITE, 0, SNAP_WHY_LEADER},
	    .want = INTENT_REPLICA};
	assert_string_equal(
	    field(refusal_error(&r, buf), 'H'), "Try again now.");
	r.d = (struct decision){
	    ROUTE_REFUSE, ROUTE_ACT_DESK, -1, SNAP_WHY_STANDBY_CLUSTER};
	n = refusal_error(&r, buf);
	assert_non_null(strstr(field(n, 'H'), "the cluster that this one"));
}

static void an_alert(void **state)
{
	(void)state;
	assert_int_equal(refusal_alert(buf), 7);
	assert_memory_equal(buf, "\x15\x03\x03\x00\x02\x02\x50", 7);
}

static void an_http_answer(void **state)
{
	struct snapshot s = make_snap(3);
	struct refusal r = {.cluster = "ma\"in",
	    .snap = &s,
	    .d = {ROUTE_TO, ROUTE_ACT_READ, 2, SNAP_WHY_REPLICA},
	    .want = INTENT_REPLICA};
	const char *text = (const char *)buf;

	(void)state;
	buf[refusal_http(&r, buf)] = '\0';
	assert_non_null(strstr(text, "HTTP/1.0 200 OK\r\n"));
	assert_non_null(strstr(text,
	    "\r\n\r\n{\"cluster\":\"ma\\\"in\",\"action\":\"read\","
	    "\"server\":\"srv3\",\"member\":\"node3\",\"reason\":"));
	r.d =
	    (struct decision){ROUTE_WAIT, ROUTE_ACT_HOLD, -1, SNAP_WHY_FENCED};
	buf[refusal_http(&r, buf)] = '\0';
	assert_non_null(strstr(text, "HTTP/1.0 503 "));
	assert_non_null(strstr(text, "\"action\":\"desk\""));
	buf[refusal_http_unknown(buf)] = '\0';
	assert_non_null(strstr(text, "HTTP/1.0 404 "));
}

static void at_their_longest(void **state)
{
	struct snapshot s = make_snap_full();
	char name[LIM_NAME] = {0};
	struct refusal r = {.cluster = name,
	    .snap = &s,
	    .d = {ROUTE_TO, ROUTE_ACT_FALLBACK, 31, SNAP_WHY_REPLICA},
	    .since_s = INT64_MAX,
	    .held_s = INT64_MAX};

	(void)state;
	memset(name, '"', sizeof(name) - 1);
	memset(s.m[31].server, '\\', LIM_NAME - 1);
	memset(s.m[31].name, '"', LIM_NAME - 1);
	assert_true(refusal_http(&r, buf) < REFUSAL_MAX);
	for (unsigned why = 0; why < SNAP_WHY_N; why++) {
		r.d = (struct decision){
		    ROUTE_WAIT, ROUTE_ACT_HOLD, -1, (uint8_t)why};
		assert_true(refusal_error(&r, buf) < REFUSAL_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_sentence),
	    cmocka_unit_test(an_alert),
	    cmocka_unit_test(an_http_answer),
	    cmocka_unit_test(at_their_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
