/* What is wrong in patroute.conf is said in one sentence, and stops it. */
#include "unit.h"

#include <unistd.h>

#include "conf_text.h"

struct wrong {
	const char *text, *sentence;
};

static void assert_sentences(const struct wrong *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_sentence(t[i].text, t[i].sentence);
}

/* Each is one sentence: file, line, key, what was expected. */
static void broken_syntax(void **state)
{
	static const struct wrong t[] = {
	    {"x = 1\n",
		"t.conf:1: no such option 'x', expected user, group, "
		"cluster, listen, prober, agent, vip, haproxy"},
	    {"# a\n# b\n/* c\n */\n// d\nlisten a {\n\tprot = 1\n}\n",
		"t.conf:7: listen: no such option 'prot', expected port, "
		"cluster, target, startup_options, max_lag, fallback, "
		"hold_timeout, hold_max, bind, maxconn, "
		"least_conn, extra"},
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
	    {"user = a \"b\\nc\\x7f\"",
		"t.conf:1: no such option 'b?c?', expected user, group, "
		"cluster, listen, prober, agent, vip, haproxy"},
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
	};

	(void)state;
	assert_sentences(t, COUNT(t));
}

static void twice_or_not_at_all(void **state)
{
	static const struct wrong t[] = {
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
	assert_sentences(t, COUNT(t));
}

static void broken_values(void **state)
{
	static const struct wrong t[] = {
	    {"cluster a {\n}\n" WRITE,
		"t.conf:2: cluster.etcd: missing, "
		"expected http://HOST:PORT or "
		"https://HOST:PORT, or cluster.patroni in its place"},
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
		"a duration from 3s to 1min, such as 500ms, 3s or 10min"},
	    {"agent { early_hold = 2min }\n" MAIN WRITE,
		"t.conf:1: agent.early_hold: \"2min\" is not possible, "
		"expected a duration from 0s to 1min, such as 500ms, 3s or "
		"10min"},
	    {"agent { hold_max = 4097 }\n" MAIN WRITE,
		"t.conf:1: agent.hold_max: \"4097\" is not possible, expected "
		"a whole number from 0 to 4096"},
	    {"agent { listen = \"tcp:localhost:1\" }\n" MAIN WRITE,
		"t.conf:1: agent.listen: \"tcp:localhost:1\" is not possible, "
		"expected unix:/PATH, tcp:ADDRESS:PORT or tls:ADDRESS:PORT, "
		"the address numeric (IPv6 in brackets)"},
	    {"prober { http_address = localhost }\n" MAIN WRITE,
		"t.conf:1: prober.http_address: \"localhost\" is not possible, "
		"expected a numeric IPv4 or IPv6 address"},
	    {"prober { feed_socket = feed }\n" MAIN WRITE,
		"t.conf:1: prober.feed_socket: \"feed\" is not possible, "
		"expected an absolute path of at most 107 bytes"},
	    {"user = \"a\\nb\"\n" MAIN WRITE,
		"t.conf:1: user: \"a\\nb\" is not possible, expected a word "
		"without blanks, of at most 63 bytes"},
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
	assert_sentences(t, COUNT(t));
}

static void broken_lags(void **state)
{
	static const char *const lags[] = {"16", "", " 16MB", "16 MB", "1s 2s",
	    "1MB 2MB", "1MB 2min", "1d", "16MB,500ms", "1MB 1s 1s", "-1s"};

	(void)state;
	for (size_t i = 0; i < COUNT(lags); i++) {
		char text[256], sentence[256];

		(void)snprintf(text, sizeof(text),
		    "cluster a { " ETCD " max_lag = \"%s\" }\n" WRITE, lags[i]);
		(void)snprintf(sentence, sizeof(sentence),
		    "t.conf:1: cluster.max_lag: \"%s\" is not possible, "
		    "expected a size in B, kB, MB, GB or TB, a duration of at "
		    "most 1min, or both: 16MB, 500ms, \"16MB 500ms\"",
		    lags[i]);
		assert_sentence(text, sentence);
	}
}

static void broken_together(void **state)
{
	static const struct wrong t[] = {
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
		"expected one, tls:, or agent.plain_tcp_off_loopback = true"},
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
	    {"cluster a { " ETCD " rest_ca = \"/\" }\n" WRITE,
		"t.conf:1: cluster.rest_ca: / is no regular file, expected "
		"one"},
	    {"cluster a { " ETCD "\nrest_cert = \"/x\" }\n" WRITE,
		"t.conf:2: cluster.rest_cert: set alone, expected "
		"cluster.rest_key beside it"},
	    {"cluster a { " ETCD "\nprobe_address = \":1\" }\n" WRITE,
		"t.conf:2: cluster.probe_address: set alone, expected "
		"cluster.probe_user beside it"},
	    {"cluster a { " ETCD
	     "\nprobe_user = u probe_sslmode = verify-full }\n" WRITE,
		"t.conf:2: cluster.probe_sslmode: set alone, expected "
		"cluster.probe_sslrootcert beside it"},
	    {"cluster a { patroni = {\n\"http://a:1\", \"http://a:1\" } "
	     "}\n" WRITE,
		"t.conf:2: cluster.patroni: a:1 stands there twice, expected "
		"each endpoint once"},
	    {"cluster a { " ETCD " probe_user = u\nprobe_address = "
	     "\"h:1\" }\n" WRITE,
		"t.conf:2: cluster.probe_address: \"h:1\" is not possible, "
		"expected :PORT for each member, MEMBER=:PORT or "
		"MEMBER=HOST:PORT"},
	    {"cluster a { " ETCD " probe_user = u probe_address = {\n"
	     "\"a=:1\", \"a=b:1\" } }\n" WRITE,
		"t.conf:2: cluster.probe_address: a stands there twice, "
		"expected each member once"},
	};

	(void)state;
	assert_sentences(t, COUNT(t));
	conf_free(must_parse("agent { listen = \"tcp:0.0.0.0:9100\"\n"
			     "plain_tcp_off_loopback = true }\n" MAIN WRITE));
}

