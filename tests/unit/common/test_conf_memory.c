/*
 * libconfuse takes memory to look a section or a key up, and without it says
 * that there is none: that is refused, and becomes no default.
 */
#include "unit.h"

#include <confuse.h>
#include <string.h>

#include "conf_text.h"

/* The linker puts these in front of libconfuse's. */
cfg_opt_t *__real_cfg_getopt(cfg_t *cfg, const char *name);
cfg_opt_t *__wrap_cfg_getopt(cfg_t *cfg, const char *name);
cfg_t *__real_cfg_getsec(cfg_t *cfg, const char *name);
cfg_t *__wrap_cfg_getsec(cfg_t *cfg, const char *name);
cfg_t *__real_cfg_getnsec(cfg_t *cfg, const char *name, unsigned int i);
cfg_t *__wrap_cfg_getnsec(cfg_t *cfg, const char *name, unsigned int i);
unsigned int __real_cfg_size(cfg_t *cfg, const char *name);
unsigned int __wrap_cfg_size(cfg_t *cfg, const char *name);

static unsigned asked, missing; /* which of the look-ups finds nothing */

static bool is_missing(void)
{
	return ++asked == missing;
}

cfg_opt_t *__wrap_cfg_getopt(cfg_t *cfg, const char *name)
{
	return is_missing() ? NULL : __real_cfg_getopt(cfg, name);
}

cfg_t *__wrap_cfg_getsec(cfg_t *cfg, const char *name)
{
	return is_missing() ? NULL : __real_cfg_getsec(cfg, name);
}

cfg_t *__wrap_cfg_getnsec(cfg_t *cfg, const char *name, unsigned int i)
{
	return is_missing() ? NULL : __real_cfg_getnsec(cfg, name, i);
}

unsigned int __wrap_cfg_size(cfg_t *cfg, const char *name)
{
	return is_missing() ? 0 : __real_cfg_size(cfg, name);
}

static struct conf *parse(unsigned which, struct conf_err *err)
{
	static const char text[] =
	    "user = me\n"
	    "cluster a { " ETCD " fence = 1min read_fallback = none\n"
	    " namespace = \"/db\" silence = 3s probe_user = u }\n"
	    "listen w { port = 5000 target = primary }\n"
	    "listen r { port = 5001 target = replica fallback = primary\n"
	    " hold_max = 3 }\n"
	    "prober { http_port = 7101 }\n"
	    "agent { stale_after = 5s listen = \"unix:/a\" }\n";

	asked = 0;
	missing = which;
	return conf_parse("t.conf", slice_str(text), err);
}

static bool is_same(const struct conf *a, const struct conf *b)
{
	return a->cluster_n == b->cluster_n && a->listen_n == b->listen_n &&
	    strcmp(a->user, b->user) == 0 &&
	    memcmp(a->cluster, b->cluster,
		a->cluster_n * sizeof(*a->cluster)) == 0 &&
	    memcmp(a->listen, b->listen, a->listen_n * sizeof(*a->listen)) ==
	    0 &&
	    memcmp(&a->prober, &b->prober, sizeof(a->prober)) == 0 &&
	    memcmp(&a->agent, &b->agent, sizeof(a->agent)) == 0;
}

static void a_lookup_without_memory_is_no_default(void **state)
{
	struct conf_err err;
	struct conf *whole = parse(0, &err), *c;
	unsigned n = asked, refused = 0;

	(void)state;
	assert_non_null(whole);
	assert_true(n > 100);
	for (unsigned i = 1; i <= n; i++) {
		c = parse(i, &err);
		if (c == NULL) {
			assert_int_equal(strncmp(err.text, "t.conf:", 7), 0);
			refused++;
			continue;
		}
		if (!is_same(c, whole))
			fail_msg("look-up %u: other than it is written", i);
		conf_free(c);
	}
	assert_true(refused > n / 2);
	conf_free(whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_lookup_without_memory_is_no_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
