/*
 * `show sess all` as HAProxy 2.6.12, 3.2 and 3.3 said it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sess.h"

static const char *const answer[] = {
    "0x55d43233ab30: [21/Nov/2026:19:27:47.859937] id=0 proto=tcpv4 "
    "source=127.0.0.1:34768",
    "  flags=0x4a, conn_retries=0, conn_exp=<NEVER> conn_et=0x000 "
    "srv_conn=0x55d432279b90, pend_pos=(nil) waiting=0 epoch=0",
    "  p_stc=2 p_req=3 p_res=3 p_prp=3", /* 3.2 */
    "  frontend=pat (id=2 mode=tcp), listener=write (id=1) "
    "addr=127.0.0.1:25000",
    "  backend=main_write (id=3 mode=tcp) addr=127.0.0.1:56010",
    "  server=node1 (id=1) addr=127.0.0.1:25432",
    "      co0=0x55d4324540c0 ctrl=tcpv4 xprt=RAW mux=PASS",
    "0x55d432454a30: [21/Nov/2026:19:27:47.860206] id=1 proto=unix_stream "
    "source=unix:1",
    "  frontend=GLOBAL (id=0 mode=tcp), listener=? (id=1) addr=unix:1",
    "  backend=<NONE> (id=-1 mode=-)",
    "  server=<NONE> (id=-1)",
    "",
    "",
};

static void a_sessions(void **state)
{
	struct sess_reader r = {.begun = false};
	struct sess s, found[4];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(answer) / sizeof(answer[0]); i++)
		if (sess_line(&r, slice_str(answer[i]), &s))
			found[n++] = s;
	assert_int_equal(n, 2);
	assert_string_equal(found[0].id, "0x55d43233ab30");
	assert_string_equal(found[0].since, "21/Nov/2026:19:27:47");
	assert_true(is_sess_at(&found[0].from, "127.0.0.1", 34768));
	assert_true(is_sess_at(&found[0].to, "127.0.0.1", 25000));
	assert_true(is_sess_at(&found[0].out, "127.0.0.1", 56010));
	assert_true(is_sess_at(&found[0].at, "127.0.0.1", 25432));
	assert_string_equal(found[0].listener, "write");
	assert_string_equal(found[0].backend, "main_write");
	assert_string_equal(found[0].server, "node1");
	assert_string_equal(found[1].backend, "");
	assert_int_equal(found[1].at.port, 0);
}

/* What is no session's never becomes one. */
static void a_rubbish(void **state)
{
	static const char *const bad[] = {"", "Unknown command", "0x",
	    "0xZZ: x", "  backend=a addr=1.2.3.4:5",
	    "0x12 no colon and no hex"};
	struct sess_reader r = {.begun = false};
	struct sess s;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(sess_line(&r, slice_str(bad[i]), &s));
}

static void a_addresses(void **state)
{
	static const char *const bad[] = {"", ":", "a", "a:", ":1", "a:0",
	    "a:65536", "a:1x", "unix:", "[]:1"};
	struct sess_at at;
	char host[LIM_ADDR + 8];

	(void)state;
	assert_true(sess_at(slice_str("[::1]:5432"), &at));
	assert_true(is_sess_at(&at, "::1", 5432));
	assert_true(sess_at(slice_str("fe80::1:5432"), &at));
	assert_true(is_sess_at(&at, "fe80::1", 5432));
	assert_true(sess_at(slice_str("::ffff:10.0.0.1:9"), &at));
	assert_true(is_sess_at(&at, "10.0.0.1", 9));
	assert_false(is_sess_at(&at, "10.0.0.1", 8));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(sess_at(slice_str(bad[i]), &at));
		assert_string_equal(at.addr, "");
	}
	memset(host, 'a', sizeof(host));
	memcpy(host + sizeof(host) - 3, ":1", 3);
	assert_false(sess_at(slice_str(host), &at));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_sessions),
	    cmocka_unit_test(a_rubbish),
	    cmocka_unit_test(a_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
