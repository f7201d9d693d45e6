/*
 * pem.c - see pem.h.
 */
#include "pem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lim.h"
#include "log.h"

/* Gives: the bytes read, 1 at least and fewer than `size`; -1 and errno. */
static ssize_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t used = 0;
	ssize_t n = 1;

	if (fd == -1)
		return -1;
	while (n > 0 && used < size) {
		n = read(fd, buf + used, size - used);
		if (n > 0)
			used += (size_t)n;
	}
	if (n != -1 && (used == 0 || used == size)) {
		errno = used == 0 ? ENODATA : EFBIG;
		n = -1;
	}
	int saved = errno;
	(void)close(fd);
	errno = saved;
	return n == -1 ? -1 : (ssize_t)used;
}

bool pem_load(const char *key, const char *path, struct slice *out)
{
	char *text;
	ssize_t n;

	assert(key != NULL && path != NULL && out != NULL);
	if (path[0] == '\0')
		return true;
	text = malloc(LIM_PEM);
	n = text != NULL ? read_file(path, text, LIM_PEM) : -1;
	if (n == -1) {
		log_warn("reject %s=%s", key, path);
		free(text);
		return false;
	}
	*out = slice_of(text, (size_t)n);
	return true;
}

void pem_free(struct slice *s)
{
	char *p = (char *)(uintptr_t)s->p;

	if (p != NULL)
		explicit_bzero(p, s->len);
	free(p);
	*s = (struct slice){NULL, 0};
}
