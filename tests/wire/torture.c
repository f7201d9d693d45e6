/*
 * torture.c - lets one call of a program to the system fail, for LD_PRELOAD.
 *
 * Which call is said by the stack that it is made from: a first run notes each
 * distinct one, and torture.py lets the first call from each of them fail, one
 * a run. All of it stands in the file that TORTURE names, mapped by both.
 * Needs address space without randomness (setarch -R), or no stack comes twice.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACKS 16384
#define DEPTH 9 /* of a stack, as far as it tells one call from another */
#define OWN 3   /* frames of this file on top of it */

/* torture.py reads and writes these: 8 bytes each. */
struct shared {
	uint64_t wanted; /* the stack whose first call fails; 0: none */
	uint64_t failed; /* how many did */
	uint64_t live;   /* blocks of the heap that are not freed */
	uint64_t n;      /* of the stacks */
	struct {
		uint64_t id, call;
	} stack[STACKS];
};

/* In the order of torture.py's names. */
enum call {
	CALL_HEAP = 0,
	CALL_OPEN,
	CALL_SOCKET,
	CALL_CONNECT,
	CALL_ACCEPT,
	CALL_READ,
	CALL_WRITE,
	CALL_EPOLL,
	CALL_FORK,
	CALL_N
};

static const int error_of[CALL_N] = {[CALL_HEAP] = ENOMEM,
    [CALL_OPEN] = EMFILE,
    [CALL_SOCKET] = EMFILE,
    [CALL_CONNECT] = EADDRNOTAVAIL,
    [CALL_ACCEPT] = EMFILE,
    [CALL_READ] = ECONNRESET,
    [CALL_WRITE] = ENOBUFS,
    [CALL_EPOLL] = ENOMEM,
    [CALL_FORK] = EAGAIN};

static struct shared *shared;
static bool is_child;
static _Thread_local bool inside;
static int report = -1;

static uint64_t id_of(void *const *frame, int n)
{
	uint64_t h = 14695981039346656037U;

	for (int i = OWN; i < n; i++)
		h = (h ^ (uint64_t)(uintptr_t)frame[i]) * 1099511628211U;
	return h != 0 ? h : 1;
}

static void note(uint64_t id, enum call call)
{
	uint64_t i;

	for (i = 0; i < shared->n; i++) {
		if (shared->stack[i].id == id)
			return;
	}
	if (i < STACKS) {
		shared->stack[i].id = id;
		shared->stack[i].call = call;
		shared->n = i + 1;
	}
}

__attribute__((noinline)) static bool fails(enum call call)
{
	void *frame[DEPTH + OWN];
	bool fail = false;
	int n;

	if (shared == NULL || inside || shared->failed > 0)
		return false;
	inside = true;
	n = backtrace(frame, DEPTH + OWN);
	uint64_t id = id_of(frame, n);
	if (shared->wanted == 0) {
		note(id, call);
	} else if (shared->wanted == id) {
		shared->failed++;
		backtrace_symbols_fd(frame + OWN, n - OWN, report);
		fail = true;
	}
	inside = false;
	if (fail)
		errno = error_of[call];
	return fail;
}

static void count(int64_t more)
{
	if (shared != NULL && !is_child)
		shared->live += (uint64_t)more;
}

static void on_crash(int signal_number)
{
	void *frame[40];
	int n = backtrace(frame, 40);

	inside = true;
	(void)!write(report, "crash\n", 6);
	backtrace_symbols_fd(frame, n, report);
	(void)signal(signal_number, SIG_DFL);
	(void)raise(signal_number);
}