static void broken_etcd(void **state)
{
	static const struct wrong t[] = {
	    {"cluster a { " ETCD "\netcd_api = v4 }\n" WRITE,
		"t.conf:2: cluster.etcd_api: \"v4\" is not possible, expected "
		"auto, v2 or v3"},
	    {"cluster a {\n" ETCD "\netcd_ca = \"/x\" }\n" WRITE,
		"t.conf:2: cluster.etcd: e:2379 is http://, expected https:// "
		"beside cluster.etcd_ca or cluster.etcd_cert"},
	    /* One that is well says nothing of the others. */
	    {"cluster a {\netcd = { \"https://g:1\", \"http://h:1\" }\n"
	     "etcd_ca = \"/x\" }\n" WRITE,
		"t.conf:2: cluster.etcd: h:1 is http://, expected https:// "
		"beside cluster.etcd_ca or cluster.etcd_cert"},
	    {"cluster a { etcd = { \"https://h:1\" }\netcd_cert = \"/x\" "
	     "}\n" WRITE,
		"t.conf:2: cluster.etcd_cert: set alone, expected "
		"cluster.etcd_key beside it"},
	    {"cluster a { " ETCD "\netcd_auth = \"/nowhere/x\" }\n" WRITE,
		"t.conf:2: cluster.etcd_auth: /nowhere/x: No such file or "
		"directory, expected a readable file"},
	};

	(void)state;
	assert_sentences(t, COUNT(t));
}

