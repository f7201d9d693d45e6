/*
 * conf_check.c - what no single value shows; see conf_int.h.
 *
 * Each check names the later of the two places that do not go together.
 */
#include "conf_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static cfg_t *section_of(const struct conf_src *src, const char *name, int i)
{
	return cfg_getnsec(src->root, name, (unsigned)i);
}

/* Only its owner may read it: libpq passes over any other silently. */
static bool check_secret(
    const struct conf_src *src, const struct conf_cluster *cl, int line)
{
	struct stat st;

	if (cl->probe_passfile[0] == '\0')
		return true;
	if (cl->probe_user[0] == '\0')
		return conf_fail(src, line,
		    "cluster.probe_passfile: set alone, expected "
		    "cluster.probe_user beside it");
	if (stat(cl->probe_passfile, &st) == -1 ||
	    faccessat(AT_FDCWD, cl->probe_passfile, R_OK, AT_EACCESS) == -1)
		return conf_fail(src, line,
		    "cluster.probe_passfile: %s: %s, expected a readable file",
		    cl->probe_passfile, strerrordesc_np(errno));
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0)
		return conf_fail(src, line,
		    "cluster.probe_passfile: %s has mode %04o, expected a file "
		    "that only its owner may read (0600)",
		    cl->probe_passfile, (unsigned)st.st_mode & 07777U);
	return true;
}

static bool check_endpoints(
    const struct conf_src *src, const struct conf_cluster *cl, cfg_t *sec)
{
	for (unsigned i = 0; i < cl->etcd_n; i++) {
		for (unsigned j = 0; j < i; j++) {
			if (strcmp(cl->etcd[i].host, cl->etcd[j].host) == 0 &&
			    cl->etcd[i].port == cl->etcd[j].port)
				return conf_fail(src, conf_line(sec, "etcd", i),
				    "cluster.etcd: %s:%u stands there twice, "
				    "expected each endpoint once",
				    cl->etcd[i].host,
				    (unsigned)cl->etcd[i].port);
		}
	}
	return true;
}

static bool check_map(
    const struct conf_src *src, const struct conf_cluster *cl, cfg_t *sec)
{
	for (unsigned i = 0; i < cl->map_n; i++) {
		for (unsigned j = 0; j < i; j++) {
			const struct conf_map *a = &cl->map[i];
			const struct conf_map *b = &cl->map[j];
			bool is_member = strcmp(a->member, b->member) == 0;

			if (is_member || strcmp(a->server, b->server) == 0)
				return conf_fail(src,
				    conf_line(sec, "server_map", i),
				    "cluster.server_map: %s stands there "
				    "twice, expected each name once",
				    is_member ? a->member : a->server);
		}
	}
	return true;
}

static bool check_cluster(
    const struct conf_src *src, const struct conf *c, int i)
{
	const struct conf_cluster *cl = &c->cluster[i];
	cfg_t *sec = section_of(src, "cluster", i);

	if (cl->silence_close.us < cl->silence.us)
		return conf_fail(src, sec->line,
		    "cluster.silence_close: shorter than cluster.silence, "
		    "expected at least as long");
	return check_endpoints(src, cl, sec) && check_map(src, cl, sec) &&
	    check_secret(src, cl, conf_line(sec, "probe_passfile", 0));
}

static bool check_port(const struct conf_src *src, const struct conf *c, int i)
{
	uint16_t port = c->listen[i].port;
	int line = conf_line(section_of(src, "listen", i), "port", 0);

	for (int j = 0; j < i; j++) {
		if (c->listen[j].port == port)
			return conf_fail(src, line,
			    "listen.port: %u is listen %s's already, expected "
			    "each port once",
			    (unsigned)port, c->listen[j].name);
	}
	if (c->prober.http_port == port)
		return conf_fail(src, line,
		    "listen.port: %u is prober.http_port's, expected another",
		    (unsigned)port);
	for (unsigned j = 0; j < c->agent.listen_n; j++) {
		if (c->agent.listen[j].port == port)
			return conf_fail(src, line,
			    "listen.port: %u is agent.listen's, expected "
			    "another",
			    (unsigned)port);
	}
	return true;
}

static bool is_loopback(const char *addr)
{
	return strncmp(addr, "127.", 4) == 0 || strcmp(addr, "::1") == 0;
}

static bool check_agent_listen(
    const struct conf_src *src, const struct conf_agent *a, unsigned i)
{
	const struct conf_agent_listen *l = &a->listen[i];
	int line = conf_line(section_of(src, "agent", 0), "listen", i);

	if (!l->is_unix && !is_loopback(l->addr) && !a->plain_tcp_off_loopback)
		return conf_fail(src, line,
		    "agent.listen: %s is not a loopback address, expected one, "
		    "or agent.plain_tcp_off_loopback = true",
		    l->addr);
	for (unsigned j = 0; j < i; j++) {
		if (strcmp(l->path, a->listen[j].path) == 0 &&
		    strcmp(l->addr, a->listen[j].addr) == 0 &&
		    l->port == a->listen[j].port)
			return conf_fail(src, line,
			    "agent.listen: %s stands there twice, expected "
			    "each address once",
			    l->is_unix ? l->path : l->addr);
	}
	return true;
}

struct used_path {
	const char *section, *name, *path;
	unsigned i;
};

/* One path cannot be two sockets. */
static bool check_paths(const struct conf_src *src, const struct conf *c)
{
	struct used_path p[5 + LIM_AGENT_LISTEN] = {
	    {"prober", "feed_socket", c->prober.feed_socket, 0},
	    {"prober", "http_socket", c->prober.http_socket, 0},
	    {"prober", "haproxy_socket", c->prober.haproxy_socket, 0},
	    {"prober", "haproxy_master_socket", c->prober.haproxy_master_socket,
		0},
	    {"agent", "desk_socket", c->agent.desk_socket, 0}};
	unsigned n = 5;

	for (unsigned i = 0; i < c->agent.listen_n; i++) {
		if (c->agent.listen[i].is_unix)
			p[n++] = (struct used_path){
			    "agent", "listen", c->agent.listen[i].path, i};
	}
	for (unsigned i = 1; i < n; i++) {
		for (unsigned j = 0; j < i; j++) {
			if (strcmp(p[i].path, p[j].path) != 0)
				continue;
			return conf_fail(src,
			    conf_line(section_of(src, p[i].section, 0),
				p[i].name, p[i].i),
			    "%s.%s: %s is %s.%s's, expected another",
			    p[i].section, p[i].name, p[i].path, p[j].section,
			    p[j].name);
		}
	}
	return true;
}

bool conf_check(const struct conf_src *src, const struct conf *c)
{
	assert(src != NULL && c != NULL);
	for (int i = 0; i < c->cluster_n; i++) {
		if (!check_cluster(src, c, i))
			return false;
	}
	for (int i = 0; i < c->listen_n; i++) {
		if (!check_port(src, c, i))
			return false;
	}
	for (unsigned i = 0; i < c->agent.listen_n; i++) {
		if (!check_agent_listen(src, &c->agent, i))
			return false;
	}
	return check_paths(src, c);
}