static void on_fork(void)
{
	is_child = true;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("TORTURE"), *to = getenv("TORTURE_REPORT");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p, *frame[2];

	if (fd == -1 || to == NULL)
		return; /* a program on the way to the one that is meant */
	inside = true;
	(void)backtrace(frame, 2); /* loads what it needs */
	report = open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	p = mmap(
	    NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (p == MAP_FAILED || report == -1)
		abort();
	(void)signal(SIGABRT, on_crash);
	(void)signal(SIGSEGV, on_crash);
	(void)signal(SIGBUS, on_crash);
	(void)signal(SIGFPE, on_crash);
	(void)pthread_atfork(NULL, NULL, on_fork);
	inside = false;
	shared = p;
}

/* ---- the heap: glibc's own names, its header does not declare them ---- */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void __libc_free(void *p);

static void *counted(void *p)
{
	count(p != NULL ? 1 : 0);
	return p;
}

void *malloc(size_t n)
{
	return fails(CALL_HEAP) ? NULL : counted(__libc_malloc(n));
}

void *calloc(size_t n, size_t size)
{
	return fails(CALL_HEAP) ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *p, size_t n)
{
	void *q;

	if (n > 0 && fails(CALL_HEAP))
		return NULL;
	q = __libc_realloc(p, n);
	count((q != NULL && p == NULL) - (q == NULL && p != NULL && n == 0));
	return q;
}

int posix_memalign(void **out, size_t align, size_t n)
{
	*out = fails(CALL_HEAP) ? NULL : counted(__libc_memalign(align, n));
	return *out != NULL ? 0 : ENOMEM;
}

void free(void *p)
{
	count(p != NULL ? -1 : 0);
	__libc_free(p);
}

/* ---- the system's calls ---- */

/* The next one of that name, and -1 in its place when it is to fail. */
#define CALL(type, call, name, types, args)                \
	type name types;                                   \
	type name types                                    \
	{                                                  \
		static type(*next) types;                  \
		if (next == NULL) {                        \
			void *p = dlsym(RTLD_NEXT, #name); \
			memcpy(&next, &p, sizeof(next));   \
		}                                          \
		return fails(call) ? (type)-1 : next args; \
	}

#pragma GCC diagnostic ignored "-Wshadow"
CALL(int, CALL_SOCKET, socket, (int a, int b, int c), (a, b, c))
CALL(
    int, CALL_SOCKET, socketpair, (int a, int b, int c, int d[2]), (a, b, c, d))
CALL(int, CALL_SOCKET, pipe2, (int a[2], int b), (a, b))
CALL(int, CALL_SOCKET, bind, (int a, __CONST_SOCKADDR_ARG b, socklen_t c),
    (a, b, c))
CALL(int, CALL_SOCKET, listen, (int a, int b), (a, b))
CALL(int, CALL_CONNECT, connect, (int a, __CONST_SOCKADDR_ARG b, socklen_t c),
    (a, b, c))
CALL(int, CALL_ACCEPT, accept, (int a, __SOCKADDR_ARG b, socklen_t *restrict c),
    (a, b, c))
CALL(int, CALL_ACCEPT, accept4,
    (int a, __SOCKADDR_ARG b, socklen_t *restrict c, int d), (a, b, c, d))
CALL(ssize_t, CALL_READ, read, (int a, void *b, size_t c), (a, b, c))
CALL(ssize_t, CALL_READ, recv, (int a, void *b, size_t c, int d), (a, b, c, d))
CALL(ssize_t, CALL_READ, recvfrom,
    (int a, void *restrict b, size_t c, int d, __SOCKADDR_ARG e,
	socklen_t *restrict f),
    (a, b, c, d, e, f))
CALL(ssize_t, CALL_READ, recvmsg, (int a, struct msghdr *b, int c), (a, b, c))
CALL(ssize_t, CALL_WRITE, send, (int a, const void *b, size_t c, int d),
    (a, b, c, d))
CALL(ssize_t, CALL_WRITE, sendto,
    (int a, const void *b, size_t c, int d, __CONST_SOCKADDR_ARG e,
	socklen_t f),
    (a, b, c, d, e, f))
CALL(ssize_t, CALL_WRITE, sendmsg, (int a, const struct msghdr *b, int c),
    (a, b, c))
CALL(int, CALL_EPOLL, epoll_create1, (int a), (a))
CALL(int, CALL_EPOLL, epoll_ctl, (int a, int b, int c, struct epoll_event *d),
    (a, b, c, d))
CALL(pid_t, CALL_FORK, fork, (void), ())

/* Only those that open a file for reading or writing, without creating it. */
#undef open
int open(const char *path, int flags, ...);
int open(const char *path, int flags, ...)
{
	static int (*next)(const char *, int, ...);

	if (next == NULL) {
		void *p = dlsym(RTLD_NEXT, "open");

		memcpy(&next, &p, sizeof(next));
	}
	if (shared != NULL && (flags & O_CREAT) == 0 && fails(CALL_OPEN))
		return -1;
	return next(path, flags, 0666);
}
