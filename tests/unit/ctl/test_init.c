/*
 * Clusters out of etcd's keys and Patroni's answers, and the configuration
 * that is made of them, whoever named them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "conf.h"
#include "init.h"

static void key(struct init_found *f, const char *name, const char *value)
{
	init_key(f, slice_str(name), slice_str(value));
}

static struct init_found *make(bool etcd)
{
	struct init_found *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->is_etcd = etcd;
	f->api = etcd ? "v3" : NULL;
	memcpy(f->from, "http://10.0.0.1:2379", 21);
	memcpy(f->version, "3.4.23", 7);
	return f;
}

/* Both programs must take it; the caller frees it. */
static char *write_checked(const struct init_found *f)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct conf_err err;
	struct conf *conf;

	init_write(f, out);
	(void)fclose(out);
	conf = conf_parse("made", slice_str(text), &err);
	if (conf == NULL)
		fail_msg("%s\n%s", err.text, text);
	assert_int_equal(conf->cluster_n, f->n);
	assert_int_equal(conf->listen_n, 3 * f->n);
	for (unsigned i = 0; i < f->n; i++)
		assert_true(conf->cluster[i].observe);
	conf_free(conf);
	return text;
}

static void a_etcd(void **state)
{
	struct init_found *f = make(true);
	char *text;

	(void)state;
	init_endpoint(f, "http://10.0.0.1:2379");
	init_endpoint(f, "http://10.0.0.2:2379/");
	init_endpoint(f, "http://10.0.0.2:2379");
	init_endpoint(f, "http://localhost:2379");
	init_endpoint(f, "http://0.0.0.0:2379");
	init_endpoint(f, "unix://x");
	init_endpoint(f, "http://a\"b:1");
	assert_int_equal(f->etcd_n, 2);
	key(f, "/service/main/initialize", "7");
	key(f, "/service/main/members/node1",
	    "{\"api_url\":\"http://10.0.0.4:8008/patroni\",\"role\":"
	    "\"master\"}");
	key(f, "/service/main/members/node1", "");
	key(f, "/service/main/leader", "node1");
	key(f, "/registry/pods/x", "");
	key(f, "/db/pg/batman/members/a", "not json");
	assert_int_equal(f->n, 2);
	assert_string_equal(f->c[0].namespace, "/service");
	assert_string_equal(f->c[0].m[0].rest, "http://10.0.0.4:8008");
	assert_int_equal(f->c[0].n, 1);
	assert_string_equal(f->c[1].namespace, "/db/pg");
	text = write_checked(f);
	assert_non_null(strstr(text, "namespace = \"/db/pg\""));
	assert_non_null(strstr(text, "node1 (master)"));
	assert_non_null(strstr(text, "port    = 5010"));
	free(text);
	free(f);
}

static void a_citus(void **state)
{
	struct init_found *f = make(true);
	char *text;

	(void)state;
	init_endpoint(f, f->from);
	key(f, "/service/citus/0/members/a", "{}");
	key(f, "/service/citus/1/initialize", "");
	assert_int_equal(f->n, 2);
	assert_string_equal(f->c[0].scope, "citus/0");
	assert_string_equal(f->c[0].namespace, "/service");
	text = write_checked(f);
	assert_non_null(strstr(text, "cluster citus-0 {"));
	assert_non_null(strstr(text, "scope    = \"citus/0\""));
	free(text);
	free(f);
}

static void a_patroni(void **state)
{
	struct init_found *f = make(false);
	cJSON *doc = cJSON_Parse(
	    "{\"members\":[{\"name\":\"n1\",\"role\":\"leader\",\"api_url\":"
	    "\"https://10.0.0.4:8008/patroni\"},{\"name\":\"n2\"},"
	    "{\"name\":\"n\\\"}\"},{\"role\":\"x\"},7]}");
	char *text;

	(void)state;
	init_patroni_cluster(f, "main", doc);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->c[0].n, 2);
	assert_int_equal(f->odd, 3);
	text = write_checked(f);
	assert_non_null(strstr(text, "\"https://10.0.0.4:8008\""));
	assert_non_null(strstr(text, "# rest_ca"));
	free(text);
	cJSON_Delete(doc);
	/* Nobody says where: the address that was asked. */
	memset(f->c, 0, sizeof(f->c));
	f->n = 0;
	init_patroni_cluster(f, "main", NULL);
	text = write_checked(f);
	assert_non_null(strstr(text, "{ \"http://10.0.0.1:2379\" }"));
	free(text);
	free(f);
}

