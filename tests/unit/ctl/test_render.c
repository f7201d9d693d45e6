/* HAProxy's files from patroute.conf: what holds whatever the configuration. */
#include "../common/unit.h"

#include <stdlib.h>

#include "json.h"
#include "render.h"
#include "servers.h"

static struct conf *parse(const char *text)
{
	struct conf_err err;
	struct conf *c = conf_parse("t.conf", slice_str(text), &err);

	if (c == NULL)
		fail_msg("%s", err.text);
	return c;
}

#define PATRONI "patroni = \"http://10.0.0.1:8008\" "
#define ONE "cluster main { " PATRONI "servers = \"n1=10.0.0.1:5432\" }\n"

/* Each way that a listener may be, two clusters, each kind of address. */
static const char everything[] =
    "cluster a { " PATRONI "read_fallback_max = 7\n"
    " servers = { \"n1=10.0.0.1:5432\",\n"
    "  \"n2=[fd00::2]:5433 https://[fd00::3]:8009\",\n"
    "  \"n3=db3.example:5432 http://10.0.0.3:8008\" }\n"
    " server_map = \"n1=dc1-n1\" send_proxy = true\n"
    " extra = \"timeout server 1h\" }\n"
    "cluster b { " PATRONI "servers = \"n1=10.1.0.1:5432\" }\n"
    "listen w { port = 5000 cluster = a target = primary maxconn = 50 }\n"
    "listen r { port = 5001 cluster = a target = replica }\n"
    "listen m { port = 5002 cluster = a target = replica\n"
    " startup_options = true hold_timeout = 1min }\n"
    "listen s { port = 5003 cluster = a target = sync }\n"
    "listen l { port = 5004 cluster = a target = replica\n"
    " least_conn = true bind = { \"10.0.0.9\", \"::1\" } }\n"
    "listen bw { port = 5010 cluster = b target = primary\n"
    " extra = \"accept-proxy\" }\n"
    "listen bx { port = 5011 cluster = b target = any }\n"
    "haproxy { maxconn = 1000 extra_global = \"nbthread 2\"\n"
    " extra_frontend = \"option socket-stats\" }\n";

struct made {
	struct conf *conf;
	struct render_cluster *cluster;
	char *text, *spoe;
};

static struct made make(const char *text)
{
	struct made m = {.conf = parse(text)};
	struct render r = {.conf = m.conf};

	m.cluster = calloc(m.conf->cluster_n, sizeof(*m.cluster));
	r.cluster = m.cluster;
	assert_non_null(m.cluster);
	for (uint16_t i = 0; i < m.conf->cluster_n; i++)
		(void)servers_from_conf(&m.conf->cluster[i], &m.cluster[i]);
	m.text = render_haproxy(&r);
	m.spoe = render_spoe(&r);
	assert_non_null(m.text);
	assert_non_null(m.spoe);
	return m;
}

