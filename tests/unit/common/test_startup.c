/* First bytes of a connection: what they ask for, and what is not trusted. */
#include "unit.h"

#include "guard.h"
#include "startup.h"

static struct guard guard;
static const struct intent listener = {.listen = 2,
    .want = INTENT_REPLICA,
    .flags = INTENT_F_FALLBACK | INTENT_F_CHOOSE,
    .max_lag_bytes = UINT64_MAX,
    .max_lag_ms = UINT32_MAX};

struct packet {
	unsigned char b[12000];
	size_t len;
};

static void put_be32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* `params` holds NUL-separated names and values, `n` bytes of them. */
static struct packet make(uint32_t code, const char *params, size_t n)
{
	struct packet p = {.len = 8 + n};

	memcpy(p.b + 8, params, n);
	put_be32(p.b, (uint32_t)p.len);
	put_be32(p.b + 4, code);
	return p;
}

#define STARTUP(params) make(196608, params "\0", sizeof(params "\0"))
/* A string literal ends with a NUL of its own: the packet's terminator. */
#define OPTIONS(text) STARTUP("user\0me\0options\0" text)

static enum startup_rc parse(const struct packet *p, struct intent *it)
{
	size_t n = p->len < LIM_STARTUP ? p->len : LIM_STARTUP;

	*it = listener;
	return startup_parse(guard_put(&guard, p->b, n), it);
}

static void assert_listener(const struct intent *it)
{
	assert_memory_equal(it, &listener, sizeof(*it));
}

static void plain_startup(void **state)
{
	struct packet p = STARTUP("user\0me\0database\0db");
	struct intent it;

	(void)state;
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	assert_listener(&it);
	put_be32(p.b + 4, 196610); /* protocol 3.2 */
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	put_be32(p.b + 4, 131072); /* protocol 2 */
	assert_int_equal(parse(&p, &it), STARTUP_BAD);
	assert_listener(&it);
}

