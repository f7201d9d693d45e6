/*
 * process.c - see process.h.
 *
 * The order is each main()'s: sockets first, for /run belongs to root, then the
 * privileges go, and what comes after runs without them.
 */
#include "process.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

#define GROUPS_MAX 64
/* What POSIX promises at least; nothing is known to have less. */
#define FILES_UNKNOWN 256

uint32_t process_files(uint32_t want)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return FILES_UNKNOWN;
	if (rl.rlim_cur >= want)
		return want;
	/* Root may raise the hard limit too; others take what is there. */
	struct rlimit more = {want, rl.rlim_max > want ? rl.rlim_max : want};
	if (setrlimit(RLIMIT_NOFILE, &more) == 0)
		return want;
	rl.rlim_cur = rl.rlim_max < want ? rl.rlim_max : want;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		log_warn("start limit=nofile");
	return getrlimit(RLIMIT_NOFILE, &rl) == -1 ? FILES_UNKNOWN
						   : (uint32_t)rl.rlim_cur;
}

static const struct passwd *user_of(const struct conf *conf, const char *path)
{
	const struct passwd *pw = getpwnam(conf->user);

	if (pw == NULL)
		fatal("%s: user: \"%s\", expected a user of this system", path,
		    conf->user);
	return pw;
}

static gid_t group_of(const struct conf *conf, const char *path)
{
	const struct group *gr = getgrnam(conf->group);

	if (gr == NULL)
		fatal("%s: group: \"%s\", expected a group of this system",
		    path, conf->group);
	return gr->gr_gid;
}

struct sock_owner process_owner(const struct conf *conf, const char *path)
{
	struct sock_owner owner = {(uid_t)-1, (gid_t)-1};

	assert(conf != NULL && path != NULL);
	if (geteuid() != 0)
		return owner;
	owner.uid = user_of(conf, path)->pw_uid;
	owner.gid = group_of(conf, path);
	return owner;
}

const char *process_listen_error(void)
{
	if (errno == EADDRINUSE)
		return "somebody listens there already";
	if (errno == EADDRNOTAVAIL)
		return "this host has no such address";
	if (errno == ENOTSOCK)
		return "there is a file that is no socket";
	return strerror(errno);
}

static void take_groups(const struct passwd *pw, gid_t group)
{
	gid_t list[GROUPS_MAX];
	int n = GROUPS_MAX - 1;

	if (getgrouplist(pw->pw_name, pw->pw_gid, list, &n) == -1)
		fatal("user \"%s\" is in too many groups", pw->pw_name);
	list[n++] = group;
	if (setgroups((size_t)n, list) == -1)
		fatal("cannot take the groups of user \"%s\": %s", pw->pw_name,
		    strerror(errno));
}

void process_drop(const struct conf *conf, const char *path)
{
	assert(conf != NULL && path != NULL);
	if (geteuid() == 0) {
		const struct passwd *pw = user_of(conf, path);

		take_groups(pw, group_of(conf, path));
		if (setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) == -1 ||
		    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) == -1)
			fatal("cannot become user \"%s\": %s", conf->user,
			    strerror(errno));
		if (pw->pw_uid != 0 && setuid(0) != -1)
			fatal("still root after becoming user \"%s\"",
			    conf->user);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		log_warn("start no_new_privs");
}

void process_notify(const char *state)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");

	assert(state != NULL);
	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    !slice_copy(slice_str(path), sun.sun_path, sizeof(sun.sun_path)))
		return;
	socklen_t len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (sun.sun_path[0] == '@') /* sd_notify(3): an abstract socket */
		sun.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		(const struct sockaddr *)&sun, len) == -1)
		log_warn("start notify=%s", path);
	sock_close(&fd);
}
