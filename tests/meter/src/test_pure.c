/*
 * test_pure.c - the meter's pure parts: messages, passwords, commands, the
 * history's own text, etcd's answers.
 */
#include "answers.h"
#include "etcd_json.h"
#include "history.h"
#include "pgwire.h"
#include "scram.h"
#include "words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <cmocka.h>

/* A DataRow of "t", NULL and "0/15". */
static const unsigned char row[] = {'D', 0, 0, 0, 23, 0, 3, 0, 0, 0, 1, 't',
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 4, '0', '/', '1', '5'};

static void every_prefix_waits(void **state)
{
	struct pgw_msg m;
	size_t used = 0;

	(void)state;
	for (size_t n = 0; n < sizeof(row); n++) {
		/* Of that size exactly: a byte read beyond it is seen. */
		unsigned char *p = malloc(n + 1);

		assert_non_null(p);
		memcpy(p, row, n);
		assert_int_equal(pgw_read(p, n, &m, &used), PGW_MORE);
		free(p);
	}
	assert_int_equal(pgw_read(row, sizeof(row), &m, &used), PGW_OK);
	assert_int_equal(used, sizeof(row));
	assert_int_equal(m.type, 'D');
	assert_int_equal(m.len, sizeof(row) - 5);
}

static void impossible_lengths_are_bad(void **state)
{
	static const unsigned char small[] = {'D', 0, 0, 0, 3};
	static const unsigned char big[] = {'D', 0, 1, 0, 0};
	struct pgw_msg m;
	size_t used;

	(void)state;
	assert_int_equal(pgw_read(small, 5, &m, &used), PGW_BAD);
	assert_int_equal(pgw_read(big, 5, &m, &used), PGW_BAD);
}

static void columns(void **state)
{
	struct pgw_msg m = {'D', row + 5, sizeof(row) - 5};
	char out[5];

	(void)state;
	assert_true(pgw_column(&m, 0, out, sizeof(out)));
	assert_string_equal(out, "t");
	assert_false(pgw_column(&m, 1, out, sizeof(out)));
	assert_true(pgw_column(&m, 2, out, sizeof(out)));
	assert_string_equal(out, "0/15");
	assert_false(pgw_column(&m, 2, out, 4));
	assert_false(pgw_column(&m, 3, out, sizeof(out)));
	for (size_t n = 0; n < m.len; n++) {
		struct pgw_msg cut = {'D', m.body, n};

		assert_false(pgw_column(&cut, 2, out, sizeof(out)));
	}
}

static void errors(void **state)
{
	static const char body[] = "SFATAL\0VFATAL\0C57P03\0Mstarting up\0";
	struct pgw_msg m = {'E', (const unsigned char *)body, sizeof(body)};
	struct pgw_error e;

	(void)state;
	pgw_error_read(&m, &e);
	assert_string_equal(e.severity, "FATAL");
	assert_string_equal(e.state, "57P03");
	assert_string_equal(e.text, "starting up");
	for (m.len = 0; m.len < sizeof(body); m.len++)
		pgw_error_read(&m, &e);
}

static void startup_bytes(void **state)
{
	const char *params[] = {"user", "me", "options", "x", NULL};
	struct pgw_out o = {.len = 0};

	(void)state;
	pgw_startup(&o, params);
	assert_false(o.full);
	assert_int_equal(o.len, 4 + 4 + 5 + 3 + 8 + 2 + 1);
	assert_int_equal(pgw_be32(o.b), o.len);
	assert_int_equal(pgw_be32(o.b + 4), 196608);
	assert_memory_equal(o.b + 8, "user\0me\0options\0x\0", 18);
	assert_int_equal(o.b[o.len - 1], 0);
	params[3] = "";
	o.len = 0;
	pgw_startup(&o, params);
	assert_int_equal(o.len, 4 + 4 + 5 + 3 + 1);
}

static void what_does_not_fit_is_said(void **state)
{
	char sql[PGW_OUT_MAX + 1];
	struct pgw_out o = {.len = 0};

	(void)state;
	memset(sql, 'x', sizeof(sql) - 1);
	sql[sizeof(sql) - 1] = '\0';
	pgw_query(&o, sql);
	assert_true(o.full);
	pgw_terminate(&o);
	assert_true(o.full);
}