/* Below these a lost answer would change a verdict. */
static void ages_too_low(void **state)
{
	static const struct wrong t[] = {
	    {"agent { stale_after = 2999ms }\n" MAIN WRITE,
		"t.conf:1: agent.stale_after: \"2999ms\" is not possible, "
		"expected a duration from 3s to 1min, such as 500ms, 3s or "
		"10min"},
	    {"cluster a { " ETCD " silence = 1999ms }\n" WRITE,
		"t.conf:1: cluster.silence: \"1999ms\" is not possible, "
		"expected a duration from 2s to 1min, such as 500ms, 3s or "
		"10min"},
	    {"cluster a { " ETCD " max_age_sql = 1999ms }\n" WRITE,
		"t.conf:1: cluster.max_age_sql: \"1999ms\" is not possible, "
		"expected a duration from 2s to 1min, such as 500ms, 3s or "
		"10min"},
	    {"cluster a { " ETCD " max_age_rest = 1999ms }\n" WRITE,
		"t.conf:1: cluster.max_age_rest: \"1999ms\" is not possible, "
		"expected a duration from 2s to 1min, such as 500ms, 3s or "
		"10min"},
	    {"cluster a { " ETCD " max_age_dcs = 2499ms }\n" WRITE,
		"t.conf:1: cluster.max_age_dcs: \"2499ms\" is not possible, "
		"expected a duration from 2500ms to 1min, such as 500ms, 3s "
		"or 10min"},
	};

	(void)state;
	assert_sentences(t, COUNT(t));
}

static void broken_tls(void **state)
{
	(void)state;
	assert_sentence("agent { listen = {\n\"tls:0.0.0.0:9100\" }\n"
			"tls_cert = \"/a\" }\n" MAIN WRITE,
	    "t.conf:2: agent.listen: tls: alone, expected agent.tls_cert, "
	    "agent.tls_key and agent.tls_ca beside it");
	assert_sentence("agent {\n tls_ca = \"/nowhere/ca\" }\n" MAIN WRITE,
	    "t.conf:2: agent.tls_ca: /nowhere/ca: No such file or directory, "
	    "expected a readable file");
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

/* A secret that others may read stops the program. */
static void secrets(void **state)
{
	char path[] = "/tmp/patroute-pass-XXXXXX";
	char text[512], sentence[256];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd != -1);
	(void)close(fd);
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

static void broken_pairs(void **state)
{
	static const char *const keys[] = {"etcd_auth", "rest_auth"};
	static const struct {
		const char *content;
		bool good;
	} t[] = {{"u:p", true}, {"u:p\n", true}, {"u:p:q\r\n", true},
	    {"", false}, {"\n", false}, {"u\n", false}, {"u\np:q\n", false},
	    {"u:p\nv:q\n", false}};
	char path[] = "/tmp/patroute-auth-XXXXXX";
	char text[512], sentence[256];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd != -1);
	(void)close(fd);
	for (size_t i = 0; i < COUNT(t) * COUNT(keys); i++) {
		const char *key = keys[i % COUNT(keys)];

		write_file(path, t[i / COUNT(keys)].content, 0600);
		(void)snprintf(text, sizeof(text),
		    "cluster a { " ETCD "\n%s = \"%s\" }\n%s", key, path,
		    WRITE);
		(void)snprintf(sentence, sizeof(sentence),
		    "t.conf:2: cluster.%s: %s is not possible, expected one "
		    "line USER:PASSWORD",
		    key, path);
		if (t[i / COUNT(keys)].good)
			conf_free(must_parse(text));
		else
			assert_sentence(text, sentence);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(broken_syntax),
	    cmocka_unit_test(twice_or_not_at_all),
	    cmocka_unit_test(broken_values),
	    cmocka_unit_test(broken_lags),
	    cmocka_unit_test(broken_together),
	    cmocka_unit_test(broken_etcd),
	    cmocka_unit_test(ages_too_low),
	    cmocka_unit_test(broken_tls),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(a_zero_byte),
	    cmocka_unit_test(secrets),
	    cmocka_unit_test(broken_pairs),
	    cmocka_unit_test(errors_leave_nothing_behind),
	};

	return cmocka_run_group_tests_name("conf_broken", tests, NULL, NULL);
}
