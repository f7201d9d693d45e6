/*
 * conf_check.c - what no single value shows; see conf_int.h.
 *
 * Each check names the later of the two places that do not go together.
 */
#include "conf_int.h"

/* One list of endpoints, `key` by name. */
static bool check_endpoints(const struct conf_src *src, cfg_t *sec,
    const char *key, const struct conf_endpoint *e, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = 0; j < i; j++) {
			if (strcmp(e[i].host, e[j].host) == 0 &&
			    e[i].port == e[j].port)
				return conf_fail(src, conf_line(sec, key, i),
				    "cluster.%s: %s:%u stands there twice, "
				    "expected each endpoint once",
				    key, e[i].host, (unsigned)e[i].port);
		}
	}
	return true;
}

/*
 * Over plain http they would be for nothing, and nobody would notice: a user's
 * password would go there in cleartext, beside endpoints that are well.
 */
static bool check_etcd_tls(
    const struct conf_src *src, const struct conf_cluster *cl, cfg_t *sec)
{
	if (cl->etcd_ca[0] == '\0' && cl->etcd_cert[0] == '\0')
		return true;
	for (unsigned i = 0; i < cl->etcd_n; i++) {
		if (!cl->etcd[i].tls)
			return conf_fail(src, conf_line(sec, "etcd", i),
			    "cluster.etcd: %s:%u is http://, expected "
			    "https:// beside cluster.etcd_ca or "
			    "cluster.etcd_cert",
			    cl->etcd[i].host, (unsigned)cl->etcd[i].port);
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
	cfg_t *sec = conf_section_at(src, "cluster", i);

	if (cl->silence_close.us < cl->silence.us)
		return conf_fail(src, sec->line,
		    "cluster.silence_close: shorter than cluster.silence, "
		    "expected at least as long");
	if (cl->etcd_n == 0 && cl->patroni_n == 0)
		return conf_fail(src, sec->line,
		    "cluster.etcd: missing, expected http://HOST:PORT or "
		    "https://HOST:PORT, or cluster.patroni in its place");
	return check_endpoints(src, sec, "etcd", cl->etcd, cl->etcd_n) &&
	    check_endpoints(src, sec, "patroni", cl->patroni, cl->patroni_n) &&
	    check_etcd_tls(src, cl, sec) && check_map(src, cl, sec) &&
	    conf_check_files(src, cl, sec);
}

static bool check_port(const struct conf_src *src, const struct conf *c, int i)
{
	uint16_t port = c->listen[i].port;
	int line = conf_line(conf_section_at(src, "listen", i), "port", 0);

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
	int line = conf_line(conf_section_at(src, "agent", 0), "listen", i);

	if (!l->is_unix && !l->tls && !is_loopback(l->addr) &&
	    !a->plain_tcp_off_loopback)
		return conf_fail(src, line,
		    "agent.listen: %s is not a loopback address, expected one, "
		    "tls:, or agent.plain_tcp_off_loopback = true",
		    l->addr);
	if (l->tls &&
	    (a->tls_cert[0] == '\0' || a->tls_key[0] == '\0' ||
		a->tls_ca[0] == '\0'))
		return conf_fail(src, line,
		    "agent.listen: tls: alone, expected agent.tls_cert, "
		    "agent.tls_key and agent.tls_ca beside it");
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

static bool check_tls(const struct conf_src *src, const struct conf_agent *a)
{
	const struct conf_file all[] = {
	    {"tls_cert", a->tls_cert, CONF_FILE_OPEN, false},
	    {"tls_key", a->tls_key, CONF_FILE_GROUP, false},
	    {"tls_ca", a->tls_ca, CONF_FILE_OPEN, false}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!conf_check_file(src, conf_section_at(src, "agent", 0),
			"agent", &all[i]))
			return false;
	return true;
}

struct used_path {
	const char *section, *name, *path;
	unsigned i;
};

static void add_sockets(struct used_path *p, unsigned *n, const char *name,
    const struct conf_sockets *s)
{
	for (unsigned i = 0; i < s->n; i++)
		p[(*n)++] = (struct used_path){"prober", name, s->path[i], i};
}

/* One path cannot be two sockets. */
static bool check_paths(const struct conf_src *src, const struct conf *c)
{
	struct used_path p[3 + 2 * LIM_HAPROXIES + LIM_AGENT_LISTEN] = {
	    {"prober", "feed_socket", c->prober.feed_socket, 0},
	    {"prober", "http_socket", c->prober.http_socket, 0},
	    {"agent", "desk_socket", c->agent.desk_socket, 0}};
	unsigned n = 3;

	add_sockets(p, &n, "haproxy_socket", &c->prober.haproxy_socket);
	add_sockets(
	    p, &n, "haproxy_master_socket", &c->prober.haproxy_master_socket);
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
			    conf_line(conf_section_at(src, p[i].section, 0),
				p[i].name, p[i].i),
			    "%s.%s: %s is %s.%s's, expected another",
			    p[i].section, p[i].name, p[i].path, p[j].section,
			    p[j].name);
		}
	}
	return true;
}

/* Where there is an address, nothing of it is guessed. */
static bool check_vip(const struct conf_src *src, const struct conf_vip *v)
{
	cfg_t *sec = conf_section_at(src, "vip", 0);

	if (v->address[0] != '\0' && v->nic[0] == '\0')
		return conf_fail(src, conf_line(sec, "address", 0),
		    "vip.nic: missing, expected the network interface of "
		    "vip.address");
	if (v->address[0] == '\0' && v->nic[0] != '\0')
		return conf_fail(src, conf_line(sec, "nic", 0),
		    "vip.nic: alone, expected vip.address beside it");
	for (unsigned i = 0; i < v->host_n; i++) {
		for (unsigned j = 0; j < i; j++) {
			if (strcmp(v->host[i], v->host[j]) == 0)
				return conf_fail(src,
				    conf_line(sec, "hosts", i),
				    "vip.hosts: %s stands there twice, "
				    "expected each host once",
				    v->host[i]);
		}
	}
	return true;
}

/* To observe is to leave the routing to the classic way, agent or none. */
static bool check_observe(
    const struct conf_src *src, const struct conf *c, int i)
{
	cfg_t *sec = conf_section_at(src, "cluster", i);

	if (!c->cluster[i].observe ||
	    c->haproxy.on_prober_loss != CONF_LOSS_REFUSE)
		return true;
	return conf_fail(src, conf_line(sec, "observe", 0),
	    "cluster.observe: true beside haproxy.on_prober_loss = refuse, "
	    "which leaves no classic way where the agent is lost, expected "
	    "on_prober_loss = classic");
}

bool conf_check(const struct conf_src *src, const struct conf *c)
{
	assert(src != NULL && c != NULL);
	for (int i = 0; i < c->cluster_n; i++) {
		if (!check_cluster(src, c, i) || !check_observe(src, c, i))
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
	return check_tls(src, &c->agent) && check_paths(src, c) &&
	    check_vip(src, &c->vip) && conf_check_haproxy(src, c);
}
