/* Where a member's PostgreSQL is asked: where the prober asks it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "pgask.h"

static const char member[] =
    "{\"name\":\"node2\",\"address\":\"10.0.0.2\",\"port\":6432,"
    "\"evidence\":{\"dcs\":{\"host\":\"db2\"}}}";

static struct pgask_at ask(const char *probe_address, const char *json)
{
	char text[512];
	struct conf_err err;
	struct conf *conf;
	cJSON *m = cJSON_Parse(json);
	static char name[LIM_ADDR], addr[LIM_ADDR];
	struct pgask_at at;

	(void)snprintf(text, sizeof(text),
	    "cluster main { patroni = \"http://10.0.0.1:8008\"\n"
	    "probe_user = p\n%s }\n"
	    "listen write { port = 5000 target = primary }\n",
	    probe_address);
	conf = conf_parse("made", slice_str(text), &err);
	if (conf == NULL)
		fail_msg("%s", err.text);
	if (!pgask_of(&conf->cluster[0], m, &at))
		at = (struct pgask_at){.addr = NULL};
	/* They go with what they are of. */
	if (at.name != NULL)
		at.name = strcpy(name, at.name);
	if (at.addr != NULL)
		at.addr = strcpy(addr, at.addr);
	cJSON_Delete(m);
	conf_free(conf);
	return at;
}

static void at_conn_url(void **state)
{
	struct pgask_at at = ask("", member);

	(void)state;
	assert_string_equal(at.addr, "10.0.0.2");
	assert_string_equal(at.name, "db2");
	assert_int_equal(at.port, 6432);
}

static void behind_a_pooler(void **state)
{
	struct pgask_at at = ask("probe_address = \":5432\"", member);

	(void)state;
	assert_string_equal(at.addr, "10.0.0.2");
	assert_string_equal(at.name, "db2");
	assert_int_equal(at.port, 5432);
}

static void elsewhere(void **state)
{
	struct pgask_at at =
	    ask("probe_address = { \"node1=a:1\", \"node2=10.9.0.2:5433\" }",
		member);

	(void)state;
	assert_null(at.addr);
	assert_string_equal(at.name, "10.9.0.2");
	assert_int_equal(at.port, 5433);
}

static void nobody_knows(void **state)
{
	struct pgask_at at = ask("probe_address = \":5432\"",
	    "{\"name\":\"node2\",\"address\":null,\"port\":7}");

	(void)state;
	assert_null(at.addr);
	assert_null(at.name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(at_conn_url),
	    cmocka_unit_test(behind_a_pooler),
	    cmocka_unit_test(elsewhere),
	    cmocka_unit_test(nobody_knows),
	};

	return cmocka_run_group_tests_name("pgask", tests, NULL, NULL);
}
