/*
 * HAProxy's words as 2.6.12 said them, and what it never says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>

#include "haptext.h"

static const char *const show_proc[] = {
    "#<PID>          <type>          <reloads>       <uptime>        <version>",
    "8451            master          1 [failed: 0]   0d00h00m04s     2.6.12",
    "# workers",
    "8482            worker          0               0d00h00m02s     2.6.12",
    "# old workers",
    "8454            worker          1               0d00h00m04s     2.6.12",
    "8400            worker          2               0d00h01m04s     2.6.12",
    "# programs",
    "8500            worker          1               0d00h00m04s     2.6.12",
    "",
};

static void a_old_workers(void **state)
{
	bool in_old = false;
	uint64_t pid = 0, found[4] = {0};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(show_proc) / sizeof(show_proc[0]); i++)
		if (haptext_old_worker(slice_str(show_proc[i]), &in_old, &pid))
			found[n++] = pid;
	assert_int_equal(n, 2);
	assert_int_equal(found[0], 8454);
	assert_int_equal(found[1], 8400);
}

static void a_old_workers_rubbish(void **state)
{
	static const char *const bad[] = {"", "8454", "x worker", "0 worker",
	    "99999999999 worker", " 8454 worker", "8454 program", "-1 worker"};
	uint64_t pid = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bool in_old = true;

		assert_false(
		    haptext_old_worker(slice_str(bad[i]), &in_old, &pid));
	}
}

static const char session_line[] =
    "0x559c5ad0c720: proto=tcpv4 src=127.0.0.1:49412 fe=f be=main_write srv=A "
    "ts=00 epoch=0 age=2s calls=3 rate=1 cpu=0 lat=0 rq[f=808000h,i=0,an=00h,"
    "rx=59m57s,wx=,ax=] scf=[8,0h,fd=17] exp=59m57s rc=0 c_exp=";

static void a_session(void **state)
{
	struct haptext_session s;

	(void)state;
	assert_true(haptext_session(slice_str(session_line), &s));
	assert_true(is_slice_eq(s.id, "0x559c5ad0c720"));
	assert_true(is_slice_eq(s.backend, "main_write"));
	assert_true(is_slice_eq(s.server, "A"));
}

/* An exact copy of `n` bytes, so that valgrind and ASan see one too many. */
static unsigned char *copy(const char *text, size_t n)
{
	unsigned char *p = malloc(n > 0 ? n : 1);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)text[i];
	return p;
}

static void a_session_every_prefix(void **state)
{
	struct haptext_session s;

	(void)state;
	for (size_t n = 0; n < sizeof(session_line); n++) {
		unsigned char *p = copy(session_line, n);
		bool ok = haptext_session(slice_of(p, n), &s);

		if (ok)
			assert_true(s.backend.len > 0 && s.server.len > 0);
		free(p);
	}
}

static void a_session_rubbish(void **state)
{
	static const char *const bad[] = {"", ":", "0x: be=a srv=b",
	    "0x12;x: be=a srv=b", "12: be=a srv=b", "0x12: srv=b", "0x12: be=a",
	    "0x12 be=a srv=b", "0xAB: be=a srv=b",
	    "0x11112222333344445: be=a srv=b"};
	struct haptext_session s;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(haptext_session(slice_str(bad[i]), &s));
}

static void a_backend(void **state)
{
	enum hap_backend b = HAP_READ;

	(void)state;
	assert_true(haptext_backend(slice_str("main_write"), "main", &b));
	assert_int_equal(b, HAP_WRITE);
	assert_true(haptext_backend(slice_str("main_fallback"), "main", &b));
	assert_int_equal(b, HAP_FALLBACK);
	assert_true(haptext_backend(slice_str("a_b_read"), "a_b", &b));
	assert_int_equal(b, HAP_READ);
	assert_true(
	    haptext_backend(slice_str("main_classic_write"), "main", &b));
	assert_int_equal(b, HAP_CLASSIC_WRITE);
	assert_true(
	    haptext_backend(slice_str("main_classic_read"), "main", &b));
	assert_int_equal(b, HAP_CLASSIC_READ);
	assert_false(haptext_backend(slice_str("main_"), "main", &b));
	assert_false(haptext_backend(slice_str("main"), "main", &b));
	assert_false(haptext_backend(slice_str("mainx_read"), "main", &b));
	assert_false(haptext_backend(slice_str("main_reads"), "main", &b));
	assert_false(haptext_backend(slice_str("a_b_read"), "a", &b));
	assert_false(haptext_backend(slice_str(""), "main", &b));
}

static void a_check(void **state)
{
	struct haptext_check c;

	(void)state;
	assert_true(haptext_check(
	    slice_str("/check/main_write/dc1-psql-node1/pid-4711"), &c));
	assert_true(is_slice_eq(c.backend, "main_write"));
	assert_true(is_slice_eq(c.server, "dc1-psql-node1"));
	assert_int_equal(c.pid, 4711);
}

static void a_check_rubbish(void **state)
{
	static const char *const bad[] = {"", "/check/", "/check/a",
	    "/check/a/", "/check/a/b", "/check/a/b/", "/check/a/b/pid-",
	    "/check/a/b/pid-0", "/check/a/b/pid--1", "/check/a/b/pid-1x",
	    "/check//b/pid-1", "/check/a//pid-1", "/check/a/b/pid-99999999999",
	    "check/a/b/pid-1", "/check/a/b/c/pid-1"};
	struct haptext_check c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(haptext_check(slice_str(bad[i]), &c));
}

static void ages_are_in_seconds(void **state)
{
	static const struct {
		const char *age;
		uint32_t s;
	} all[] = {{"0s", 0}, {"7s", 7}, {"1m30s", 90}, {"23h59m", 86340},
	    {"2d5h", 190800}, {"5m", 300}, {"", 0}, {"5", 0}, {"m", 0},
	    {"1x", 0}, {"99999999999999s", 0}, {"-1s", 0}};
	char line[128];

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct haptext_session s;

		(void)snprintf(line, sizeof(line),
		    "0x55aa: proto=tcpv4 be=main_read srv=a age=%s calls=1",
		    all[i].age);
		assert_true(haptext_session(slice_str(line), &s));
		assert_int_equal(s.age_s, all[i].s);
	}
}

static void what_worked_is_no_complaint(void **state)
{
	(void)state;
	assert_true(is_haptext_done(slice_str("New server registered.")));
	assert_true(is_haptext_done(slice_str("Server deleted.")));
	assert_true(is_haptext_done(slice_str(
	    "no need to change the addr, port changed from '1' to '2'")));
	assert_false(is_haptext_done(slice_str("No such server.")));
	assert_false(is_haptext_done(slice_str("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_old_workers),
	    cmocka_unit_test(a_old_workers_rubbish),
	    cmocka_unit_test(a_session),
	    cmocka_unit_test(a_session_every_prefix),
	    cmocka_unit_test(a_session_rubbish),
	    cmocka_unit_test(a_backend),
	    cmocka_unit_test(a_check),
	    cmocka_unit_test(a_check_rubbish),
	    cmocka_unit_test(ages_are_in_seconds),
	    cmocka_unit_test(what_worked_is_no_complaint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
