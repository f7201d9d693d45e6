/* patroute.conf: defaults, every key, and a sentence for what is broken. */
#include "unit.h"

#include <unistd.h>

#include "conf_int.h"
#include "conf_text.h"

static void defaults(void **state)
{
	struct conf *c = must_parse(MAIN WRITE);
	const struct conf_cluster *cl = &c->cluster[0];
	const struct conf_agent *a = &c->agent;

	(void)state;
	assert_string_equal(c->user, "patroute");
	assert_string_equal(c->group, "haproxy");
	assert_int_equal(c->cluster_n, 1);
	assert_int_equal(c->listen_n, 1);
	assert_string_equal(cl->name, "main");
	assert_string_equal(cl->scope, "main");
	assert_string_equal(cl->namespace, "/service");
	assert_string_equal(cl->probe_user, "");
	assert_string_equal(cl->probe_dbname, "postgres");
	assert_int_equal(cl->max_age_dcs.us, 3000000);
	assert_int_equal(cl->max_age_rest.us, 3000000);
	assert_int_equal(cl->max_age_sql.us, 2000000);
	assert_int_equal(cl->fence.us, 30000000);
	assert_int_equal(cl->silence.us, 2000000);
	assert_int_equal(cl->silence_close.us, 10000000);
	assert_int_equal(cl->follow_grace.us, 10000000);
	assert_int_equal(cl->max_lag.bytes, 16777216);
	assert_true(cl->max_lag.ms == UINT32_MAX);
	assert_int_equal(cl->lag_grace.us, 1000000);
	assert_int_equal(cl->slow_start.us, 0);
	assert_int_equal(cl->read_fallback, SNAP_FALLBACK_PRIMARY);
	assert_int_equal(c->listen[0].fallback, SNAP_FALLBACK_PRIMARY);
	assert_true(c->listen[0].max_lag.bytes == UINT64_MAX);
	assert_false(c->listen[0].startup_options);
	assert_string_equal(c->prober.feed_socket, "/run/patroute/feed.sock");
	assert_string_equal(c->prober.http_address, "127.0.0.1");
	assert_int_equal(c->prober.http_port, 7100);
	assert_int_equal(c->prober.log_level, LOG_LVL_INFO);
	assert_int_equal(a->listen_n, 1);
	assert_true(a->listen[0].is_unix);
	assert_string_equal(a->listen[0].path, "/run/patroute/agent.sock");
	assert_int_equal(a->stale_after.us, 4000000);
	assert_int_equal(a->hold_timeout.us, 10000000);
	assert_int_equal(a->early_hold.us, 2000000);
	assert_int_equal(a->hold_max, 1000);
	assert_int_equal(a->hold_release_rate, 500);
	assert_int_equal(a->min_lsn_wait.us, 200000);
	assert_int_equal(c->listen[0].hold_timeout.us, 10000000);
	assert_int_equal(c->listen[0].hold_max, 1000);
	assert_int_equal(a->log_level, LOG_LVL_INFO);
	conf_free(c);
}