static void targets(void **state)
{
	static const struct {
		const char *text;
		enum startup_rc rc;
		uint8_t want;
	} t[] = {
	    {"-c patroute.target=primary", STARTUP_OK, INTENT_PRIMARY},
	    {"-c patroute.target=replica", STARTUP_OK, INTENT_REPLICA},
	    {"-c patroute.target=sync", STARTUP_OK, INTENT_SYNC},
	    {"-c patroute.target=any", STARTUP_OK, INTENT_ANY},
	    {"-cpatroute.target=primary", STARTUP_OK, INTENT_PRIMARY},
	    {"--patroute.target=primary", STARTUP_OK, INTENT_PRIMARY},
	    {"--PatRoute.Target=primary", STARTUP_OK, INTENT_PRIMARY},
	    {"  -c\t\tpatroute.target=any ", STARTUP_OK, INTENT_ANY},
	    {"-c patroute.target=any -c patroute.target=primary", STARTUP_OK,
		INTENT_PRIMARY},
	    {"-c search_path=a -c patroute.target=any", STARTUP_OK, INTENT_ANY},
	    {"-c search_path=a\\ b\\\\ -c patroute.target=any", STARTUP_OK,
		INTENT_ANY},
	    {"-c patroute.tar\\get=primary", STARTUP_OK, INTENT_PRIMARY},
	    {"-e -c patroute.target=any", STARTUP_OK, INTENT_ANY},
	    {"-ec patroute.target=any", STARTUP_OK, INTENT_ANY},
	    {"-B 16 -c patroute.target=any", STARTUP_OK, INTENT_ANY},
	    {"-B16 -c patroute.target=any", STARTUP_OK, INTENT_ANY},
	    {"-c x.target=primary", STARTUP_OK, INTENT_REPLICA},
	    {"-c patroutex.target=primary", STARTUP_OK, INTENT_REPLICA},
	    {"-c x=patroute.target=primary", STARTUP_OK, INTENT_REPLICA},
	    {"-c x=\\ -c\\ patroute.target=primary", STARTUP_OK,
		INTENT_REPLICA},
	    {"", STARTUP_OK, INTENT_REPLICA},
	    {"   ", STARTUP_OK, INTENT_REPLICA},
	    /* What the server would refuse, or we do not know. */
	    {"patroute.target=primary", STARTUP_BAD, 0},
	    {"-c", STARTUP_BAD, 0},
	    {"-c patroute.target", STARTUP_BAD, 0},
	    {"-c patroute.target=", STARTUP_BAD, 0},
	    {"-c patroute.target=Primary", STARTUP_BAD, 0},
	    {"-c patroute.target=primary\\ ", STARTUP_BAD, 0},
	    {"-c patroute.target=master", STARTUP_BAD, 0},
	    {"-c patroute.traget=primary", STARTUP_BAD, 0},
	    {"-c patroute.target=primary -c patroute.max_lag=16", STARTUP_BAD,
		0},
	    {"-c patroute.target=primary -q", STARTUP_BAD, 0},
	    {"-c patroute.target=primary x", STARTUP_BAD, 0},
	    {"-", STARTUP_BAD, 0},
	    {"-- -c patroute.target=any", STARTUP_BAD, 0},
	    {"-c patroute.target=any -- x", STARTUP_BAD, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		char params[256] = "options";
		size_t n = strlen(t[i].text);
		struct packet p;
		struct intent it;

		memcpy(params + 8, t[i].text, n);
		p = make(196608, params, 8 + n + 2);
		if (parse(&p, &it) != t[i].rc)
			fail_msg("\"%s\"", t[i].text);
		if (t[i].rc == STARTUP_BAD)
			assert_listener(&it);
		else if (it.want != t[i].want)
			fail_msg("\"%s\"", t[i].text);
	}
}

static void bounds(void **state)
{
	struct packet p = OPTIONS("-c patroute.max_lag=16MB "
				  "-c patroute.min_lsn=0/404DF60");
	struct intent it;

	(void)state;
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	assert_int_equal(it.max_lag_bytes, 16777216);
	assert_int_equal(it.max_lag_ms, UINT32_MAX);
	assert_int_equal(it.min_lsn, 0x404DF60);
	assert_int_equal(it.want, INTENT_REPLICA);
	assert_int_equal(it.flags, listener.flags | INTENT_F_OPTIONS);
	p = OPTIONS("-c patroute.max_lag=500ms");
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	assert_true(it.max_lag_bytes == UINT64_MAX);
	assert_int_equal(it.max_lag_ms, 500);
	p = OPTIONS("-c patroute.max_lag=500ms -c patroute.max_lag=1kB");
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	assert_int_equal(it.max_lag_bytes, 1024);
	assert_int_equal(it.max_lag_ms, 500);
	p = OPTIONS("-c patroute.max_lag=50d"); /* above UINT32_MAX ms */
	assert_int_equal(parse(&p, &it), STARTUP_BAD);
	p = OPTIONS("-c patroute.min_lsn=404DF60");
	assert_int_equal(parse(&p, &it), STARTUP_BAD);
	assert_listener(&it);
}

/* As drivers send what they take for a setting of the server. */
static void settings_of_their_own(void **state)
{
	struct packet p = STARTUP("user\0me\0patroute.target\0primary\0"
				  "patroute.max_lag\0001kB");
	struct intent it;

	(void)state;
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	assert_int_equal(it.want, INTENT_PRIMARY);
	assert_int_equal(it.max_lag_bytes, 1024);
	assert_int_equal(it.flags, listener.flags | INTENT_F_OPTIONS);
	p = STARTUP("Patroute.Target\0primary\0application_name\0"
		    "a/read_replica");
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	assert_int_equal(it.want, INTENT_PRIMARY);
	p = STARTUP("patroute.target\0primary\0patroute.lag\0001kB");
	assert_int_equal(parse(&p, &it), STARTUP_BAD);
	assert_listener(&it);
	p = STARTUP("patroute.target\0");
	assert_int_equal(parse(&p, &it), STARTUP_BAD);
}

static void application_name(void **state)
{
	struct packet p = STARTUP("application_name\0app/read_primary");
	struct intent it;

	(void)state;
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	assert_int_equal(it.want, INTENT_PRIMARY);
	assert_int_equal(it.flags, listener.flags | INTENT_F_OPTIONS);
	p = STARTUP("application_name\0/read_replica");
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	assert_int_equal(it.want, INTENT_REPLICA);
	p = STARTUP("application_name\0app/read_primary2");
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	assert_listener(&it);
	/* Options beat the name, wherever they stand. */
	p = STARTUP("options\0-c patroute.target=sync\0"
		    "application_name\0a/read_primary");
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	assert_int_equal(it.want, INTENT_SYNC);
	p = STARTUP("application_name\0a/read_primary\0"
		    "options\0-c patroute.target=sync");
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	assert_int_equal(it.want, INTENT_SYNC);
}

static void a_listener_that_does_not_ask(void **state)
{
	struct packet p = OPTIONS("-c patroute.target=primary");
	struct intent it = listener;

	(void)state;
	it.flags = INTENT_F_FALLBACK;
	assert_int_equal(startup_parse(slice_of(p.b, p.len), &it), STARTUP_OK);
	assert_int_equal(it.want, INTENT_REPLICA);
	assert_int_equal(it.flags, INTENT_F_FALLBACK);
	p = OPTIONS("-c patroute.target=nonsense");
	assert_int_equal(startup_parse(slice_of(p.b, p.len), &it), STARTUP_OK);
	p = STARTUP("replication\0true");
	assert_int_equal(startup_parse(slice_of(p.b, p.len), &it), STARTUP_OK);
	assert_int_equal(it.flags, INTENT_F_FALLBACK | INTENT_F_REPLICATION);
}

static void replication(void **state)
{
	static const struct {
		const char *value;
		bool is;
	} t[] = {{"true", true}, {"database", true}, {"on", true}, {"1", true},
	    {"yes", true}, {"t", true}, {"Y", true}, {"TRUE", true},
	    {"false", false}, {"off", false}, {"0", false}, {"no", false},
	    {"o", false}, {"", false}, {"truer", false}, {"11", false},
	    {"Database", false}};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		char params[64] = "replication";
		size_t n = strlen(t[i].value);
		struct packet p;
		struct intent it;

		memcpy(params + 12, t[i].value, n);
		p = make(196608, params, 12 + n + 2);
		assert_int_equal(parse(&p, &it), STARTUP_OK);
		if (((it.flags & INTENT_F_REPLICATION) != 0) != t[i].is)
			fail_msg("\"%s\"", t[i].value);
	}
}

