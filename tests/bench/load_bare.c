/* load_bare.c - see load_bare.h. */
#include "load_bare.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load_wire.h"

#define OUT_MAX 64
#define AT_ONCE 1000

struct echo {
	const struct bare *b;
	size_t part[BARE_ENDS]; /* bytes of a question that is not whole */
	unsigned char in[65536];
	unsigned char out[AT_ONCE * OUT_MAX];
};

/* Gives: false at the end of this one. */
static bool answer(struct echo *e, unsigned i)
{
	const struct bare *b = e->b;
	ssize_t n = recv(b->fd[i], e->in, sizeof(e->in), 0);
	size_t bytes;

	if (n == -1 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	e->part[i] += (size_t)n;
	bytes = e->part[i] / b->in * b->out_n;
	e->part[i] %= b->in;
	return bytes == 0 ||
	    send(b->fd[i], e->out, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

/* One loop over all ends, as the agent has it. */
static void answer_all(struct echo *e)
{
	struct epoll_event ev[64];
	unsigned left = e->b->n;
	int ep = epoll_create1(0);

	for (unsigned i = 0; i < e->b->n; i++) {
		ev[0] = (struct epoll_event){EPOLLIN, {.u32 = i}};
		if (epoll_ctl(ep, EPOLL_CTL_ADD, e->b->fd[i], ev) == -1)
			wire_die("epoll");
	}
	while (left > 0) {
		int n = epoll_wait(ep, ev, 64, -1);

		for (int i = 0; i < n; i++) {
			unsigned at = ev[i].data.u32;

			if (answer(e, at))
				continue;
			(void)close(e->b->fd[at]);
			left--;
		}
	}
}

static void serve(const struct bare *b)
{
	static struct echo e;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	e.b = b;
	for (size_t i = 0; i < AT_ONCE; i++)
		memcpy(e.out + i * b->out_n, b->out, b->out_n);
	if (b->n > 1)
		answer_all(&e);
	else
		while (answer(&e, 0))
			;
	_exit(0);
}

pid_t bare_start(const struct bare *b)
{
	cpu_set_t first;
	pid_t child;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (b->n > BARE_ENDS || b->out_n > OUT_MAX)
		wire_die("too many ends");
	child = fork();
	if (child == -1)
		wire_die("fork");
	if (child == 0)
		serve(b);
	/* Not by itself: where the caller spins as a real-time process, a child
	   on its core never comes to do anything. */
	if (sched_setaffinity(child, sizeof(first), &first) == -1)
		wire_die("affinity");
	for (unsigned i = 0; i < b->n; i++)
		(void)close(b->fd[i]);
	return child;
}

void bare_stop(pid_t child)
{
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
}
