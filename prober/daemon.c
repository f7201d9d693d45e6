/*
 * daemon.c - what the prober needs of limits, sockets and privileges.
 *
 * The order is main()'s: sockets first, for /run belongs to root, then the
 * privileges go, and what comes after runs without them.
 */
#include "daemon.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "process.h"
#include "sock.h"

/* Members of all clusters at REST and SQL, etcd, agents, checks, ourselves. */
static uint32_t files_needed(const struct conf *conf)
{
	return 2 * LIM_HTTP_CONNS + 128 +
	    (uint32_t)conf->cluster_n * (LIM_MEMBERS * 2 + 4);
}

void daemon_limits(const struct conf *conf)
{
	assert(conf != NULL);
	uint32_t want = files_needed(conf), have = process_files(want);
	if (have < want)
		log_warnx("start limit=nofile have=%u expected=%u clusters=%u: "
			  "members may be too many to be asked",
		    have, want, conf->cluster_n);
}

static int listen_unix(const char *conf_path, const char *key, const char *path,
    int type, struct sock_owner owner)
{
	int fd = sock_listen_unix(path, type, owner);

	if (fd == -1)
		fatal("%s: %s: cannot listen on %s: %s", conf_path, key, path,
		    process_listen_error());
	return fd;
}

/*
 * Its loss costs what outlives a restart, so it ends nothing. Below /var/lib
 * where root may make it; a folder that is there becomes the user's.
 */
static void make_state_dir(const char *path, struct sock_owner owner)
{
	bool made = mkdir(path, 0750) == 0 || errno == EEXIST;

	if (made && geteuid() == 0)
		made = chown(path, owner.uid, owner.gid) == 0;
	if (!made || access(path, W_OK) == -1)
		log_warn("start state_dir=%s orders of this host alone will "
			 "not outlive a restart",
		    path);
}

void daemon_listen(
    const struct conf *conf, const char *path, struct daemon_socks *out)
{
	const struct conf_prober *p = &conf->prober;

	assert(path != NULL && out != NULL);
	struct sock_owner owner = process_owner(conf, path);
	out->http_tcp = sock_listen_tcp(p->http_address, p->http_port);
	if (out->http_tcp == -1)
		fatal("%s: prober.http_address, prober.http_port: cannot "
		      "listen on %s port %u: %s",
		    path, p->http_address, p->http_port,
		    process_listen_error());
	out->feed = listen_unix(
	    path, "prober.feed_socket", p->feed_socket, SOCK_SEQPACKET, owner);
	out->http_unix = listen_unix(
	    path, "prober.http_socket", p->http_socket, SOCK_STREAM, owner);
	make_state_dir(p->state_dir, owner);
}

void daemon_unlisten(struct daemon_socks *s)
{
	assert(s != NULL);
	sock_close(&s->feed);
	sock_close(&s->http_unix);
	sock_close(&s->http_tcp);
}

void daemon_drop(const struct conf *conf, const char *path)
{
	assert(conf != NULL && path != NULL);
	process_drop(conf, path);
	if (access(path, R_OK) == -1)
		log_warn("start file=%s user=%s SIGHUP will not be able to "
			 "read it",
		    path, conf->user);
	for (unsigned i = 0; i < conf->cluster_n; i++) {
		const struct conf_cluster *c = &conf->cluster[i];

		struct conf_file f[CONF_FILES];

		conf_files(c, f);
		for (unsigned k = 0; k < CONF_FILES; k++)
			if (f[k].path[0] != '\0' &&
			    access(f[k].path, R_OK) == -1)
				fatal("%s: cluster %s, %s: user \"%s\" cannot "
				      "read %s: %s",
				    path, c->name, f[k].key, conf->user,
				    f[k].path, strerror(errno));
	}
}