/* The exchange of RFC 7677, section 3, but for its user name. */
static void scram_proof(void **state)
{
	static const char nonce[] = "rOprNGfwEbeRWgbNEkqO";
	static const char server[] =
	    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
	struct scram_cache cache = {.salt = ""};
	struct scram s = {&cache, "pencil", nonce};
	char first[SCRAM_TEXT], again[SCRAM_TEXT], other[SCRAM_TEXT];

	(void)state;
	assert_true(scram_first(&s, first, sizeof(first)));
	assert_string_equal(first, "n,,n=,r=rOprNGfwEbeRWgbNEkqO");
	assert_true(
	    scram_final(&s, server, strlen(server), first, sizeof(first)));
	/*
	 * By Python's hmac and hashlib, which give the RFC's own proof for
	 * the RFC's user name.
	 */
	assert_string_equal(first,
	    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "p=qvT2SWdEH5Q06albL+hjSYuUhCG7VndFyzIb7CK4n9k=");
	assert_string_equal(cache.salt, "W22ZaJ0SNY7soEsUEjb6gQ==");
	assert_true(
	    scram_final(&s, server, strlen(server), again, sizeof(again)));
	assert_string_equal(first, again);
	s.password = "Pencil";
	assert_true(
	    scram_final(&s, server, strlen(server), other, sizeof(other)));
	assert_string_not_equal(first, other);
}

static void scram_refuses(void **state)
{
	static const char *const bad[] = {"", "r=x,s=AAAA,i=1",
	    "r=nonce1,s=AAAA", "r=nonce1,s=AAAA,i=0",
	    "r=nonce1,s=AAAA,i=1000000", "r=nonce1,s=AAA,i=1",
	    "r=nonce1,s=,i=1", "r=nonce1,s=AAAA,i=1x"};
	struct scram_cache cache = {.salt = ""};
	struct scram s = {&cache, "p", "nonce"};
	char out[SCRAM_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(
		    scram_final(&s, bad[i], strlen(bad[i]), out, sizeof(out)));
	assert_true(
	    scram_final(&s, "r=nonce1,s=AAAA,i=1", 19, out, sizeof(out)));
}

static void md5_answer(void **state)
{
	static const unsigned char salt[4] = {'s', 'a', 'l', 't'};
	char out[SCRAM_MD5];

	(void)state;
	/* md5(md5("ppostgres") "salt"), by md5sum. */
	assert_true(scram_md5("postgres", "p", salt, out));
	assert_string_equal(out, "md5d40ad48ccc8886a7ab4b508843b1510d");
}

static void commands_are_cut(void **state)
{
	char line[] = " target a  1.2.3.4:5 options='-c a=b -c d=e' x= ";
	char open[] = "mark 'a b";
	struct words ws;

	(void)state;
	assert_true(words_cut(line, &ws));
	assert_int_equal(ws.n, 5);
	assert_string_equal(ws.w[0], "target");
	assert_string_equal(ws.w[2], "1.2.3.4:5");
	assert_string_equal(words_value(&ws, 3, "options"), "-c a=b -c d=e");
	assert_string_equal(words_value(&ws, 3, "x"), "");
	assert_null(words_value(&ws, 3, "option"));
	assert_false(words_cut(open, &ws));
}

static void numbers_and_addresses(void **state)
{
	struct sockaddr_in a;
	int64_t v = 7;

	(void)state;
	assert_true(words_int("10", 0, 10, &v));
	assert_int_equal(v, 10);
	assert_false(words_int("11", 0, 10, &v));
	assert_false(words_int("-1", 0, 10, &v));
	assert_false(words_int("1 ", 0, 10, &v));
	assert_false(words_int("", 0, 10, &v));
	assert_false(words_int("99999999999999999999", 0, INT64_MAX, &v));
	assert_int_equal(v, 10);
	assert_true(words_addr("192.168.34.85:5000", &a));
	assert_int_equal(ntohs(a.sin_port), 5000);
	assert_false(words_addr("192.168.34.85", &a));
	assert_false(words_addr("host:5000", &a));
	assert_false(words_addr("1.2.3.4:0", &a));
	assert_false(words_addr(":5", &a));
}

static void lines_are_json(void **state)
{
	static const char want[] =
	    "{\"at\":1,\"ev\":\"x\",\"s\":\"a\\\"\\\\\\u000a\\u00ff\","
	    "\"n\":-2,\"l\":[{\"b\":true},{\"b\":false}],\"e\":[]}\n";
	struct hist *h = malloc(sizeof(*h));
	char got[256];
	int fd[2];
	ssize_t n;

	(void)state;
	assert_non_null(h);
	assert_int_equal(pipe(fd), 0);
	hist_init(h, fd[1]);
	hist_begin(h, 1, "x");
	hist_str(h, "s", "a\"\\\n\xff");
	hist_int(h, "n", -2);
	hist_list(h, "l");
	hist_item(h);
	hist_bool(h, "b", true);
	hist_item_end(h);
	hist_item(h);
	hist_bool(h, "b", false);
	hist_item_end(h);
	hist_list_end(h);
	hist_list(h, "e");
	hist_list_end(h);
	hist_end(h);
	hist_flush(h);
	n = read(fd[0], got, sizeof(got) - 1);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, want);
	(void)close(fd[0]);
	(void)close(fd[1]);
	free(h);
}