/* A version stands in a comment, which it must not end. */
static void b_hostile_version(void **state)
{
	struct init_found *f = make(false);
	cJSON *doc = cJSON_Parse("{\"version\":\"1\\nuser=\\\"root\\\"\\n#\","
				 "\"odd\":7,\"long\":"
				 "\"1234567890123456789012345\","
				 "\"good\":\"3.0.2-dev.1\"}");
	char *text;

	(void)state;
	init_patroni_cluster(f, "main", NULL);
	init_version(f, doc, "version");
	assert_string_equal(f->version, "?");
	text = write_checked(f);
	assert_null(strstr(text, "root"));
	free(text);
	init_version(f, doc, "good");
	assert_string_equal(f->version, "3.0.2-dev.1");
	init_version(f, doc, "odd");
	assert_string_equal(f->version, "?");
	init_version(f, doc, "long");
	assert_string_equal(f->version, "?");
	init_version(f, NULL, "version");
	assert_string_equal(f->version, "?");
	cJSON_Delete(doc);
	free(f);
}

/* Whose own name leads nowhere from elsewhere answered here just now. */
static void a_asked_on_this_host(void **state)
{
	struct init_found *f = make(true);

	(void)state;
	(void)snprintf(f->from, sizeof(f->from), "http://localhost:2379");
	init_endpoint(f, f->from);
	init_endpoint(f, "http://localhost:2380");
	init_endpoint(f, "http://127.0.0.1:2379");
	assert_int_equal(f->etcd_n, 1);
	assert_string_equal(f->etcd[0], "http://localhost:2379");
	free(f);
}

static void b_hostile(void **state)
{
	static const char *const bad[] = {"/service/a\"b/members/x",
	    "/service/a b/initialize", "/service/${HOME}/initialize",
	    "/service/a\n}/initialize", "//initialize", "/initialize",
	    "initialize", "/members/x", "members/x", "/a/members/x\"",
	    "/s/\xff/members/x", "/../x\\/initialize", "/s//members/x", ""};
	struct init_found *f = make(true);
	char longest[400];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		key(f, bad[i], "{\"api_url\":\"http://a\"}");
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "/s/", 3);
	memcpy(longest + sizeof(longest) - 12, "/initialize", 12);
	key(f, longest, "");
	assert_int_equal(f->n, 0);
	assert_true(f->odd > 3);
	free(f);
}

static void b_bounded(void **state)
{
	struct init_found *f = make(true);
	char name[64];

	(void)state;
	for (int i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "/s/c%d/initialize", i);
		key(f, name, "");
		(void)snprintf(name, sizeof(name), "/s/c0/members/m%d", i);
		key(f, name, "{}");
		(void)snprintf(name, sizeof(name), "http://h%d:1", i);
		init_endpoint(f, name);
	}
	assert_int_equal(f->n, INIT_CLUSTERS);
	assert_int_equal(f->c[0].n, LIM_MEMBERS);
	assert_int_equal(f->etcd_n, LIM_ENDPOINTS);
	free(write_checked(f));
	f->only = "c7";
	f->n = 0;
	key(f, "/s/c7/initialize", "");
	key(f, "/s/c8/initialize", "");
	assert_int_equal(f->n, 1);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_etcd),
	    cmocka_unit_test(a_citus),
	    cmocka_unit_test(a_patroni),
	    cmocka_unit_test(a_asked_on_this_host),
	    cmocka_unit_test(b_hostile),
	    cmocka_unit_test(b_hostile_version),
	    cmocka_unit_test(b_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