static void clusters_and_listeners(void **state)
{
	struct conf *c = must_parse(
	    "cluster a { scope = batman namespace = \"/db/\"\n"
	    " etcd = { \"https://[fd00::1]:2379\", \"http://10.0.0.1:1\" }\n"
	    " server_map = { \"node1=dc1-psql-node1\", \"x/y=z\" }\n"
	    " max_lag = \"2s  1GB\" read_fallback = none fence = 1min }\n"
	    "cluster b { " ETCD " }\n"
	    "listen w { port = 5000 cluster = b target = primary\n"
	    " hold_timeout = 2s hold_max = 0 }\n"
	    "listen r { port = 5001 cluster = a target = sync\n"
	    " max_lag = 1MB fallback = primary startup_options = true }\n"
	    "listen r2 { port = 5002 cluster = a target = any\n"
	    " max_lag = 500ms }\n"
	    "agent { listen = { \"unix:/a\", \"tcp:127.0.0.1:9100\",\n"
	    " \"tcp:[::1]:9100\" } hold_timeout = 5s hold_max = 7 }\n"
	    "prober { http_address = \"::1\" }\n");
	const struct conf_cluster *cl = &c->cluster[0];
	struct intent it;

	(void)state;
	assert_int_equal(c->cluster_n, 2);
	assert_string_equal(cl->scope, "batman");
	assert_string_equal(cl->namespace, "/db");
	assert_int_equal(cl->etcd_n, 2);
	assert_true(cl->etcd[0].tls && !cl->etcd[1].tls);
	assert_string_equal(cl->etcd[0].host, "fd00::1");
	assert_int_equal(cl->etcd[1].port, 1);
	assert_string_equal(conf_server_of(cl, "node1"), "dc1-psql-node1");
	assert_string_equal(conf_server_of(cl, "x/y"), "z");
	assert_string_equal(conf_server_of(cl, "node2"), "node2");
	assert_int_equal(cl->max_lag.bytes, 1 << 30);
	assert_int_equal(cl->max_lag.ms, 2000);
	assert_int_equal(c->listen[0].cluster, 1);
	assert_int_equal(c->listen[0].hold_timeout.us, 2000000);
	assert_int_equal(c->listen[0].hold_max, 0);
	assert_int_equal(c->listen[1].hold_timeout.us, 5000000);
	assert_int_equal(c->listen[1].hold_max, 7);
	assert_int_equal(c->listen[1].cluster, 0);
	assert_int_equal(c->listen[2].fallback, SNAP_FALLBACK_NONE);
	assert_int_equal(conf_listen_by_name(c, slice_str("r")), 1);
	assert_int_equal(conf_listen_by_name(c, slice_str("r3")), -1);
	assert_int_equal(conf_listen_by_name(c, slice_str("")), -1);
	assert_int_equal(conf_listen_by_port(c, 5002), 2);
	assert_int_equal(conf_listen_by_port(c, 5003), -1);
	it = conf_listen_intent(c, 1);
	assert_int_equal(it.listen, 1);
	assert_int_equal(it.want, INTENT_SYNC);
	assert_int_equal(it.flags, INTENT_F_FALLBACK | INTENT_F_CHOOSE);
	assert_int_equal(it.max_lag_bytes, 1 << 20);
	assert_true(it.max_lag_ms == UINT32_MAX && it.min_lsn == 0);
	it = conf_listen_intent(c, 2);
	assert_int_equal(it.flags, 0);
	assert_true(it.max_lag_bytes == UINT64_MAX && it.max_lag_ms == 500);
	assert_int_equal(c->agent.listen_n, 3);
	assert_string_equal(c->agent.listen[2].addr, "::1");
	assert_int_equal(c->agent.listen[1].port, 9100);
	conf_free(c);
}

/* Members by Patroni's word; PostgreSQL behind something else. */
static void without_etcd(void **state)
{
	struct conf *c =
	    must_parse("cluster a { scope = \"citus/0\"\n"
		       " patroni = { \"http://10.0.0.1:8008\", "
		       "\"https://[fd00::1]:8008\" }\n"
		       " probe_user = u probe_sslmode = require\n"
		       " probe_address = { \":5433\", \"node1=:5434\", "
		       "\"node2=[fd00::2]:5435\" } }\n" WRITE);
	const struct conf_cluster *cl = &c->cluster[0];

	(void)state;
	assert_string_equal(cl->scope, "citus/0");
	assert_int_equal(cl->etcd_n, 0);
	assert_int_equal(cl->patroni_n, 2);
	assert_string_equal(cl->patroni[1].host, "fd00::1");
	assert_true(cl->patroni[1].tls);
	assert_int_equal(cl->probe_sslmode, CONF_SSL_REQUIRE);
	assert_int_equal(conf_probe_at(cl, "node3")->port, 5433);
	assert_int_equal(conf_probe_at(cl, "node1")->port, 5434);
	assert_string_equal(conf_probe_at(cl, "node1")->host, "");
	assert_string_equal(conf_probe_at(cl, "node2")->host, "fd00::2");
	conf_free(c);
	c = must_parse(MAIN WRITE);
	assert_null(conf_probe_at(&c->cluster[0], "node1"));
	assert_int_equal(c->cluster[0].probe_sslmode, CONF_SSL_PREFER);
	conf_free(c);
}