static void watch_answers(void **state)
{
	static const char put[] =
	    "{\"result\":{\"header\":{\"cluster_id\":\"18446744073709551615\","
	    "\"revision\":\"9\"},\"events\":[{\"kv\":{\"key\":\"L2EvbGVhZGVy"
	    "\",\"mod_revision\":\"8\",\"value\":\"bm9kZTE=\"}},{\"type\":"
	    "\"DELETE\",\"kv\":{\"key\":\"L2E=\",\"mod_revision\":\"9\"}}]}}";
	static const char gone[] =
	    "{\"result\":{\"canceled\":true,\"compact_revision\":\"5\"}}";
	static const char lost[] =
	    "{\"error\":{\"grpc_code\":14,\"message\":\"no leader\"}}";
	struct etcd_answer *a = malloc(sizeof(*a));

	(void)state;
	assert_non_null(a);
	assert_true(etcd_watch_parse(put, strlen(put), a));
	assert_int_equal(a->n, 2);
	assert_true(a->cluster_id == UINT64_MAX);
	assert_string_equal(a->ev[0].key, "/a/leader");
	assert_string_equal(a->ev[0].value, "node1");
	assert_false(a->ev[0].deleted);
	assert_int_equal(a->ev[1].revision, 9);
	assert_true(a->ev[1].deleted);
	assert_false(a->canceled);
	assert_true(etcd_watch_parse(gone, strlen(gone), a));
	assert_true(a->canceled && a->compacted);
	assert_true(etcd_watch_parse(lost, strlen(lost), a));
	assert_true(a->canceled && !a->compacted);
	assert_string_equal(a->error, "no leader");
	assert_false(etcd_watch_parse("{}", 2, a));
	for (size_t n = 0; n < strlen(put); n++)
		assert_false(etcd_watch_parse(put, n, a));
	free(a);
}

static void range_of_a_prefix(void **state)
{
	char out[256];

	(void)state;
	assert_true(etcd_range_request("/s/", out, sizeof(out)));
	/* "/s/" to "/s0": all that starts with it. */
	assert_string_equal(out, "{\"key\":\"L3Mv\",\"range_end\":\"L3Mw\"}");
	assert_false(etcd_range_request("/s/", out, 10));
	assert_false(etcd_range_request("", out, sizeof(out)));
}