static void special_requests(void **state)
{
	static const struct {
		uint32_t length, code;
		enum startup_rc rc;
		uint8_t flag;
	} t[] = {
	    {8, 80877103, STARTUP_OK, INTENT_F_TLS},
	    {8, 80877104, STARTUP_OK, INTENT_F_TLS},
	    {9, 80877103, STARTUP_BAD, 0},
	    {16, 80877102, STARTUP_OK, INTENT_F_CANCEL},
	    {268, 80877102, STARTUP_OK, INTENT_F_CANCEL},
	    {7, 80877102, STARTUP_BAD, 0}, {7, 196608, STARTUP_BAD, 0},
	    {10001, 196608, STARTUP_BAD, 0}, {0, 0, STARTUP_BAD, 0},
	    {UINT32_MAX, UINT32_MAX, STARTUP_BAD, 0},
	    {8, 80877105, STARTUP_BAD, 0},
	    {8, 196608, STARTUP_BAD, 0}, /* no terminator */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct packet p = {.len = 8};
		struct intent it;

		put_be32(p.b, t[i].length);
		put_be32(p.b + 4, t[i].code);
		if (parse(&p, &it) != t[i].rc)
			fail_msg("line %zu", i);
		assert_int_equal(it.flags, listener.flags | t[i].flag);
	}
}

static void not_postgresql(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum startup_rc rc;
		uint8_t flag;
	} t[] = {
	    {"\x16\x03\x01\x02", 4, STARTUP_OK, INTENT_F_TLS},
	    {"\x16\x03", 2, STARTUP_OK, INTENT_F_TLS},
	    {"\x16", 1, STARTUP_MORE, 0},
	    {"\x16\x04\0\0\0\0\0\0", 8, STARTUP_BAD, 0},
	    {"GET / HTTP/1.1", 14, STARTUP_OK, INTENT_F_HTTP},
	    {"GET ", 4, STARTUP_OK, INTENT_F_HTTP},
	    {"GET", 3, STARTUP_MORE, 0},
	    {"GETTING1", 8, STARTUP_BAD, 0},
	    {"POST / HTTP/1.1", 15, STARTUP_BAD, 0},
	    {"", 0, STARTUP_MORE, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct intent it = listener;

		if (startup_parse(guard_put(&guard, t[i].bytes, t[i].len),
			&it) != t[i].rc)
			fail_msg("line %zu", i);
		assert_int_equal(it.flags, listener.flags | t[i].flag);
	}
}

static void every_prefix(void **state)
{
	struct packet p =
	    STARTUP("user\0me\0options\0-c patroute.target=primary\0"
		    "application_name\0x/read_primary");
	struct intent it;

	(void)state;
	for (size_t i = 0; i < p.len; i++) {
		it = listener;
		assert_int_equal(startup_parse(guard_put(&guard, p.b, i), &it),
		    STARTUP_MORE);
		assert_listener(&it);
	}
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	assert_int_equal(it.want, INTENT_PRIMARY);
}

