/*
 * load_bare.h - what an agent is measured against: a process that answers so
 * many bytes for so many and understands none of them.
 */
#ifndef LOAD_BARE_H
#define LOAD_BARE_H

#include <stddef.h>
#include <sys/types.h>

#define BARE_ENDS 64

struct bare {
	int fd[BARE_ENDS]; /* connected; blocking if there is only one */
	unsigned n;
	size_t in; /* bytes of a question; an answer comes for each */
	const void *out;
	size_t out_n;
};

/*
 * Forks the process, on the core that the agent has (0). It ends by
 * bare_stop(), or with the caller, whose copies of `fd` are closed.
 * Needs: out_n at most 64, at most 1,000 questions at once on one end.
 */
pid_t bare_start(const struct bare *b);
void bare_stop(pid_t child);

#endif
