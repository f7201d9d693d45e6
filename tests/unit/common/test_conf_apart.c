/*
 * test_conf_apart.c - a child reads the configuration: the same is read, the
 * same sentence comes of what is wrong, and its end is not ours.
 */
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf.h"

/* conf_load(), which dies of a file of that name. */
#define DEADLY "/deadly"
struct conf *__real_conf_load(const char *path, struct conf_err *err);
struct conf *__wrap_conf_load(const char *path, struct conf_err *err);

struct conf *__wrap_conf_load(const char *path, struct conf_err *err)
{
	if (strcmp(path, DEADLY) == 0)
		(void)raise(SIGKILL);
	return __real_conf_load(path, err);
}

static void write_file(char path[static 32], const char *text)
{
	int fd;

	(void)snprintf(path, 32, "/tmp/patroute-apart-XXXXXX");
	fd = mkstemp(path);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
}

static void the_same_is_read(void **state)
{
	char path[32];
	struct conf_err err;
	struct conf *a, *b;

	(void)state;
	write_file(path,
	    "cluster one { etcd = {\"http://10.0.0.1:2379\"} }\n"
	    "cluster two { etcd = {\"http://10.0.0.2:2379\"} }\n"
	    "listen w { port = 5000 cluster = one target = primary }\n"
	    "listen r { port = 5001 cluster = two target = replica }\n");
	a = conf_load(path, &err);
	assert_non_null(a);
	b = conf_load_apart(path, &err);
	assert_non_null(b);
	assert_int_equal(b->cluster_n, 2);
	assert_int_equal(b->listen_n, 2);
	assert_memory_equal(a->cluster, b->cluster, 2 * sizeof(*a->cluster));
	assert_memory_equal(a->listen, b->listen, 2 * sizeof(*a->listen));
	assert_memory_equal(&a->prober, &b->prober, sizeof(a->prober));
	assert_memory_equal(&a->agent, &b->agent, sizeof(a->agent));
	assert_string_equal(a->user, b->user);
	conf_free(a);
	conf_free(b);
	assert_int_equal(unlink(path), 0);
}

static void the_same_is_said(void **state)
{
	char path[32];
	struct conf_err one, other;

	(void)state;
	write_file(path, "cluster one { etcd = 5 \n");
	assert_null(conf_load(path, &one));
	assert_null(conf_load_apart(path, &other));
	assert_string_equal(one.text, other.text);
	assert_int_equal(unlink(path), 0);
	assert_null(conf_load(path, &one));
	assert_null(conf_load_apart(path, &other));
	assert_string_equal(one.text, other.text);
}

static void its_end_is_not_ours(void **state)
{
	struct conf_err err;

	(void)state;
	assert_null(conf_load_apart(DEADLY, &err));
	assert_string_equal(err.text,
	    DEADLY ": the process that read it was ended, as it is without "
		   "memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_is_read),
	    cmocka_unit_test(the_same_is_said),
	    cmocka_unit_test(its_end_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