static char dir[64];

static void files(void **state)
{
	char path[96], sentence[256];
	struct conf_err err;
	struct conf *c;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/patroute.conf", dir);
	assert_null(conf_load(path, &err));
	(void)snprintf(sentence, sizeof(sentence),
	    "%s: No such file or directory, expected a readable file", path);
	assert_string_equal(err.text, sentence);
	write_file(path, MAIN WRITE, 0644);
	c = conf_load(path, &err);
	assert_non_null(c);
	conf_free(c);
	assert_null(conf_load(dir, &err));
	assert_non_null(strstr(err.text, ": expected a regular file"));
	assert_null(conf_load("/dev/null", &err));
	assert_non_null(strstr(err.text, ": expected a regular file"));
	(void)unlink(path);
}

static char *printed(void (*print)(FILE *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	print(f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void the_example(void **state)
{
	char *text = printed(conf_print_example);
	struct conf *c = must_parse(text);

	(void)state;
	assert_int_equal(c->cluster[0].etcd_n, 3);
	assert_string_equal(c->cluster[0].etcd[2].host, "192.168.34.139");
	assert_string_equal(
	    conf_server_of(&c->cluster[0], "node3"), "dc1-psql-node3");
	assert_int_equal(c->listen_n, 3);
	assert_int_equal(conf_listen_by_port(c, 5000), 0);
	assert_int_equal(c->listen[0].target, INTENT_PRIMARY);
	assert_int_equal(c->listen[1].target, INTENT_REPLICA);
	assert_true(c->listen[2].startup_options);
	conf_free(c);
	free(text);
}

/* With every default uncommented the example says the same. */
static void the_example_uncommented(void **state)
{
	char *text = printed(conf_print_example), *p;
	struct conf *was = must_parse(text), *is;

	(void)state;
	for (p = strchr(text, '#'); p != NULL; p = strchr(p + 1, '#')) {
		char *end = strchr(p, '\n');
		char *eq = strstr(p, " = ");

		/* "# key = value": one word before the equal sign. */
		if (eq != NULL && eq < end &&
		    memchr(p + 2, ' ', (size_t)(eq - p - 2)) == NULL)
			*p = ' ';
	}
	is = must_parse(text);
	assert_memory_equal(&was->prober, &is->prober, sizeof(is->prober));
	assert_memory_equal(&was->agent, &is->agent, sizeof(is->agent));
	assert_memory_equal(&was->vip, &is->vip, sizeof(is->vip));
	assert_memory_equal(was->cluster, is->cluster, sizeof(*is->cluster));
	assert_memory_equal(was->listen, is->listen, 3 * sizeof(*is->listen));
	assert_string_equal(was->user, is->user);
	conf_free(was);
	conf_free(is);
	free(text);
}

static void every_key_is_documented(void **state)
{
	char *man = printed(conf_print_man);
	char *example = printed(conf_print_example);
	const struct conf_key *k = conf_key_table();

	(void)state;
	for (; k->section != NULL; k++) {
		char line[128];

		(void)snprintf(line, sizeof(line), ".B %s\n", k->name);
		assert_non_null(strstr(man, line));
		(void)snprintf(line, sizeof(line), "%s =", k->name);
		assert_non_null(strstr(example, line));
		assert_true(strlen(k->help) > 10);
		assert_true(
		    k->required || k->def != NULL || k->section[0] != '\0');
	}
	free(man);
	free(example);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(clusters_and_listeners),
	    cmocka_unit_test(without_etcd),
	    cmocka_unit_test(files),
	    cmocka_unit_test(the_example),
	    cmocka_unit_test(the_example_uncommented),
	    cmocka_unit_test(every_key_is_documented),
	};
	int rc;

	(void)snprintf(dir, sizeof(dir), "/tmp/patroute-conf-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	rc = cmocka_run_group_tests_name("conf", tests, NULL, NULL);
	(void)rmdir(dir);
	return rc;
}
