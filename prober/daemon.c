/*
 * daemon.c - limits, sockets, privileges, the service manager.
 *
 * The order is main()'s: sockets first, for /run belongs to root, then the
 * privileges go, and what comes after runs without them.
 */
#include "daemon.h"

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
#include "sock.h"

/* Members of all clusters at REST and SQL, etcd, agents, checks, ourselves. */
static rlim_t files_needed(const struct conf *conf)
{
	return 256 + (rlim_t)conf->cluster_n * (LIM_MEMBERS * 2 + 4);
}

void daemon_limits(const struct conf *conf)
{
	struct rlimit rl;

	assert(conf != NULL);
	rlim_t need = files_needed(conf);
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1 || rl.rlim_cur >= need)
		return;
	/* Root may raise the hard limit too; others take what is there. */
	struct rlimit want = {need, rl.rlim_max > need ? rl.rlim_max : need};
	if (setrlimit(RLIMIT_NOFILE, &want) == 0)
		return;
	rl.rlim_cur = rl.rlim_max < need ? rl.rlim_max : need;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		log_warn("start limit=nofile");
}

static struct sock_owner owner_of(const struct conf *conf, const char *path)
{
	struct sock_owner none = {(uid_t)-1, (gid_t)-1};

	if (geteuid() != 0)
		return none;
	const struct passwd *pw = getpwnam(conf->user);
	if (pw == NULL)
		fatal("%s: user: \"%s\", expected a user of this system", path,
		    conf->user);
	struct sock_owner owner = {pw->pw_uid, (gid_t)-1};
	const struct group *gr = getgrnam(conf->group);
	if (gr == NULL)
		fatal("%s: group: \"%s\", expected a group of this system",
		    path, conf->group);
	owner.gid = gr->gr_gid;
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

static int listen_unix(const char *conf_path, const char *key, const char *path,
    int type, struct sock_owner owner)
{
	int fd = sock_listen_unix(path, type, owner);

	if (fd == -1)
		fatal("%s: %s: cannot listen on %s: %s", conf_path, key, path,
		    listen_error());
	return fd;
}

void daemon_listen(
    const struct conf *conf, const char *path, struct daemon_socks *out)
{
	const struct conf_prober *p = &conf->prober;

	assert(path != NULL && out != NULL);
	struct sock_owner owner = owner_of(conf, path);
	out->http_tcp = sock_listen_tcp(p->http_address, p->http_port);
	if (out->http_tcp == -1)
		fatal("%s: prober.http_address, prober.http_port: cannot "
		      "listen on %s port %u: %s",
		    path, p->http_address, p->http_port, listen_error());
	out->feed = listen_unix(
	    path, "prober.feed_socket", p->feed_socket, SOCK_SEQPACKET, owner);
	out->http_unix = listen_unix(
	    path, "prober.http_socket", p->http_socket, SOCK_STREAM, owner);
}

void daemon_unlisten(struct daemon_socks *s)
{
	assert(s != NULL);
	sock_close(&s->feed);
	sock_close(&s->http_unix);
	sock_close(&s->http_tcp);
}

/* The user's groups and conf->group: HAProxy's sockets belong to that one. */
static void take_groups(const struct conf *conf, const struct passwd *pw)
{
	gid_t list[64];
	int n = (int)(sizeof(list) / sizeof(list[0])) - 1;
	const struct group *gr = getgrnam(conf->group);

	if (getgrouplist(pw->pw_name, pw->pw_gid, list, &n) == -1)
		fatal("user \"%s\" is in too many groups", pw->pw_name);
	if (gr != NULL)
		list[n++] = gr->gr_gid;
	if (setgroups((size_t)n, list) == -1)
		fatal("cannot take the groups of user \"%s\": %s", pw->pw_name,
		    strerror(errno));
}

static void become(const struct conf *conf, const char *path)
{
	const struct passwd *pw = getpwnam(conf->user);

	if (pw == NULL)
		fatal("%s: user: \"%s\", expected a user of this system", path,
		    conf->user);
	take_groups(conf, pw);
	if (setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) == -1 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) == -1)
		fatal("cannot become user \"%s\": %s", conf->user,
		    strerror(errno));
	if (pw->pw_uid != 0 && setuid(0) != -1)
		fatal("still root after becoming user \"%s\"", conf->user);
}

void daemon_drop(const struct conf *conf, const char *path)
{
	assert(conf != NULL && path != NULL);
	if (geteuid() == 0)
		become(conf, path);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		log_warn("start no_new_privs");
	if (access(path, R_OK) == -1)
		log_warn("start file=%s user=%s SIGHUP will not be able to "
			 "read it",
		    path, conf->user);
	for (unsigned i = 0; i < conf->cluster_n; i++) {
		const struct conf_cluster *c = &conf->cluster[i];

		if (c->probe_passfile[0] != '\0' &&
		    access(c->probe_passfile, R_OK) == -1)
			fatal("%s: cluster %s, probe_passfile: user \"%s\" "
			      "cannot read %s: %s",
			    path, c->name, conf->user, c->probe_passfile,
			    strerror(errno));
	}
}

void daemon_notify(const char *state)
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
		log_warn("start notify");
	sock_close(&fd);
}
