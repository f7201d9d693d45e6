/* patroute.conf: what HAProxy's files are made of. */
#include "unit.h"

#include "conf_text.h"

#define READ "listen r { port = 5001 target = replica "

static void defaults(void **state)
{
	struct conf *c = must_parse(MAIN WRITE);
	const struct conf_haproxy *h = &c->haproxy;

	(void)state;
	assert_string_equal(h->file, "/etc/haproxy/patroute.cfg");
	assert_int_equal(h->bind.n, 1);
	assert_string_equal(h->bind.addr[0], "*");
	assert_int_equal(h->stats_bind.n, 0);
	assert_int_equal(h->maxconn, 8000);
	assert_int_equal(h->idle_timeout.us, 86400000000);
	assert_int_equal(h->on_prober_loss, CONF_LOSS_CLASSIC);
	assert_int_equal(h->reload, CONF_RELOAD_SOCKET);
	assert_int_equal(h->extra.n, 0);
	assert_int_equal(c->cluster[0].hap.read_fallback_max, 100);
	assert_int_equal(c->cluster[0].hap.server_n, 0);
	assert_int_equal(c->listen[0].hap.bind.n, 0);
	assert_int_equal(c->listen[0].hap.maxconn, 0);
	conf_free(c);
}

static void values(void **state)
{
	struct conf *c = must_parse(
	    "cluster main { " ETCD " server_map = \"node1=a\"\n"
	    " servers = { \"node1=10.0.0.1:5432\",\n"
	    "  \"node2=[fd00::2]:6432  https://[fd00::3]:8009\" }\n"
	    " send_proxy = true extra = \"timeout server 1h\" }\n" READ
	    "bind = { \"10.0.0.9\", \"::\" } least_conn = true\n"
	    " extra = \"accept-proxy v4v6\" }\n"
	    "haproxy { extra_global = { \"nbthread 2\", \"tune.x 'a b'\" }\n"
	    " stats_bind = \"127.0.0.1\" on_prober_loss = refuse }\n");
	const struct conf_haproxy_cluster *h = &c->cluster[0].hap;

	(void)state;
	assert_int_equal(h->server_n, 2);
	assert_string_equal(h->server[0].member, "node1");
	assert_string_equal(h->server[0].host, "10.0.0.1");
	assert_int_equal(h->server[0].rest.port, 0);
	assert_string_equal(h->server[1].host, "fd00::2");
	assert_int_equal(h->server[1].port, 6432);
	assert_true(h->server[1].rest.tls);
	assert_string_equal(h->server[1].rest.host, "fd00::3");
	assert_int_equal(h->server[1].rest.port, 8009);
	assert_true(h->send_proxy);
	assert_string_equal(h->extra.line[0], "timeout server 1h");
	assert_int_equal(c->listen[0].hap.bind.n, 2);
	assert_string_equal(c->listen[0].hap.bind.addr[1], "::");
	assert_true(c->listen[0].hap.least_conn);
	assert_string_equal(c->listen[0].hap.extra, "accept-proxy v4v6");
	assert_string_equal(c->haproxy.extra_global.line[1], "tune.x 'a b'");
	assert_int_equal(c->haproxy.on_prober_loss, CONF_LOSS_REFUSE);
	conf_free(c);
}

static void broken(void **state)
{
	static const struct {
		const char *text, *sentence;
	} t[] = {
	    {"cluster a { " ETCD "\nobserve = true }\n" WRITE
	     "haproxy { on_prober_loss = refuse }\n",
		"t.conf:2: cluster.observe: true beside haproxy.on_prober_loss "
		"= "
		"refuse, which leaves no classic way where the agent is lost, "
		"expected on_prober_loss = classic"},
	    {"cluster a { " ETCD " }\ncluster a_classic { " ETCD " }\n"
	     "listen w { port = 1 target = any cluster = a }\n",
		"t.conf:2: cluster: a has backends a_classic_write and so on "
		"in HAProxy, expected another name than a_classic"},
	    {"cluster a { " ETCD "\n servers = { \"x=1.2.3.4:1\",\n"
	     " \"y/z=1.2.3.4:2\" } }\n" WRITE,
		"t.conf:3: cluster.servers: y/z is no name for HAProxy, "
		"expected letters, digits, '.', '_', '-', or another one for "
		"it in cluster.server_map"},
	    {"cluster a { " ETCD " servers = { \"x=1.2.3.4:1\", "
	     "\"y=1.2.3.4:2\" }\n server_map = \"x=y\" }\n" WRITE,
		"t.conf:1: cluster.servers: y stands there twice, expected "
		"each server once"},
	    {"cluster a { " ETCD " servers = \"x=1.2.3.4\" }\n" WRITE,
		"t.conf:1: cluster.servers: \"x=1.2.3.4\" is not possible, "
		"expected MEMBER=HOST:PORT, or \"MEMBER=HOST:PORT "
		"http[s]://HOST:PORT\" with its Patroni"},
	    {"cluster a { " ETCD " servers = \"x=1.2.3.4:1 8008\" }\n" WRITE,
		"t.conf:1: cluster.servers: \"x=1.2.3.4:1 8008\" is not "
		"possible, expected MEMBER=HOST:PORT, or \"MEMBER=HOST:PORT "
		"http[s]://HOST:PORT\" with its Patroni"},
	    {MAIN READ "bind = \"vip\" }\n",
		"t.conf:2: listen.bind: \"vip\" is not possible, expected * or "
		"a "
		"numeric address"},
	    {MAIN READ "extra = \"a\\nbind *:1\" }\n",
		"t.conf:2: listen.extra: \"a\\nbind *:1\" is not possible, "
		"expected one line of text, of at most 255 bytes"},
	    {MAIN READ "max_lag = 1MB\n least_conn = true }\n",
		"t.conf:3: listen.least_conn: HAProxy chooses among all fit "
		"replicas, expected target = replica, no max_lag and no "
		"startup_options beside it"},
	    {MAIN "listen x { port = 7000 target = any }\n",
		"t.conf:2: listen.port: 7000 is haproxy.stats_port's, "
		"expected another"},
	    {MAIN WRITE "haproxy { stats_port = 7100 }\n",
		"t.conf:3: haproxy.stats_port: 7100 is prober.http_port's, "
		"expected another"},
	    {MAIN READ "maxconn = 800 }\nhaproxy {\nmaxconn = 999 }\n",
		"t.conf:4: haproxy.maxconn: 999, expected at least 1000: the "
		"listeners' maxconn and haproxy.stats_maxconn together, and "
		"one for each listener without"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_sentence(t[i].text, t[i].sentence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(values),
	    cmocka_unit_test(broken),
	};

	return cmocka_run_group_tests_name("conf_haproxy", tests, NULL, NULL);
}