/* What follows a whole packet is the client's affair. */
static void more_than_a_packet(void **state)
{
	struct packet p = OPTIONS("-c patroute.target=primary");
	struct intent it;

	(void)state;
	memset(p.b + p.len, 'x', 100);
	p.len += 100;
	assert_int_equal(parse(&p, &it), STARTUP_OK);
	assert_int_equal(it.want, INTENT_PRIMARY);
}

static void layout_errors(void **state)
{
	struct packet p = STARTUP("user\0me");
	struct intent it;

	(void)state;
	put_be32(p.b, (uint32_t)p.len - 1); /* the terminator is cut off */
	assert_int_equal(parse(&p, &it), STARTUP_BAD);
	p = STARTUP("user\0me\0\0extra"); /* an empty name in the middle */
	assert_int_equal(parse(&p, &it), STARTUP_BAD);
	p = make(196608, "user\0me", 7); /* a value that does not end */
	assert_int_equal(parse(&p, &it), STARTUP_BAD);
	p = make(196608, "user", 4);
	assert_int_equal(parse(&p, &it), STARTUP_BAD);
	assert_listener(&it);
}

/* A packet longer than what HAProxy passes, with our option at each place. */
static void long_packets(void **state)
{
	static const char opt[] = "options\0-c patroute.target=primary";
	static char params[9000];
	struct intent it;

	(void)state;
	for (size_t at = 0; at < 2000; at++) {
		struct packet p;
		/* A parameter of exactly `at` bytes before it, if any. */
		size_t pad = at < 4 ? 0 : at;
		bool whole = 8 + pad + sizeof(opt) <= LIM_STARTUP;

		memset(params, 'v', sizeof(params));
		if (pad > 0) {
			params[1] = '\0';
			params[pad - 1] = '\0';
		}
		memcpy(params + pad, opt, sizeof(opt));
		params[sizeof(params) - 2] = params[sizeof(params) - 1] = '\0';
		params[pad + sizeof(opt) + 1] = '\0';
		p = make(196608, params, sizeof(params));
		if (parse(&p, &it) != STARTUP_OK)
			fail_msg("at %zu", at);
		if (it.want != (whole ? INTENT_PRIMARY : INTENT_REPLICA))
			fail_msg("at %zu", at);
	}
}

static void server_names(void **state)
{
	static const struct {
		const char *name;
		uint8_t want;
	} t[] = {{"primary.db.example.org", INTENT_PRIMARY},
	    {"sync.db", INTENT_SYNC}, {"any.", INTENT_ANY},
	    {"PRIMARY.DB.EXAMPLE.ORG", INTENT_PRIMARY}, {"Any.", INTENT_ANY},
	    {"primarys.db", INTENT_REPLICA},
	    {"primaryprimary.", INTENT_REPLICA},
	    {"p\x12imary.", INTENT_REPLICA}, {"primary", INTENT_REPLICA},
	    {"db.primary.org", INTENT_REPLICA}, {".primary", INTENT_REPLICA},
	    {"", INTENT_REPLICA}};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct intent it = listener;

		startup_sni(
		    guard_put(&guard, t[i].name, strlen(t[i].name)), &it);
		assert_int_equal(it.want, t[i].want);
		it = listener;
		it.flags = 0;
		startup_sni(slice_str(t[i].name), &it);
		assert_int_equal(it.want, INTENT_REPLICA);
		assert_int_equal(it.flags, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_startup),
	    cmocka_unit_test(targets),
	    cmocka_unit_test(bounds),
	    cmocka_unit_test(settings_of_their_own),
	    cmocka_unit_test(application_name),
	    cmocka_unit_test(a_listener_that_does_not_ask),
	    cmocka_unit_test(replication),
	    cmocka_unit_test(special_requests),
	    cmocka_unit_test(not_postgresql),
	    cmocka_unit_test(every_prefix),
	    cmocka_unit_test(more_than_a_packet),
	    cmocka_unit_test(layout_errors),
	    cmocka_unit_test(long_packets),
	    cmocka_unit_test(server_names),
	};
	int rc;

	guard = guard_new(16384);
	rc = cmocka_run_group_tests_name("startup", tests, NULL, NULL);
	guard_free(&guard);
	return rc;
}
