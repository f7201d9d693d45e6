/*
 * sock.c - see sock.h. Listening sockets are made at start, before privileges
 * are dropped; sock_connect_unix() does not block; sock_dial() and sock_hear()
 * do, and are called by processes that do nothing else: --ping.
 */
#include "sock.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lim.h"
#include "numeric.h"
#include "slice.h"

/* HAProxy may open one connection a held stream; the kernel caps it. */
#define BACKLOG 4096
#define KEEP_IDLE_S 30
#define KEEP_INTERVAL_S 10
#define KEEP_PROBES 3

static int close_keeping_errno(int fd)
{
	int saved = errno;

	(void)close(fd);
	errno = saved;
	return -1;
}

static bool unix_addr(const char *path, struct sockaddr_un *out)
{
	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	if (slice_copy(slice_str(path), out->sun_path, sizeof(out->sun_path)))
		return true;
	errno = ENAMETOOLONG;
	return false;
}

/* The directory of `path`, one level, as far as it is missing. */
static bool make_directory(const char *path, struct sock_owner owner)
{
	char dir[LIM_PATH];
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return true;
	if (!slice_copy(slice_of(path, (size_t)(slash - path)), dir, LIM_PATH))
		return false;
	if (mkdir(dir, 0750) == -1)
		return errno == EEXIST;
	return chown(dir, owner.uid, owner.gid) == 0;
}

/* A socket file that nobody listens on goes; anything else stays. */
static bool remove_stale(const struct sockaddr_un *sun, int type)
{
	struct stat st;

	if (lstat(sun->sun_path, &st) == -1)
		return errno == ENOENT;
	if (!S_ISSOCK(st.st_mode)) {
		errno = ENOTSOCK;
		return false;
	}
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return false;
	int rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	int why = errno;
	(void)close(fd);
	/* EPROTOTYPE: somebody listens, with another type of socket. */
	if (rc == 0 || (why != ECONNREFUSED && why != ENOENT)) {
		errno = rc == 0 || why == EAGAIN || why == EPROTOTYPE
		    ? EADDRINUSE
		    : why;
		return false;
	}
	return unlink(sun->sun_path) == 0 || errno == ENOENT;
}

int sock_listen_unix(const char *path, int type, struct sock_owner owner)
{
	struct sockaddr_un sun;

	assert(path != NULL);
	if (!unix_addr(path, &sun) || !make_directory(path, owner) ||
	    !remove_stale(&sun, type))
		return -1;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	/* Nobody may connect before the owner is set: none listens yet. */
	mode_t mask = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)&sun, sizeof(sun));
	(void)umask(mask);
	/* The mode first: it is not ours to change once the file is not. */
	if (rc == -1 || chmod(path, 0660) == -1 ||
	    chown(path, owner.uid, owner.gid) == -1 ||
	    listen(fd, BACKLOG) == -1)
		return close_keeping_errno(fd);
	return fd;
}

static bool set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* What a listener says of this, Linux passes on to each of its connections. */
static bool set_tcp_options(int fd)
{
	/* A restart must not wait for old connections to fade. */
	return set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
	    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
	    /* A peer whose host died never says so: gone after a minute. */
	    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
	    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S) &&
	    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S) &&
	    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES);
}

int sock_listen_tcp(const char *addr, uint16_t port)
{
	struct numeric at;

	assert(addr != NULL);
	if (!numeric_addr(addr, port, &at)) {
		errno = EINVAL;
		return -1;
	}
	int fd = socket(
	    at.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if (!set_tcp_options(fd) ||
	    bind(fd, (const struct sockaddr *)&at.sa, at.len) == -1 ||
	    listen(fd, BACKLOG) == -1)
		return close_keeping_errno(fd);
	return fd;
}

int sock_connect_unix(const char *path)
{
	struct sockaddr_un sun;

	assert(path != NULL);
	if (!unix_addr(path, &sun))
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == -1)
		return close_keeping_errno(fd);
	return fd;
}

int sock_dial(const struct sockaddr *to, socklen_t len, struct dur limit)
{
	/* connect() of a blocking socket honours the time limit for sends. */
	const struct timeval tv = {
	    .tv_sec = limit.us / 1000000, .tv_usec = limit.us % 1000000};

	assert(to != NULL && limit.us > 0);
	int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == -1 ||
	    connect(fd, to, len) == -1)
		return close_keeping_errno(fd);
	return fd;
}

ssize_t sock_hear(int fd, void *buf, size_t size, struct mono until)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left = dur_to_ms(mono_sub(until, mono_now()));
	ssize_t got;

	assert(buf != NULL && size > 0);
	if (left <= 0 || poll(&p, 1, (int)left) < 1)
		return -1;
	got = recv(fd, buf, size, 0);
	return got > 0 ? got : 0;
}

void sock_close(int *fd)
{
	assert(fd != NULL);
	if (*fd != -1)
		(void)close(*fd);
	*fd = -1;
}
