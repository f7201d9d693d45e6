/* Members' URLs: one address, or none at all. */
#include "connurl.h"
#include "../common/guard.h"
#include "../common/unit.h"

static const struct {
	const char *url;
	enum connurl_scheme scheme; /* NONE: turned away */
	const char *host;
	uint16_t port;
} urls[] = {
    {"postgres://10.0.0.1:5432/postgres", CONNURL_POSTGRES, "10.0.0.1", 5432},
    {"postgresql://db-1.example:6432", CONNURL_POSTGRES, "db-1.example", 6432},
    {"postgres://10.0.0.1/db", CONNURL_POSTGRES, "10.0.0.1", 5432},
    {"postgres://u@[::1]:5433/db", CONNURL_POSTGRES, "::1", 5433},
    {"postgres://u:p@ss@h_1:1/d?sslmode=x", CONNURL_POSTGRES, "h_1", 1},
    {"http://10.0.0.1:8008/patroni", CONNURL_HTTP, "10.0.0.1", 8008},
    {"https://[2001:db8::2]/patroni", CONNURL_HTTPS, "2001:db8::2", 443},
    {"http://h?x", CONNURL_HTTP, "h", 80},
    {"", CONNURL_NONE, "", 0},
    {"10.0.0.1:5432", CONNURL_NONE, "", 0},
    {"ftp://h/", CONNURL_NONE, "", 0},
    {"postgres://", CONNURL_NONE, "", 0},
    {"postgres:///db", CONNURL_NONE, "", 0},
    {"postgres://a:1,b:2/db", CONNURL_NONE, "", 0},
    {"postgres://a,b/db", CONNURL_NONE, "", 0},
    {"postgres://%2Fvar%2Frun/db", CONNURL_NONE, "", 0},
    {"postgres://h:0/", CONNURL_NONE, "", 0},
    {"postgres://h:65536/", CONNURL_NONE, "", 0},
    {"postgres://h:/", CONNURL_NONE, "", 0},
    {"postgres://h:5432x/", CONNURL_NONE, "", 0},
    {"postgres://[::1/", CONNURL_NONE, "", 0},
    {"postgres://[]:1/", CONNURL_NONE, "", 0},
    {"postgres://[::1]x/", CONNURL_NONE, "", 0},
    {"postgres://::1:5432/", CONNURL_NONE, "", 0},
    {"http://h\n/", CONNURL_NONE, "", 0},
    {"http://h st/", CONNURL_NONE, "", 0},
};

static void test_urls(void **state)
{
	struct guard g = guard_new(256);
	struct connurl url;

	(void)state;
	for (size_t i = 0; i < COUNT(urls); i++) {
		struct slice s =
		    guard_put(&g, urls[i].url, strlen(urls[i].url));
		bool ok = connurl_parse(s, &url);

		assert_int_equal(ok, urls[i].scheme != CONNURL_NONE);
		assert_int_equal(url.scheme, urls[i].scheme);
		assert_string_equal(url.host, urls[i].host);
		assert_int_equal(url.port, urls[i].port);
	}
	guard_free(&g);
}

static void test_prefixes(void **state)
{
	struct guard g = guard_new(256);
	struct connurl url;

	(void)state;
	for (size_t i = 0; i < COUNT(urls); i++)
		for (size_t n = 0; n <= strlen(urls[i].url); n++)
			if (!connurl_parse(guard_put(&g, urls[i].url, n), &url))
				assert_int_equal(url.port, 0);
	guard_free(&g);
}

static void test_long_host(void **state)
{
	char text[16 + LIM_ADDR + 8] = "http://";
	struct connurl url;

	(void)state;
	memset(text + 7, 'a', LIM_ADDR);
	text[7 + LIM_ADDR - 1] = '\0';
	assert_true(connurl_parse(slice_str(text), &url));
	text[7 + LIM_ADDR - 1] = 'a';
	text[7 + LIM_ADDR] = '\0';
	assert_false(connurl_parse(slice_str(text), &url));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_urls),
	    cmocka_unit_test(test_prefixes),
	    cmocka_unit_test(test_long_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
