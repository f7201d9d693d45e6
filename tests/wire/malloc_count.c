/*
 * malloc_count.c - counts what a program asks of the heap, for LD_PRELOAD.
 *
 * The count stands in the file that MALLOC_COUNT names (8 bytes, of this
 * machine's order), so that a test reads it while the program runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own names; its header does not declare them. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static _Atomic uint64_t unread;
static _Atomic uint64_t *count = &unread;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("MALLOC_COUNT");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd == -1)
		abort();
	p = mmap(
	    NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (p == MAP_FAILED)
		abort();
	count = p;
}

void *malloc(size_t n)
{
	(*count)++;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	(*count)++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	(*count)++;
	return __libc_realloc(p, n);
}

void *memalign(size_t align, size_t n)
{
	(*count)++;
	return __libc_memalign(align, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	(*count)++;
	return __libc_memalign(align, n);
}

int posix_memalign(void **out, size_t align, size_t n)
{
	(*count)++;
	*out = __libc_memalign(align, n);
	return *out != NULL ? 0 : ENOMEM;
}
