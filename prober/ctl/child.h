/*
 * child.h - another program run to its end, and what it said.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stddef.h>

struct child {
	int status; /* its exit status; -1: it did not run, or was killed */
	char *said; /* output and errors together, NUL-terminated */
	size_t len;
};

/* Needs: argv ends with NULL; the program is looked for on PATH. Blocks. */
void child_run(const char *const *argv, struct child *out);
void child_done(struct child *c);

/*
 * Lines NAME=VALUE of a service's environment file become this process's
 * environment, unevaluated, as systemd reads them. A missing file is none.
 */
void child_environment(const char *path);

#endif
