/* What Patroni's REST API is shown: files read once, a line of base64. */
#include "../common/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "creds.h"

static void basic(void **state)
{
	/* RFC 4648, 10, and RFC 7617, 2. */
	static const struct {
		const char *pair, *line;
	} t[] = {
	    {"Aladdin:open sesame",
		"Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
	    {"f:", "Authorization: Basic Zjo="},
	    {"a:b", "Authorization: Basic YTpi"},
	    {":\xc3\xbc\xff", "Authorization: Basic OsO8/w=="},
	};
	static const char *const bad[] = {"", "nocolon", "a:b\nX: y"};
	char out[LIM_TEXT * 2], lengthy[LIM_TEXT + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		assert_true(creds_basic(slice_str(t[i].pair), out));
		assert_string_equal(out, t[i].line);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_false(creds_basic(slice_str(bad[i]), out));
		assert_string_equal(out, "");
	}
	memset(lengthy, ':', sizeof(lengthy));
	assert_true(creds_basic(slice_of(lengthy, LIM_TEXT - 1), out));
	assert_false(creds_basic(slice_of(lengthy, LIM_TEXT), out));
}

static void files(void **state)
{
	struct conf_cluster conf = {0};
	struct creds c;
	char dir[] = "/tmp/patroute-creds-XXXXXX";
	FILE *f;

	(void)state;
	assert_true(creds_read(&conf, &c));
	assert_null(creds_auth(&c));
	assert_int_equal(c.pem.ca.len, 0);
	creds_free(&c);
	assert_non_null(mkdtemp(dir));
	(void)snprintf(conf.rest_auth, sizeof(conf.rest_auth), "%s/a", dir);
	assert_false(creds_read(&conf, &c));
	creds_free(&c);
	f = fopen(conf.rest_auth, "w");
	assert_non_null(f);
	assert_true(fputs("a:b\r\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	memcpy(conf.rest_ca, conf.rest_auth, sizeof(conf.rest_ca));
	assert_true(creds_read(&conf, &c));
	assert_string_equal(creds_auth(&c), "Authorization: Basic YTpi");
	assert_true(is_slice_eq(c.pem.ca, "a:b\r\n"));
	creds_free(&c);
	/* An empty file is no certificate: nothing is left out in silence. */
	f = fopen(conf.rest_auth, "w");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
	assert_false(creds_read(&conf, &c));
	creds_free(&c);
	assert_int_equal(unlink(conf.rest_auth), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(basic),
	    cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
