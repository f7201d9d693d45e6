/*
 * What matters of HAProxy's configuration, and bytes that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "hapcfg.h"

#define SECOND 1000000LL

static void read_text(struct hapcfg *h, const char *text)
{
	hapcfg_init(h);
	while (*text != '\0') {
		const char *end = strchr(text, '\n');
		size_t n = end != NULL ? (size_t)(end - text) : strlen(text);

		hapcfg_line(h, slice_of(text, n));
		text += n + (end != NULL ? 1 : 0);
	}
	hapcfg_end(h);
}

static const char config[] =
    "global\n"
    "    maxconn 8000 # not 9000\n"
    "defaults patroute_tcp\n"
    "    timeout client 24h\n"
    "    no option redispatch\n"
    "frontend patroute from patroute_tcp\n"
    "    bind *:5000 name write maxconn 2500\n"
    "    bind 10.0.0.1:5001 transparent name read\n"
    "    filter spoe engine route config \"${X-/etc/a b.cfg}\"\n"
    "    tcp-request inspect-delay 13s\n"
    "backend agent\n"
    "    timeout server 1h\n"
    "    timeout connect 100ms\n"
    "backend other\n"
    "    timeout server 1s\n"
    "defaults patroute_http\n"
    "    timeout client 30s\n"
    "frontend stats\n"
    "    bind *:7000\n"
    "    timeout client 5s\n";

static void a_config(void **state)
{
	struct hapcfg h;

	(void)state;
	read_text(&h, config);
	assert_int_equal(h.maxconn, 8000);
	assert_int_equal(h.inspect_delay, 13 * SECOND);
	assert_int_equal(h.client_timeout, 24 * 3600 * SECOND);
	assert_int_equal(h.agent_server, 3600 * SECOND);
	assert_int_equal(h.bind_n, 3);
	assert_string_equal(h.bind[0].name, "write");
	assert_string_equal(h.bind[0].at, "*:5000");
	assert_int_equal(h.bind[0].maxconn, 2500);
	assert_string_equal(h.bind[1].name, "read");
	assert_int_equal(h.bind[1].maxconn, -1);
	assert_false(h.redispatch || h.chroot || h.hard_stop);
}

static void a_traps(void **state)
{
	struct hapcfg h;

	(void)state;
	read_text(&h,
	    "global\n chroot /var/lib/haproxy\n hard-stop-after 1m\n"
	    "defaults\n option redispatch\n"
	    "frontend f\n filter spoe engine r\n timeout client 9s\n");
	assert_true(h.redispatch && h.chroot && h.hard_stop);
	assert_int_equal(h.client_timeout, 9 * SECOND);
	read_text(&h, "#global\n# maxconn 1\n");
	assert_int_equal(h.maxconn, -1);
}

static void a_spoe(void **state)
{
	struct hapcfg h;

	(void)state;
	read_text(&h,
	    "[route]\nspoe-agent route\n timeout processing 100ms\n"
	    " timeout idle 1h\nspoe-message route\n"
	    "[hold]\nspoe-agent hold\n timeout idle 30s\n"
	    " timeout processing 11s\n");
	assert_int_equal(h.route_processing, SECOND / 10);
	assert_int_equal(h.hold_processing, 11 * SECOND);
	assert_int_equal(h.hold_idle, 30 * SECOND);
}

static void a_times(void **state)
{
	static const char *const bad[] = {
	    "", "s", "1w", "-1s", "1 s", "99999999999s", "1s "};

	(void)state;
	assert_int_equal(hapcfg_time(slice_str("500")), SECOND / 2);
	assert_int_equal(hapcfg_time(slice_str("10us")), 10);
	assert_int_equal(hapcfg_time(slice_str("2m")), 120 * SECOND);
	assert_int_equal(hapcfg_time(slice_str("1d")), 86400 * SECOND);
	assert_int_equal(hapcfg_time(slice_str("1000000000d")), -1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hapcfg_time(slice_str(bad[i])), -1);
}

/* A line of many words, of long ones, with open quotes. */
static void b_any_lines(void **state)
{
	char line[3000];
	struct hapcfg h;

	(void)state;
	hapcfg_init(&h);
	for (int round = 0; round < 300; round++) {
		memset(line, "\" \\#bx"[round % 6], sizeof(line));
		memcpy(line, round % 2 == 0 ? "bind " : "frontend ", 5);
		hapcfg_line(&h, slice_of(line, (size_t)round * 10));
		hapcfg_line(&h, slice_str("bind *:1 name a maxconn 5"));
	}
	hapcfg_end(&h);
	assert_true(h.bind_n <= HAPCFG_BINDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_config),
	    cmocka_unit_test(a_traps),
	    cmocka_unit_test(a_spoe),
	    cmocka_unit_test(a_times),
	    cmocka_unit_test(b_any_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
