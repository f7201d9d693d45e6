/*
 * priv.c - limits, sockets, privileges, the service manager; see priv.h.
 *
 * The order is main()'s: sockets first, for /run belongs to root, then the
 * privileges go.
 */
#include "priv.h"

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
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

/* HAProxy 3.2 opens one connection for each held stream of a burst. */
#define FILES_WANTED 32768

uint32_t priv_files(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return 256;
	if (rl.rlim_cur >= FILES_WANTED)
		return FILES_WANTED;
	rl.rlim_cur = rl.rlim_max < FILES_WANTED ? rl.rlim_max : FILES_WANTED;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		log_warn("start limit=nofile");
	return getrlimit(RLIMIT_NOFILE, &rl) == -1 ? 256
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

static struct listen_owner owner_of(const struct conf *conf, const char *path)
{
	struct listen_owner owner = {(uid_t)-1, (gid_t)-1};

	if (geteuid() != 0)
		return owner;
	owner.uid = user_of(conf, path)->pw_uid;
	owner.gid = group_of(conf, path);
	return owner;
}

static const char *listen_error(void)
{
	if (errno == EADDRINUSE)
		return "somebody listens there already";
	if (errno == EADDRNOTAVAIL)
		return "this host has no such address";
	if (errno == ENOTSOCK)
		return "there is a file that is no socket";
	return strerror(errno);
}

/* The socket's folder, if nobody has made it yet: it is under /run. */
static void make_folder(const char *path, struct listen_owner owner)
{
	char folder[LIM_PATH];
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return;
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	if (mkdir(folder, 0750) == 0 &&
	    chown(folder, owner.uid, owner.gid) == -1)
		log_warn("start folder=%s", folder);
}

static void listen_path(const char *conf_path, const char *key,
    const char *path, struct listen_owner owner, struct listeners *out)
{
	make_folder(path, owner);
	if (listener_unix(out, path, owner) == -1)
		fatal("%s: %s: cannot listen on unix:%s: %s", conf_path, key,
		    path, listen_error());
}

void priv_listen(
    const struct conf *conf, const char *path, struct listeners *out)
{
	struct listen_owner owner;

	assert(conf != NULL && path != NULL && out != NULL);
	owner = owner_of(conf, path);
	for (unsigned i = 0; i < conf->agent.listen_n; i++) {
		const struct conf_agent_listen *l = &conf->agent.listen[i];

		if (l->is_unix) {
			listen_path(path, "agent.listen", l->path, owner, out);
			continue;
		}
		if (listener_tcp(out, l->addr, l->port) == -1)
			fatal("%s: agent.listen: cannot listen on %s port "
			      "%u: %s",
			    path, l->addr, l->port, listen_error());
	}
	listen_path(
	    path, "agent.desk_socket", conf->agent.desk_socket, owner, out);
}

void priv_drop(const struct conf *conf, const char *path)
{
	const struct passwd *pw;
	gid_t group;

	assert(conf != NULL && path != NULL);
	if (geteuid() == 0) {
		pw = user_of(conf, path);
		group = group_of(conf, path);
		if (setgroups(1, &group) == -1 ||
		    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) == -1 ||
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

void priv_notify(const char *state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len;
	int fd;

	assert(state != NULL);
	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	len = strlen(path);
	if (len >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, len);
	/* sd_notify(3): an abstract socket is written with an @. */
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		(const struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) ==
	    -1)
		log_warn("start notify=%s", path);
	(void)close(fd);
}
