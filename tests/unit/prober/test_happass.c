/*
 * test_happass.c - a pass that is asked for while it begins: what is done in
 * its beginning may judge a cluster anew, and that asks for the next pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ev.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "app.h"
#include "cluster.h"
#include "happass.h"

struct fix {
	struct happass *pass;
	unsigned begun;
};

static void begins_cb(void *arg)
{
	struct fix *f = arg;

	f->begun++;
	happass_now(f->pass);
}

static void site_cb(void *arg, uint16_t cluster)
{
	(void)arg, (void)cluster;
}

static void all_cb(void *arg)
{
	(void)arg;
}

/* Somebody who takes questions, and never answers. */
static int listen_at(struct sockaddr_un *at)
{
	char folder[] = "/tmp/patroute-happass-XXXXXX";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_non_null(mkdtemp(folder));
	*at = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(at->sun_path, sizeof(at->sun_path), "%s/s", folder);
	assert_int_equal(bind(fd, (struct sockaddr *)at, sizeof(*at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void asked_for_as_it_begins(void **state)
{
	static struct conf_cluster conf = {.name = "main"};
	static struct cluster cluster = {.conf = &conf};
	struct app *app = calloc(1, sizeof(*app));
	struct happass *p = calloc(1, sizeof(*p));
	struct fix f = {p, 0};
	struct sockaddr_un at;
	int fd = listen_at(&at);

	(void)state;
	assert_true(app != NULL && p != NULL);
	app->loop = ev_loop_new(EVFLAG_AUTO);
	app->cluster[0] = &cluster;
	app->cluster_n = 1;
	happass_init(p, app, at.sun_path,
	    &(struct happass_sink){begins_cb, site_cb, all_cb, &f});
	for (int turn = 0; turn < 5; turn++)
		(void)ev_run(app->loop, EVRUN_NOWAIT);
	assert_int_equal(f.begun, 1);
	assert_int_equal(p->step, HAPPASS_STAT);
	happass_stop(p);
	ev_loop_destroy(app->loop);
	(void)close(fd);
	(void)unlink(at.sun_path);
	*strrchr(at.sun_path, '/') = '\0';
	(void)rmdir(at.sun_path);
	free(p);
	free(app);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(asked_for_as_it_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
