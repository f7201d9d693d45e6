/*
 * resolve.c - see resolve.h.
 *
 * parent (the loop)  --socketpair-->  child  --fork-->  one lookup each
 * The child only reads questions and forks; each lookup answers by itself and
 * is killed by its own alarm. Messages are whole: SOCK_SEQPACKET. Everything
 * on the loop's side is non-blocking; a full socket means "ask again later".
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "mono.h"
#include "resolve.h"
#include "slice.h"

#define RESOLVE_MAGIC 0x5265736fu
#define NAMES 1024       /* kept; beyond it a name is not resolved */
#define LOOKUPS 8        /* at once */
#define LOOKUP_S 15      /* then its alarm ends it */
#define REFRESH_MS 30000 /* a known address */
#define RETRY_MS 1000    /* after "no such name" */
#define GIVE_UP_MS 20000 /* a question nobody answered */
#define RESTART_MS 1000  /* between two children */

struct message {
	char host[LIM_ADDR];
	char addr[LIM_ADDR]; /* "" in a question, and if there is none */
};

struct name {
	char host[LIM_ADDR];
	char addr[LIM_ADDR];
	struct mono asked, answered;
};

struct resolve {
	unsigned magic;
	struct ev_loop *loop;
	ev_io io;
	int fd;
	pid_t child;
	struct mono forked;
	struct name *name; /* `n` of them, heap */
	size_t n;
	void (*change)(void *arg);
	void *arg;
};

bool is_resolve_numeric(const char *host)
{
	struct in6_addr a;

	assert(host != NULL);
	return inet_pton(AF_INET, host, &a) == 1 ||
	    inet_pton(AF_INET6, host, &a) == 1;
}

/* In a process of its own: it may take as long as its alarm allows. */
static void look_up(int fd, struct message *m)
{
	struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;

	(void)alarm(LOOKUP_S);
	m->addr[0] = '\0';
	if (getaddrinfo(m->host, NULL, &hints, &found) == 0) {
		if (getnameinfo(found->ai_addr, found->ai_addrlen, m->addr,
			sizeof(m->addr), NULL, 0, NI_NUMERICHOST) != 0 ||
		    !is_resolve_numeric(m->addr))
			m->addr[0] = '\0';
		freeaddrinfo(found);
	}
	(void)send(fd, m, sizeof(*m), MSG_NOSIGNAL);
	_exit(0);
}

/* Collects lookups that ended; waits for one if LOOKUPS are running. */
static void collect(int *running)
{
	pid_t pid;

	do {
		pid = waitpid(-1, NULL, *running < LOOKUPS ? WNOHANG : 0);
		if (pid > 0)
			--*running;
	} while (pid > 0 || (pid == -1 && errno == EINTR));
}

/* The child: blocking, and gone when the other end of its socket is. */
static void serve(int fd)
{
	struct message m;
	int running = 0;
	ssize_t n;

	for (;;) {
		n = recv(fd, &m, sizeof(m), 0);
		if (n == -1 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(m)) {
			/* Its session: the lookups that are under way, and
			   itself. */
			if (getpgrp() == getpid())
				(void)kill(0, SIGKILL);
			_exit(0);
		}
		collect(&running);
		m.host[sizeof(m.host) - 1] = '\0';
		switch (fork()) {
		case -1:
			break; /* the question is asked again */
		case 0:
			look_up(fd, &m);
			break;
		default:
			running++;
		}
	}
}

/* Signals as a fresh program has them; no descriptor but the socket. */
static void become_child(int fd)
{
	sigset_t none;
	int s;

	(void)prctl(PR_SET_NAME, "patroute-names");
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (s = 1; s < NSIG; s++) {
		struct sigaction act = {.sa_handler = SIG_DFL};

		(void)sigaction(s, &act, NULL);
	}
	/* The terminal's and the service manager's signals are the parent's:
	 * the child ends with the parent's socket. */
	(void)setsid();
	if (fd > 3)
		(void)close_range(3, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0u, 0);
	serve(fd);
}

static bool fork_child(struct resolve *r)
{
	int sv[2];

	r->forked = mono_now();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1)
		return false;
	r->child = fork();
	if (r->child == -1) {
		(void)close(sv[0]);
		(void)close(sv[1]);
		return false;
	}
	if (r->child == 0) {
		(void)close(sv[0]);
		become_child(sv[1]);
	}
	(void)close(sv[1]);
	r->fd = sv[0];
	return true;
}

static void end_child(struct resolve *r)
{
	if (r->child <= 0)
		return;
	if (r->loop != NULL)
		ev_io_stop(r->loop, &r->io);
	(void)close(r->fd);
	r->fd = -1;
	/* It and its lookups: no name is worth a wait at our end. */
	(void)kill(-r->child, SIGKILL);
	(void)kill(r->child, SIGKILL);
	while (waitpid(r->child, NULL, 0) == -1 && errno == EINTR)
		continue;
	r->child = 0;
}