static void done(struct made *m)
{
	free(m->text);
	free(m->spoe);
	free(m->cluster);
	conf_free(m->conf);
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

static void assert_has(const char *text, const char *what)
{
	if (strstr(text, what) == NULL)
		fail_msg("no \"%s\" in:\n%s", what, text);
}

static void assert_lacks(const char *text, const char *what)
{
	if (strstr(text, what) != NULL)
		fail_msg("\"%s\" in:\n%s", what, text);
}

static void listeners_and_members(void **state)
{
	static const char *const of_a[] = {"write", "read", "fallback",
	    "classic_write", "classic_read", "classic_any", "classic_sync"};
	struct made m = make(everything);
	char line[128];
	uint64_t sum = m.conf->haproxy.stats_maxconn;

	(void)state;
	for (uint16_t i = 0; i < m.conf->listen_n; i++) {
		(void)snprintf(line, sizeof(line), " name %s maxconn %u",
		    m.conf->listen[i].name, render_share(m.conf, i));
		assert_int_equal(count(m.text, line), 1);
		sum += render_share(m.conf, i);
	}
	assert_int_equal(count(m.text, "    bind "), m.conf->listen_n + 1u);
	assert_true(sum <= m.conf->haproxy.maxconn);
	assert_int_equal(render_share(m.conf, 0), 50);
	for (unsigned i = 0; i < 7; i++) {
		(void)snprintf(line, sizeof(line),
		    "\nbackend a_%s from patroute_tcp\n", of_a[i]);
		assert_int_equal(count(m.text, line), 1);
	}
	assert_int_equal(
	    count(m.text, "    server dc1-n1 10.0.0.1:5432 send-proxy-v2"), 7);
	assert_int_equal(count(m.text, "    server n2 [fd00::2]:5433 "), 7);
	/* No port of b is of that kind. */
	assert_int_equal(count(m.text, "    server n1 10.1.0.1:5432\n"), 6);
	assert_lacks(m.text, "b_classic_sync");
	done(&m);
}

static void what_keys_say(void **state)
{
	struct made m = make(everything);

	(void)state;
	assert_has(m.text, "bind 10.0.0.9:5004,[::1]:5004 transparent name l");
	assert_has(m.text, "bind *:5010 name bw");
	assert_has(m.text, " accept-proxy\n");
	assert_has(m.text, "rise 1 fall 3 maxconn 7\n");
	assert_has(m.text, "    nbthread 2\n");
	assert_has(m.text, "    option socket-stats\n");
	assert_int_equal(count(m.text, "    timeout server 1h\n"), 8);
	assert_has(m.text, "    balance leastconn\n");
	assert_has(m.text, "    acl least_conn so_name l\n");
	assert_has(m.text,
	    "str(a) if { so_name w r m s l }\n    tcp-request content "
	    "set-var(txn.cluster) str(b) if { so_name bw bx }\n");
	assert_has(m.text,
	    "    acl write_port so_name w bw\n"
	    "    acl sync_port so_name s\n"
	    "    acl any_port so_name m bx\n"
	    "    acl choice_port so_name m\n");
	/* The longest hold is m's. */
	assert_has(m.text, "inspect-delay 63s\n");
	assert_has(m.spoe, "timeout processing 61s\n");
	assert_has(m.spoe, "timeout idle 80s\n");
	/* Its Patroni speaks TLS, the others' do not. */
	assert_has(m.text, "send-proxy-v2 addr [fd00::3] port 8009\n");
	assert_has(m.text,
	    "db3.example:5432 send-proxy-v2 init-addr last,libc,none addr "
	    "10.0.0.3 no-check-ssl\n");
	assert_has(m.text, "check-ssl verify required ca-file @system-ca ");
	done(&m);
}

static void on_prober_loss(void **state)
{
	struct made m = make(ONE "listen w { port = 5432 target = primary }\n"
				 "haproxy { on_prober_loss = refuse }\n");

	(void)state;
	/* Observe alone goes the classic way. */
	assert_int_equal(count(m.text, "_classic_write if observe"), 1);
	assert_lacks(m.text, "_classic_write if write_port");
	assert_has(m.text, "# Third way.\n    use_backend desk if agent_up\n");
	assert_lacks(m.text, "asks_primary");
	assert_lacks(m.text, "classic_any");
	done(&m);
}

/* HAProxy reads 64 words and 2,048 bytes of a line. */
static void lines_are_bounded(void **state)
{
	static char text[65536];
	size_t n = 0;
	struct made m;

	(void)state;
	n += (size_t)snprintf(text, sizeof(text), ONE);
	for (int i = 0; i < 99; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "listen l%061d { port = %d target = %s }\n", i, 5000 + i,
		    i % 2 != 0 ? "primary" : "replica startup_options = true");
	m = make(text);
	for (const char *p = m.text; *p != '\0'; p++) {
		size_t len = strcspn(p, "\n");
		unsigned words = 1;

		for (size_t i = 0; i < len; i++)
			words += p[i] == ' ';
		assert_true(len < 2048 && (words <= 64 || *p == '#'));
		p += len;
	}
	done(&m);
}

static void a_slip_of_the_hand_is_seen(void **state)
{
	struct made m = make(everything);
	size_t len = strlen(m.text);

	(void)state;
	assert_true(is_render_untouched(slice_str(m.text)));
	assert_true(is_render_untouched(slice_str(m.spoe)));
	for (size_t i = 0; i < len; i++) {
		m.text[i] ^= 1;
		assert_false(is_render_untouched(slice_of(m.text, len)));
		m.text[i] ^= 1;
	}
	for (size_t i = 0; i < len; i += 7)
		assert_false(is_render_untouched(slice_of(m.text, i)));
	done(&m);
}

static void assert_same(
    const struct render_cluster *a, const struct render_cluster *b)
{
	assert_int_equal(a->n, b->n);
	for (unsigned i = 0; i < a->n; i++) {
		const struct render_server *x = &a->server[i];
		const struct render_server *y = &b->server[i];

		assert_string_equal(x->name, y->name);
		assert_string_equal(x->host, y->host);
		assert_int_equal(x->port, y->port);
		assert_string_equal(x->rest_host, y->rest_host);
		assert_int_equal(x->rest_port, y->rest_port);
		assert_int_equal(x->rest_tls, y->rest_tls);
	}
}

static void a_file_is_read_as_it_was_written(void **state)
{
	struct made m = make(everything);
	struct render_cluster old, some = {.n = 0};
	char names[LIM_TEXT];

	(void)state;
	for (uint16_t i = 0; i < 2; i++) {
		servers_from_file(&m.conf->cluster[i], slice_str(m.text), &old);
		assert_same(&old, &m.cluster[i]);
	}
	servers_from_file(&m.conf->cluster[0], slice_str(m.text), &old);
	/* Who is away is kept, who is there is not doubled. */
	some = old;
	some.n = 1;
	assert_int_equal(servers_keep(&some, &old, names), 2);
	assert_string_equal(names, "n2, n3");
	assert_same(&some, &old);
	assert_int_equal(servers_keep(&some, &old, names), 0);
	/* Any piece of it is read without harm. */
	for (size_t i = strlen(m.text); i > 0; i -= i > 11 ? 11 : i)
		servers_from_file(
		    &m.conf->cluster[0], slice_of(m.text, i), &old);
	done(&m);
}

static void members_from_outside(void **state)
{
	static const char json[] =
	    "{\"members\":["
	    "{\"name\":\"z\",\"server\":\"z\",\"address\":\"10.0.0.9\","
	    "\"port\":5432,\"front\":{\"address\":\"10.0.8.9\",\"port\":6432},"
	    "\"rest_at\":{\"host\":null,\"port\":8009,"
	    "\"tls\":true}},"
	    "{\"name\":\"a\",\"server\":\"a\",\"address\":\"fd00::1\","
	    "\"port\":5432,\"front\":{\"address\":null,\"port\":0}},"
	    "{\"name\":\"a\",\"server\":\"a\",\"address\":\"10.0.0.1\","
	    "\"port\":5432},"
	    "{\"name\":\"x y\",\"server\":\"x y\",\"address\":\"10.0.0.2\","
	    "\"port\":5432},"
	    "{\"name\":\"n\",\"server\":\"n\\n    bind *:1\",\"address\":"
	    "\"10.0.0.2\",\"port\":5432},"
	    "{\"name\":\"q\",\"server\":\"q\",\"address\":\"10.0.0.2 backup\","
	    "\"port\":5432},"
	    "{\"name\":\"p\",\"server\":\"p\",\"address\":\"10.0.0.2\","
	    "\"port\":65536},"
	    "{\"name\":\"h\",\"server\":\"h\",\"address\":\"10.0.0.2\","
	    "\"port\":5432,\"rest_at\":{\"host\":\"a b\",\"port\":8008}},"
	    "{\"name\":\"o\",\"server\":\"o\",\"address\":null,\"port\":0},"
	    "7,null,{}]}";
	struct conf *c = parse(ONE "listen w { port = 1 target = any }\n");
	cJSON *doc = json_parse(slice_str(json));
	struct render_cluster out;

	(void)state;
	assert_non_null(doc);
	assert_int_equal(servers_from_topology(&c->cluster[0], doc, &out), 10);
	assert_int_equal(out.n, 2);
	assert_string_equal(out.server[0].name, "a");
	assert_string_equal(out.server[0].host, "fd00::1");
	assert_int_equal(out.server[0].rest_port, 8008);
	/* HAProxy goes to a pooler, its checks to Patroni where it is. */
	assert_string_equal(out.server[1].host, "10.0.8.9");
	assert_int_equal(out.server[1].port, 6432);
	assert_string_equal(out.server[1].rest_host, "10.0.0.9");
	assert_int_equal(out.server[1].rest_port, 8009);
	assert_true(out.server[1].rest_tls);
	assert_int_equal(servers_from_topology(&c->cluster[0], NULL, &out), 0);
	assert_int_equal(out.n, 0);
	cJSON_Delete(doc);
	conf_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(listeners_and_members),
	    cmocka_unit_test(what_keys_say),
	    cmocka_unit_test(on_prober_loss),
	    cmocka_unit_test(lines_are_bounded),
	    cmocka_unit_test(a_slip_of_the_hand_is_seen),
	    cmocka_unit_test(a_file_is_read_as_it_was_written),
	    cmocka_unit_test(members_from_outside),
	};

	return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
