/* patroute.conf: defaults, every key, and a sentence for what is broken. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "conf_int.h"

#define ETCD "etcd = \"http://e:2379\""
#define MAIN "cluster main { " ETCD " }\n"
#define WRITE "listen write { port = 5000 target = primary }\n"

static struct conf *must_parse(const char *text)
{
	struct conf_err err;
	struct conf *c = conf_parse("t.conf", slice_str(text), &err);

	if (c == NULL)
		fail_msg("%s", err.text);
	assert_string_equal(err.text, "");
	return c;
}

static void assert_sentence(const char *text, const char *sentence)
{
	struct conf_err err;
	struct conf *c = conf_parse("t.conf", slice_str(text), &err);

	if (c != NULL)
		fail_msg("accepted: %s", text);
	if (strcmp(err.text, sentence) != 0)
		fail_msg(
		    "%s\n     got: %s\nexpected: %s", text, err.text, sentence);
}

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
	assert_int_equal(cl->max_age_rest.us, 2000000);
	assert_int_equal(cl->max_age_sql.us, 2000000);
	assert_int_equal(cl->fence.us, 30000000);
	assert_int_equal(cl->silence.us, 2000000);
	assert_int_equal(cl->silence_close.us, 10000000);
	assert_int_equal(cl->follow_grace.us, 10000000);
	assert_int_equal(cl->max_lag_bytes, 16777216);
	assert_int_equal(cl->read_fallback, SNAP_FALLBACK_PRIMARY);
	assert_int_equal(c->listen[0].fallback, SNAP_FALLBACK_PRIMARY);
	assert_true(c->listen[0].max_lag_bytes == UINT64_MAX);
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
	assert_int_equal(a->early_hold.us, 500000);
	assert_int_equal(a->hold_max, 1000);
	assert_int_equal(a->hold_release_rate, 500);
	assert_int_equal(a->log_level, LOG_LVL_INFO);
	conf_free(c);
}

static void clusters_and_listeners(void **state)
{
	struct conf *c = must_parse(
	    "cluster a { scope = batman namespace = \"/db/\"\n"
	    " etcd = { \"https://[fd00::1]:2379\", \"http://10.0.0.1:1\" }\n"
	    " server_map = { \"node1=dc1-psql-node1\", \"x/y=z\" }\n"
	    " max_lag = 1GB read_fallback = none fence = 1min }\n"
	    "cluster b { " ETCD " }\n"
	    "listen w { port = 5000 cluster = b target = primary }\n"
	    "listen r { port = 5001 cluster = a target = sync\n"
	    " max_lag = 1MB fallback = primary startup_options = true }\n"
	    "listen r2 { port = 5002 cluster = a target = any }\n"
	    "agent { listen = { \"unix:/a\", \"tcp:127.0.0.1:9100\",\n"
	    " \"tcp:[::1]:9100\" } }\n"
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
	assert_int_equal(c->listen[0].cluster, 1);
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
	assert_int_equal(conf_listen_intent(c, 2).flags, 0);
	assert_int_equal(c->agent.listen_n, 3);
	assert_string_equal(c->agent.listen[2].addr, "::1");
	assert_int_equal(c->agent.listen[1].port, 9100);
	conf_free(c);
}

/* Each is one sentence: file, line, key, what was expected. */
static void broken_syntax(void **state)
{
	static const struct {
		const char *text, *sentence;
	} t[] = {
	    {"x = 1\n",
		"t.conf:1: no such option 'x', expected a key that "
		"patroute.conf(5) lists for this section"},
	    {"# a\n# b\n/* c\n */\n// d\nagent {\n\tholdmax = 1\n}\n",
		"t.conf:7: agent: no such option 'holdmax', expected a key "
		"that patroute.conf(5) lists for this section"},
	    {"user = \n",
		"t.conf:2: premature end of file, expected KEY = "
		"VALUE or }"},
	    {"user me\n",
		"t.conf:1: missing equal sign after option 'user', "
		"expected KEY = VALUE"},
	    {"user += me\n",
		"t.conf:1: attempt to append to non-list option "
		"'user', expected = instead of +="},
	    {"cluster { }",
		"t.conf:1: missing title for section 'cluster', "
		"expected a name between the section's keyword "
		"and {"},
	    {"prober x { }",
		"t.conf:1: missing opening brace for section "
		"'prober', expected { after the section's name"},
	    {"user = a\nprober {\n}\nagent {\n\thold_max = 1\n",
		"t.conf:4: { is never closed, expected } before the end of "
		"the file"},
	    {"user = a\n}\n",
		"t.conf:2: } closes nothing, expected a section "
		"or a list before it"},
	    {"user = a,b",
		"t.conf:1: unexpected token ',', expected KEY = "
		"VALUE, a section or }"},
	    {"\nuser = \"a",
		"t.conf:2: a string is not closed at the end of "
		"the file, expected \""},
	    {"user = 'a\nb'",
		"t.conf:1: a string is not closed on its line, "
		"expected '"},
	    {"user = \"${HOME}\"",
		"t.conf:1: ${ stands in a string, expected "
		"a plain value: environment variables are "
		"not read"},
	    {"user = ${HOME}",
		"t.conf:1: $ stands outside a string, expected "
		"it in quotes"},
	    {"user = *",
		"t.conf:1: * stands outside a string, expected it in "
		"quotes"},
	    {"\n/* c\n",
		"t.conf:2: a comment starts here and never ends, "
		"expected its */"},
	    {"user = \x01",
		"t.conf:1: byte 0x01 is no text, expected a text "
		"file"},
	    {"cluster a {{{{{",
		"t.conf:1: braces nest more than 4 deep, "
		"expected a section or a list"},
	    {"user = a\nuser = b\n",
		"t.conf:2: set twice: 'user', expected each key once"},
	    {"cluster a { etcd = { \"http://a:1\" }\n etcd = { "
	     "\"http://b:1\" } }",
		"t.conf:2: cluster: set twice: 'etcd', expected each key "
		"once"},
	    {"prober { log_level = info }\nprober {\nlog_level = warn }\n",
		"t.conf:3: prober: set twice: 'log_level', expected each key "
		"once"},
	    {MAIN MAIN,
		"t.conf:2: found duplicate title 'main', expected each "
		"name once"},
	    {MAIN WRITE WRITE,
		"t.conf:3: found duplicate title 'write', "
		"expected each name once"},
	    {"",
		"t.conf: no section cluster, expected at least one: cluster "
		"NAME { }"},
	    {MAIN,
		"t.conf: no section listen, expected at least one: listen "
		"NAME { }"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		assert_sentence(t[i].text, t[i].sentence);
}

static void broken_values(void **state)
{
	static const struct {
		const char *text, *sentence;
	} t[] = {
	    {"cluster a {\n}\n" WRITE,
		"t.conf:2: cluster.etcd: missing, "
		"expected http://HOST:PORT or "
		"https://HOST:PORT"},
	    {"cluster a {\n etcd = { \"http://a:1\",\n \"ftp://b:1\" } "
	     "}\n" WRITE,
		"t.conf:3: cluster.etcd: \"ftp://b:1\" is not possible, "
		"expected http://HOST:PORT or https://HOST:PORT"},
	    {MAIN "listen a { target = any\n}\n",
		"t.conf:3: listen.port: missing, expected a whole number from "
		"1 to 65535"},
	    {MAIN "listen a { port = 65536 target = any }\n",
		"t.conf:2: listen.port: \"65536\" is not possible, expected a "
		"whole number from 1 to 65535"},
	    {MAIN "listen a { port = 1 }\n",
		"t.conf:2: listen.target: missing, expected primary, replica, "
		"sync or any"},
	    {MAIN "listen a { port = 1 target = master }\n",
		"t.conf:2: listen.target: \"master\" is not possible, expected "
		"primary, replica, sync or any"},
	    {MAIN "listen a { port = 1 target = any\n cluster = other }\n",
		"t.conf:3: listen.cluster: \"other\" is not possible, expected "
		"the name of a cluster of this file"},
	    {MAIN "cluster b { " ETCD " }\n" WRITE,
		"t.conf:3: listen.cluster: missing, expected the name of one "
		"of the 2 clusters"},
	    {MAIN "listen \"a b\" { port = 1 target = any }\n",
		"t.conf:2: listen: the name \"a b\" is not possible, expected "
		"a name of letters, digits, '.', '_' and '-', at most 63 of "
		"them"},
	    {"agent { stale_after = 4 }\n" MAIN WRITE,
		"t.conf:1: agent.stale_after: \"4\" is not possible, expected "
		"a duration from 1s to 1min, such as 500ms, 3s or 10min"},
	    {"agent { early_hold = 2min }\n" MAIN WRITE,
		"t.conf:1: agent.early_hold: \"2min\" is not possible, "
		"expected a duration from 0s to 1min, such as 500ms, 3s or "
		"10min"},
	    {"agent { hold_max = 4097 }\n" MAIN WRITE,
		"t.conf:1: agent.hold_max: \"4097\" is not possible, expected "
		"a whole number from 0 to 4096"},
	    {"agent { listen = \"tcp:localhost:1\" }\n" MAIN WRITE,
		"t.conf:1: agent.listen: \"tcp:localhost:1\" is not possible, "
		"expected unix:/PATH, tcp:ADDRESS:PORT or tcp:[ADDRESS]:PORT, "
		"the address numeric"},
	    {"prober { http_address = localhost }\n" MAIN WRITE,
		"t.conf:1: prober.http_address: \"localhost\" is not possible, "
		"expected a numeric IPv4 or IPv6 address"},
	    {"prober { feed_socket = feed }\n" MAIN WRITE,
		"t.conf:1: prober.feed_socket: \"feed\" is not possible, "
		"expected an absolute path of at most 107 bytes"},
	    {"user = \"a\\nb\"\n" MAIN WRITE,
		"t.conf:1: user: \"a\\nb\" is not possible, expected a word "
		"without blanks, of at most 63 bytes"},
	    {"cluster a { " ETCD " max_lag = 16 }\n" WRITE,
		"t.conf:1: cluster.max_lag: \"16\" is not possible, expected a "
		"size in B, kB, MB, GB or TB, such as 16MB"},
	    {"cluster a { " ETCD " namespace = \"/\" }\n" WRITE,
		"t.conf:1: cluster.namespace: \"/\" is not possible, expected "
		"a path such as /service"},
	    {"cluster a { " ETCD " server_map = { \"a=b\",\n\"c\" } }\n" WRITE,
		"t.conf:2: cluster.server_map: \"c\" is not possible, expected "
		"MEMBER=SERVER, Patroni's name and HAProxy's (letters, digits, "
		"'.', '_', '-')"},
	    {"agent { plain_tcp_off_loopback = yes }\n" MAIN WRITE,
		"t.conf:1: agent.plain_tcp_off_loopback: \"yes\" is not "
		"possible, expected true or false"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		assert_sentence(t[i].text, t[i].sentence);
}

static void broken_together(void **state)
{
	static const struct {
		const char *text, *sentence;
	} t[] = {
	    {MAIN WRITE "listen b { target = any\nport = 5000 }\n",
		"t.conf:4: listen.port: 5000 is listen write's already, "
		"expected each port once"},
	    {"prober { http_port = 5000 }\n" MAIN WRITE,
		"t.conf:3: listen.port: 5000 is prober.http_port's, expected "
		"another"},
	    {"agent { listen = \"tcp:127.0.0.1:5000\" }\n" MAIN WRITE,
		"t.conf:3: listen.port: 5000 is agent.listen's, expected "
		"another"},
	    {"agent { listen = {\n\"unix:/a\",\n\"tcp:0.0.0.0:9100\" } }\n" MAIN
		    WRITE,
		"t.conf:3: agent.listen: 0.0.0.0 is not a loopback address, "
		"expected one, or agent.plain_tcp_off_loopback = true"},
	    {"agent { listen = { \"unix:/a\",\n\"unix:/a\" } }\n" MAIN WRITE,
		"t.conf:2: agent.listen: /a stands there twice, expected each "
		"address once"},
	    {"agent { desk_socket = \"/run/patroute/feed.sock\" }\n" MAIN WRITE,
		"t.conf:1: agent.desk_socket: /run/patroute/feed.sock is "
		"prober.feed_socket's, expected another"},
	    {"cluster a { " ETCD
	     " silence = 3s\n silence_close = 2s\n}\n" WRITE,
		"t.conf:3: cluster.silence_close: shorter than "
		"cluster.silence, expected at least as long"},
	    {"cluster a { etcd = { \"http://a:1\",\n\"http://a:1\" } }\n" WRITE,
		"t.conf:2: cluster.etcd: a:1 stands there twice, expected each "
		"endpoint once"},
	    {"cluster a { " ETCD
	     "\nserver_map = { \"a=b\",\n\"a=c\" } }\n" WRITE,
		"t.conf:3: cluster.server_map: a stands there twice, expected "
		"each name once"},
	    {"cluster a { " ETCD "\nserver_map = { \"a=c\",\"b=c\" } }\n" WRITE,
		"t.conf:2: cluster.server_map: c stands there twice, expected "
		"each name once"},
	    {"cluster a { " ETCD "\nprobe_passfile = \"/x\" }\n" WRITE,
		"t.conf:2: cluster.probe_passfile: set alone, expected "
		"cluster.probe_user beside it"},
	    {"cluster a { " ETCD " probe_user = u\nprobe_passfile = "
	     "\"/nowhere/x\" }\n" WRITE,
		"t.conf:2: cluster.probe_passfile: /nowhere/x: No such file or "
		"directory, expected a readable file"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		assert_sentence(t[i].text, t[i].sentence);
	conf_free(must_parse("agent { listen = \"tcp:0.0.0.0:9100\"\n"
			     "plain_tcp_off_loopback = true }\n" MAIN WRITE));
}

/* Text of `n` lines, each made by `fmt` from its number. */
static char *many(
    const char *head, const char *fmt, unsigned n, const char *tail)
{
	size_t size = strlen(head) + strlen(tail) + n * 96 + 1, at;
	char *text = malloc(size);

	assert_non_null(text);
	at = (size_t)snprintf(text, size, "%s", head);
	for (unsigned i = 1; i <= n; i++) {
		const char *p = fmt;

		for (; *p != '\0'; p++) {
			if (*p == '@')
				at += (size_t)snprintf(
				    text + at, size - at, "%u", i);
			else
				text[at++] = *p;
		}
	}
	(void)snprintf(text + at, size - at, "%s", tail);
	return text;
}

static void limits(void **state)
{
	static const char map_head[] =
	    "cluster main {\n" ETCD " server_map = {\n";
	char *text;

	(void)state;
	text = many(map_head, "\"a@=b@\",\n", 32, "} }\n" WRITE);
	conf_free(must_parse(text));
	free(text);
	text = many(map_head, "\"a@=b@\",\n", 33, "} }\n" WRITE);
	assert_sentence(text,
	    "t.conf:35: cluster.server_map: 33 values, "
	    "expected at most 32");
	free(text);
	text = many("cluster main { etcd = {\n", "\"http://e:@\",\n", 10,
	    "} }\n" WRITE);
	assert_sentence(
	    text, "t.conf:11: cluster.etcd: 10 values, expected at most 9");
	free(text);
	text = many("", "cluster c@ { " ETCD " }\n", 301, WRITE);
	assert_sentence(
	    text, "t.conf:301: 301 sections cluster, expected at most 300");
	free(text);
	text = many("", "cluster c@ { " ETCD " }\n", 300,
	    "listen a { port = 1 cluster = c300 target = any }\n");
	conf_free(must_parse(text));
	free(text);
	text = many(MAIN, "listen l@ { port = @ target = any }\n", 901, "");
	assert_sentence(
	    text, "t.conf:902: 901 sections listen, expected at most 900");
	free(text);
}

static void a_zero_byte(void **state)
{
	static const char text[] = MAIN "\0" WRITE;
	struct conf_err err;

	(void)state;
	assert_null(
	    conf_parse("t.conf", slice_of(text, sizeof(text) - 1), &err));
	assert_string_equal(
	    err.text, "t.conf: a zero byte in it, expected a text file");
}

static char dir[64];

static void write_file(const char *path, const char *text, unsigned mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, (mode_t)mode), 0);
}

/* faults.md, I-6: a secret that others may read stops the program. */
static void secrets(void **state)
{
	char path[96], text[512], sentence[256];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/pass", dir);
	(void)snprintf(text, sizeof(text),
	    "cluster a { " ETCD
	    " probe_user = u\nprobe_passfile = \"%s\" }\n%s",
	    path, WRITE);
	write_file(path, "*:*:*:*:secret\n", 0600);
	conf_free(must_parse(text));
	for (unsigned mode = 0601; mode <= 0677; mode++) {
		assert_int_equal(chmod(path, (mode_t)mode), 0);
		(void)snprintf(sentence, sizeof(sentence),
		    "t.conf:2: cluster.probe_passfile: %s has mode %04o, "
		    "expected a file that only its owner may read (0600)",
		    path, mode);
		assert_sentence(text, sentence);
	}
	(void)unlink(path);
}

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

/* libconfuse keeps its lexer in globals: an error must not leak into it. */
static void errors_leave_nothing_behind(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		struct conf_err err;

		assert_null(conf_parse("t.conf",
		    slice_str("cluster a { etcd = { \"\\400\""), &err));
		assert_null(
		    conf_parse("t.conf", slice_str("user = \"\\777\""), &err));
		conf_free(must_parse(MAIN WRITE));
	}
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
	    cmocka_unit_test(broken_syntax),
	    cmocka_unit_test(broken_values),
	    cmocka_unit_test(broken_together),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(a_zero_byte),
	    cmocka_unit_test(secrets),
	    cmocka_unit_test(files),
	    cmocka_unit_test(errors_leave_nothing_behind),
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
