/*
 * child.c - see child.h.
 */
#include "child.h"

#include <assert.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lim.h"
#include "text.h"

#define SAID_MAX ((size_t)8 << 20)

/* All of it is read, so that the program does not wait for us; kept is what
   fits. */
static void hear(int fd, struct child *out)
{
	FILE *f = open_memstream(&out->said, &out->len);
	char bytes[65536];
	size_t kept = 0;
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		if (f != NULL && kept + (size_t)n <= SAID_MAX)
			kept += fwrite(bytes, 1, (size_t)n, f);
	}
	if (f != NULL)
		(void)fclose(f);
}

static void reap(pid_t pid, struct child *out)
{
	int status = 0;

	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		out->status = WEXITSTATUS(status);
}

void child_run(const char *const *argv, struct child *out)
{
	posix_spawn_file_actions_t a;
	int pipes[2];
	pid_t pid = -1;

	assert(argv[0] != NULL);
	*out = (struct child){.status = -1};
	if (pipe2(pipes, O_CLOEXEC) == -1)
		return;
	if (posix_spawn_file_actions_init(&a) == 0) {
		if (posix_spawn_file_actions_addopen(
			&a, 0, "/dev/null", O_RDONLY, 0) != 0 ||
		    posix_spawn_file_actions_adddup2(&a, pipes[1], 1) != 0 ||
		    posix_spawn_file_actions_adddup2(&a, pipes[1], 2) != 0 ||
		    posix_spawnp(&pid, argv[0], &a, NULL,
			(char *const *)(uintptr_t)argv, environ) != 0)
			pid = -1;
		(void)posix_spawn_file_actions_destroy(&a);
	}
	(void)close(pipes[1]);
	if (pid != -1) {
		hear(pipes[0], out);
		reap(pid, out);
	}
	(void)close(pipes[0]);
}

void child_done(struct child *c)
{
	free(c->said);
	c->said = NULL;
}

static void take(char *line)
{
	char *eq = strchr(line, '='), *value;
	size_t n;

	if (eq == NULL || eq == line ||
	    strspn(line,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789_") != (size_t)(eq - line))
		return;
	*eq = '\0';
	value = eq + 1;
	n = strlen(value);
	while (n > 0 && (value[n - 1] == '\n' || value[n - 1] == '\r'))
		value[--n] = '\0';
	if (n > 1 && value[0] == '"' && value[n - 1] == '"') {
		value[n - 1] = '\0';
		value++;
	}
	(void)setenv(line, value, 1);
}

void child_environment(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[LIM_LOG_LINE];

	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL)
		take(line);
	explicit_bzero(line, sizeof(line));
	(void)fclose(f);
}
