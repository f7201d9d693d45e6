/*
 * A connection that is only asked about is what a client would send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "ask.h"

static struct conf_listen listen = {.name = "mixed",
    .port = 5002,
    .target = INTENT_REPLICA,
    .startup_options = true,
    .max_lag = {UINT64_MAX, UINT32_MAX}};
static const struct conf conf = {.listen = &listen, .listen_n = 1};

static struct intent intent(const struct ask *a, bool understood)
{
	struct intent it;

	assert_int_equal(ask_intent(a, &conf, 0, &it), understood);
	return it;
}

static void a_bytes(void **state)
{
	static const unsigned char expected[] =
	    "\0\0\0\x1d\0\3\0\0user\0me\0database\0db\0";
	const struct ask a = {.user = "me", .database = "db"};
	unsigned char buf[64];

	(void)state;
	assert_int_equal(ask_packet(&a, buf, sizeof(buf)), sizeof(expected));
	assert_int_equal(sizeof(expected), 0x1d);
	assert_memory_equal(buf, expected, sizeof(expected));
	for (size_t n = 0; n < sizeof(expected); n++)
		assert_int_equal(ask_packet(&a, buf, n), 0);
}

static void a_intents(void **state)
{
	struct intent it;

	(void)state;
	it = intent(&(struct ask){.user = "a"}, true);
	assert_int_equal(it.want, INTENT_REPLICA);
	it = intent(
	    &(struct ask){.options = "-c patroute.target=primary"}, true);
	assert_int_equal(it.want, INTENT_PRIMARY);
	assert_true((it.flags & INTENT_F_OPTIONS) != 0);
	it = intent(&(struct ask){.application_name = "x/read_primary"}, true);
	assert_int_equal(it.want, INTENT_PRIMARY);
	it = intent(
	    &(struct ask){.tls = true, .options = "-c patroute.target=primary"},
	    true);
	assert_int_equal(it.want, INTENT_REPLICA);
	assert_true((it.flags & INTENT_F_TLS) != 0);
	it = intent(&(struct ask){.sni = "primary.db.example"}, true);
	assert_int_equal(it.want, INTENT_PRIMARY);
	it = intent(&(struct ask){.sni = "db.example"}, true);
	assert_int_equal(it.want, INTENT_REPLICA);
	it = intent(&(struct ask){.replication = true}, true);
	assert_true((it.flags & INTENT_F_REPLICATION) != 0);
}

static void a_not_understood(void **state)
{
	char options[8000];
	struct intent it;

	(void)state;
	it = intent(
	    &(struct ask){.options = "-c patroute.target=nowhere"}, false);
	assert_int_equal(it.want, INTENT_REPLICA);
	memset(options, 'x', sizeof(options) - 1);
	options[sizeof(options) - 1] = '\0';
	(void)intent(&(struct ask){.options = options}, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_bytes),
	    cmocka_unit_test(a_intents),
	    cmocka_unit_test(a_not_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
