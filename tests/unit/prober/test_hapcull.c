/*
 * test_hapcull.c - whose sessions policy ends, of two clusters; what cluster.c
 * says of them is said here instead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app.h"
#include "cluster.h"
#include "hapcull.h"

static bool usable[2];

bool is_cluster_usable(struct cluster *c, struct mono now)
{
	(void)now;
	return usable[c->index];
}

const struct snapshot *cluster_snapshot(const struct cluster *c)
{
	return &c->snap;
}

/* "one" and "two", each with a reader, both ending the fallback's after 1 s. */
static struct app *make(void)
{
	static const char *const name[] = {"one", "two"};
	struct app *app = calloc(1, sizeof(*app));

	assert_non_null(app);
	for (uint16_t i = 0; i < 2; i++) {
		struct cluster *c = calloc(1, sizeof(*c));
		struct conf_cluster *conf = calloc(1, sizeof(*conf));

		assert_true(c != NULL && conf != NULL);
		(void)slice_copy(
		    slice_str(name[i]), conf->name, sizeof(conf->name));
		conf->fallback_max_age = dur_ms(1000);
		c->index = i;
		c->conf = conf;
		c->snap.n = 1;
		c->snap.m[0].flags = SNAP_F_READ;
		app->cluster[app->cluster_n++] = c;
		usable[i] = true;
	}
	return app;
}

static void end(struct app *app)
{
	for (unsigned i = 0; i < app->cluster_n; i++) {
		free((void *)(uintptr_t)app->cluster[i]->conf);
		free(app->cluster[i]);
	}
	free(app);
}

static bool is_due(
    const struct hapcull *k, const struct app *app, const char *backend)
{
	const struct haptext_session s = {.backend = slice_str(backend),
	    .server = slice_str("node1"),
	    .age_s = 9};

	return is_hapcull_due(k, app, &s, (struct mono){5000000});
}

static void only_of_clusters_with_a_usable_verdict(void **state)
{
	struct hapcull *k = calloc(1, sizeof(*k));
	struct app *app = make();

	(void)state;
	assert_non_null(k);
	assert_true(hapcull_look(k, app, (struct mono){5000000}));
	assert_true(is_due(k, app, "one_fallback"));
	assert_true(is_due(k, app, "two_fallback"));
	assert_false(is_due(k, app, "one_write"));
	usable[0] = false;
	assert_true(hapcull_look(k, app, (struct mono){5000000}));
	assert_false(is_due(k, app, "one_fallback"));
	assert_true(is_due(k, app, "two_fallback"));
	usable[1] = false;
	assert_false(hapcull_look(k, app, (struct mono){5000000}));
	assert_false(is_due(k, app, "two_fallback"));
	end(app);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_of_clusters_with_a_usable_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