static struct name *find(struct resolve *r, const char *host)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (strcmp(r->name[i].host, host) == 0)
			return &r->name[i];
	}
	return NULL;
}

static struct name *find_or_add(struct resolve *r, const char *host)
{
	struct name *name = find(r, host);

	if (name != NULL)
		return name;
	if (r->n == NAMES || strlen(host) >= LIM_ADDR || host[0] == '\0')
		return NULL;
	/* NAMES is a bound on memory, reached only by names in use. */
	name = realloc(r->name, (r->n + 1) * sizeof(*name));
	if (name == NULL)
		return NULL;
	r->name = name;
	name = &r->name[r->n++];
	memset(name, 0, sizeof(*name));
	(void)slice_copy(slice_str(host), name->host, sizeof(name->host));
	return name;
}

static void take_answer(struct resolve *r, const struct message *m)
{
	struct name *name = find(r, m->host);
	char host[LOG_TEXT];

	if (name == NULL)
		return;
	name->answered = mono_now();
	/* DNS that is away takes nothing back. */
	if (m->addr[0] == '\0' || strcmp(name->addr, m->addr) == 0)
		return;
	log_info("change name=%s address=%s was=%s",
	    log_text(slice_str(m->host), host), m->addr,
	    name->addr[0] != '\0' ? name->addr : "unknown");
	(void)slice_copy(slice_str(m->addr), name->addr, sizeof(name->addr));
	if (r->change != NULL)
		r->change(r->arg);
}

/* What was asked of it will not be answered. */
static void forget_questions(struct resolve *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (is_mono_before(r->name[i].answered, r->name[i].asked))
			r->name[i].asked = r->name[i].answered;
	}
}

static void io_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct resolve *r = w->data;
	struct message m;
	ssize_t n = recv(r->fd, &m, sizeof(m), MSG_DONTWAIT);

	(void)loop;
	(void)revents;
	assert(r->magic == RESOLVE_MAGIC);
	if (n == (ssize_t)sizeof(m)) {
		m.host[sizeof(m.host) - 1] = '\0';
		m.addr[sizeof(m.addr) - 1] = '\0';
		take_answer(r, &m);
	} else if (n != -1 || (errno != EAGAIN && errno != EINTR)) {
		log_warnx("stop part=names reason=\"its process ended\"");
		end_child(r);
		forget_questions(r);
	}
}

static void watch_child(struct resolve *r)
{
	ev_io_init(&r->io, io_cb, r->fd, EV_READ);
	r->io.data = r;
	ev_io_start(r->loop, &r->io);
}

static bool is_older(struct mono t, int64_t ms, struct mono now)
{
	return !is_mono_set(t) || mono_sub(now, t).us > ms * 1000;
}

/* Asks if it is time to, and nobody is at it. */
static void refresh(struct resolve *r, struct name *name)
{
	struct mono now = mono_now();
	bool waiting = is_mono_before(name->answered, name->asked);
	struct message m = {.addr = ""};

	if (waiting && !is_older(name->asked, GIVE_UP_MS, now))
		return;
	if (!waiting &&
	    !is_older(name->answered,
		name->addr[0] != '\0' ? REFRESH_MS : RETRY_MS, now))
		return;
	if (r->child == 0) {
		if (!is_older(r->forked, RESTART_MS, now) || !fork_child(r))
			return;
		watch_child(r);
	}
	memcpy(m.host, name->host, sizeof(m.host));
	if (send(r->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) != -1)
		name->asked = now;
}

bool resolve_get(
    struct resolve *r, const char *host, char addr[static LIM_ADDR])
{
	struct name *name;

	assert(r != NULL && r->magic == RESOLVE_MAGIC && r->loop != NULL);
	if (is_resolve_numeric(host))
		return slice_copy(slice_str(host), addr, LIM_ADDR);
	name = find_or_add(r, host);
	if (name == NULL)
		return false;
	refresh(r, name);
	memcpy(addr, name->addr, LIM_ADDR);
	return addr[0] != '\0';
}

void resolve_on_change(struct resolve *r, void (*change)(void *arg), void *arg)
{
	assert(r != NULL && r->magic == RESOLVE_MAGIC);
	r->change = change;
	r->arg = arg;
}

void resolve_attach(struct resolve *r, struct ev_loop *loop)
{
	assert(r != NULL && r->magic == RESOLVE_MAGIC && r->loop == NULL);
	r->loop = loop;
	watch_child(r);
}

struct resolve *resolve_new(void)
{
	struct resolve *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->magic = RESOLVE_MAGIC;
	r->fd = -1;
	if (!fork_child(r)) {
		free(r);
		return NULL;
	}
	return r;
}

void resolve_free(struct resolve *r)
{
	if (r == NULL)
		return;
	assert(r->magic == RESOLVE_MAGIC);
	end_child(r);
	free(r->name);
	r->magic = 0;
	free(r);
}
