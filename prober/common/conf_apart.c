/*
 * conf_apart.c - patroute.conf, read by a child process; see conf.h.
 *
 * Called on SIGHUP. libconfuse checks few of its allocations: without memory it
 * may end the process that reads, and that must not be the one that serves.
 * Blocks as long as the reading takes, as conf_load() does.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"

/* What the child leaves: of its pages only those are real that it wrote to. */
struct apart {
	bool is_read;
	struct conf_err err;
	struct conf conf;
	struct conf_cluster cluster[LIM_CLUSTERS];
	struct conf_listen listen[LIM_LISTENERS];
};

static void leave(struct apart *a, const char *path)
{
	struct conf *c = conf_load(path, &a->err);

	if (c == NULL)
		return;
	a->conf = *c;
	memcpy(a->cluster, c->cluster, c->cluster_n * sizeof(*c->cluster));
	memcpy(a->listen, c->listen, c->listen_n * sizeof(*c->listen));
	a->is_read = true;
}

static struct conf *take(const struct apart *a)
{
	struct conf *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	*c = a->conf;
	c->cluster = calloc(c->cluster_n + 1u, sizeof(*c->cluster));
	c->listen = calloc(c->listen_n + 1u, sizeof(*c->listen));
	if (c->cluster == NULL || c->listen == NULL) {
		conf_free(c);
		return NULL;
	}
	memcpy(c->cluster, a->cluster, c->cluster_n * sizeof(*c->cluster));
	memcpy(c->listen, a->listen, c->listen_n * sizeof(*c->listen));
	return c;
}

static struct conf *fail(
    struct conf_err *err, const char *path, const char *what)
{
	(void)snprintf(err->text, sizeof(err->text), "%s: %s", path, what);
	return NULL;
}

/* Gives: whether it came to its end. */
static bool wait_for(pid_t child)
{
	int status = 0;
	pid_t rc;

	do {
		rc = waitpid(child, &status, 0);
	} while (rc == -1 && errno == EINTR);
	return rc == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

struct conf *conf_load_apart(const char *path, struct conf_err *err)
{
	struct apart *a;
	struct conf *c = NULL;
	pid_t child;

	assert(path != NULL && err != NULL);
	a = mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (a == MAP_FAILED)
		return fail(err, path, "no memory to read it");
	child = fork();
	if (child == 0) {
		leave(a, path);
		_exit(0);
	}
	if (child == -1)
		(void)fail(err, path, "no process to read it");
	else if (!wait_for(child))
		(void)fail(err, path,
		    "the process that read it was ended, as it is without "
		    "memory");
	else if (!a->is_read)
		*err = a->err;
	else if ((c = take(a)) == NULL)
		(void)fail(err, path, "no memory to keep it");
	(void)munmap(a, sizeof(*a));
	return c;
}