/* What the answer holds: its messages' types, and the values of its rows. */
static void look_at(const struct pgw_out *o, char *types, char values[3][48])
{
	size_t at = 0, n = 0;
	struct pgw_msg m;

	for (size_t used = 0, row_n = 0; at < o->len; at += used) {
		assert_int_equal(
		    pgw_read(o->b + at, o->len - at, &m, &used), PGW_OK);
		types[n++] = m.type;
		for (unsigned i = 0; m.type == 'D' && row_n < 3; i++) {
			if (!pgw_column(&m, i, values[row_n], 48))
				break;
			row_n++;
		}
	}
	types[n] = '\0';
}

static const struct pgw_out *answer_to(const struct answers *a, const char *sql)
{
	return answers_find(a, (const unsigned char *)sql, strlen(sql) + 1);
}

static void a_responder_answers_as_its_server(void **state)
{
	static const char write[] = ANSWERS_ASK ";INSERT INTO t VALUES(1)";
	struct answers a;
	struct pgw_error e;
	struct pgw_msg m;
	char types[16], values[3][48];
	size_t used;

	(void)state;
	assert_true(answers_init(&a, "192.168.34.124", false));
	look_at(&a.greeting, types, values);
	assert_string_equal(types, "RKZ");
	look_at(answer_to(&a, ANSWERS_ASK), types, values);
	assert_string_equal(types, "TDCZ");
	assert_string_equal(values[0], "192.168.34.124");
	assert_string_equal(values[1], "f");
	look_at(answer_to(&a, write), types, values);
	assert_string_equal(types, "TDCTDCZ");
	assert_string_equal(values[2], "1");

	assert_true(answers_init(&a, "192.168.34.136", true));
	look_at(answer_to(&a, write), types, values);
	assert_string_equal(types, "TDCEZ");
	assert_string_equal(values[1], "t");
	look_at(answer_to(&a, ANSWERS_ASK ";DROP TABLE t"), types, values);
	assert_string_equal(types, "EZ");
	assert_int_equal(
	    pgw_read(a.unknown.b, a.unknown.len, &m, &used), PGW_OK);
	pgw_error_read(&m, &e);
	assert_string_equal(e.state, "0A000");
	assert_ptr_equal(answer_to(&a, ""), &a.unknown);
}

static void a_responder_reads_first_packets(void **state)
{
	const char *const params[] = {"user", "u", NULL};
	struct pgw_out o = {.len = 0};
	unsigned char cancel[16] = {0, 0, 0, 16, 4, 210, 22, 46};
	size_t used = 0;

	(void)state;
	pgw_startup(&o, params);
	for (size_t n = 0; n < o.len; n++)
		assert_int_equal(
		    answers_read_first(o.b, n, &used), ANSWERS_MORE);
	assert_int_equal(
	    answers_read_first(o.b, o.len, &used), ANSWERS_STARTUP);
	assert_int_equal(used, o.len);
	o.len = 0;
	pgw_ssl_request(&o);
	assert_int_equal(
	    answers_read_first(o.b, o.len, &used), ANSWERS_ENCRYPT);
	assert_int_equal(used, 8);
	assert_int_equal(answers_read_first(cancel, 16, &used), ANSWERS_CLOSE);
	memset(cancel, 0xff, sizeof(cancel));
	assert_int_equal(answers_read_first(cancel, 16, &used), ANSWERS_CLOSE);
	memset(cancel, 0, sizeof(cancel));
	assert_int_equal(answers_read_first(cancel, 16, &used), ANSWERS_CLOSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_prefix_waits),
	    cmocka_unit_test(impossible_lengths_are_bad),
	    cmocka_unit_test(columns),
	    cmocka_unit_test(errors),
	    cmocka_unit_test(startup_bytes),
	    cmocka_unit_test(what_does_not_fit_is_said),
	    cmocka_unit_test(scram_proof),
	    cmocka_unit_test(scram_refuses),
	    cmocka_unit_test(md5_answer),
	    cmocka_unit_test(commands_are_cut),
	    cmocka_unit_test(numbers_and_addresses),
	    cmocka_unit_test(lines_are_json),
	    cmocka_unit_test(watch_answers),
	    cmocka_unit_test(range_of_a_prefix),
	    cmocka_unit_test(a_responder_answers_as_its_server),
	    cmocka_unit_test(a_responder_reads_first_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
