/*
 * place.c - see place.h.
 */
#include "place.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "render.h"

#define FILE_MAX ((size_t)16 << 20)

static bool fail(char why[static LIM_TEXT], const char *path)
{
	(void)snprintf(
	    why, LIM_TEXT, "%.180s: %s", path, strerrordesc_np(errno));
	return false;
}

/* Gives: the whole file, NUL-terminated; NULL and errno. */
static char *slurp(int fd)
{
	size_t len = 0, size = 65536;
	char *text = malloc(size);
	ssize_t n = 0;

	while (text != NULL && (n = read(fd, text + len, size - len - 1)) > 0) {
		char *more;

		len += (size_t)n;
		if (len + 1 < size)
			continue;
		size *= 2;
		errno = EFBIG;
		more = size <= FILE_MAX ? realloc(text, size) : NULL;
		if (more == NULL)
			free(text);
		text = more;
	}
	if (text == NULL || n == -1) {
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

bool place_read(struct place *p, char why[static LIM_TEXT])
{
	int fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	assert(p->now == NULL);
	if (fd == -1)
		return errno == ENOENT || fail(why, p->path);
	p->now = slurp(fd);
	if (p->now == NULL)
		(void)fail(why, p->path);
	(void)close(fd);
	if (p->now == NULL)
		return false;
	p->is_edited = !is_render_untouched(slice_str(p->now));
	return true;
}

void place_done(struct place *p)
{
	if (p->tried[0] != '\0')
		(void)unlink(p->tried);
	free(p->now);
	free(p->next);
	p->now = p->next = NULL;
}

bool place_try(struct place *p, const char *folder, const char *name)
{
	int fd;
	bool ok;

	(void)snprintf(
	    p->tried, sizeof(p->tried), "%.120s/%.120s", folder, name);
	fd = open(p->tried, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return false;
	ok = file_write(fd, p->next);
	return close(fd) == 0 && ok;
}

#define UNREAD (LIM_TEXT + 16)

static const char *unread(const struct place *p, char buf[static UNREAD])
{
	(void)snprintf(buf, UNREAD, "%.255s.unread", p->path);
	return buf;
}

bool is_place_unread(const struct place *p)
{
	char name[UNREAD];

	return access(unread(p, name), F_OK) == 0;
}

bool place_mark_unread(const struct place *p, char why[static LIM_TEXT])
{
	char name[UNREAD];
	int fd = open(unread(p, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd == -1)
		return fail(why, name);
	(void)close(fd);
	return true;
}

void place_mark_read(const struct place *p)
{
	char name[UNREAD];

	(void)unlink(unread(p, name));
}

/* As the old file is, or as configuration is. */
static bool dress(int fd, const char *target)
{
	struct stat st;

	if (stat(target, &st) == -1)
		return fchmod(fd, 0644) == 0;
	return fchown(fd, st.st_uid, st.st_gid) == 0 &&
	    fchmod(fd, st.st_mode & 07777U) == 0;
}

bool place_put(const struct place *p, char why[static LIM_TEXT])
{
	char *real = realpath(p->path, NULL);
	const char *target = real != NULL ? real : p->path;
	char fresh[LIM_TEXT + 16];
	bool ok = false;
	int fd;

	(void)snprintf(fresh, sizeof(fresh), "%.255s.XXXXXX", target);
	fd = mkostemp(fresh, O_CLOEXEC);
	if (fd == -1) {
		(void)fail(why, target);
	} else {
		ok = file_write(fd, p->next) && dress(fd, target) &&
		    fsync(fd) == 0;
		ok = close(fd) == 0 && ok && rename(fresh, target) == 0;
		if (!ok) {
			(void)fail(why, target);
			(void)unlink(fresh);
		}
	}
	free(real);
	return ok;
}
