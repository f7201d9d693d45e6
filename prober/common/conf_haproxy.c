/*
 * conf_haproxy.c - what of HAProxy's does not go together; see conf_int.h.
 */
#include <inttypes.h>

#include "conf_int.h"

/* NAME is CLUSTER_classic: their backends would have the same names. */
static bool is_name_taken(const char *name, const char *cluster)
{
	size_t n = strlen(cluster);

	return strncmp(name, cluster, n) == 0 &&
	    strcmp(name + n, "_classic") == 0;
}

static bool check_name(const struct conf_src *src, const struct conf *c, int i)
{
	const char *name = c->cluster[i].name;

	for (int j = 0; j < c->cluster_n; j++) {
		if (is_name_taken(name, c->cluster[j].name))
			return conf_fail(src,
			    conf_section_at(src, "cluster", i)->line,
			    "cluster: %s has backends %s_classic_write and so "
			    "on in HAProxy, expected another name than %s",
			    c->cluster[j].name, c->cluster[j].name, name);
	}
	return true;
}

static bool check_servers(
    const struct conf_src *src, const struct conf_cluster *cl, cfg_t *sec)
{
	for (unsigned i = 0; i < cl->hap.server_n; i++) {
		const char *member = cl->hap.server[i].member;
		const char *name = conf_server_of(cl, member);

		if (!is_conf_label(slice_str(name)))
			return conf_fail(src, conf_line(sec, "servers", i),
			    "cluster.servers: %s is no name for HAProxy, "
			    "expected letters, digits, '.', '_', '-', or "
			    "another one for it in cluster.server_map",
			    name);
		for (unsigned j = 0; j < i; j++) {
			const char *other = cl->hap.server[j].member;

			if (strcmp(conf_server_of(cl, other), name) == 0)
				return conf_fail(src,
				    conf_line(sec, "servers", i),
				    "cluster.servers: %s stands there twice, "
				    "expected each server once",
				    name);
		}
	}
	return true;
}

static bool check_listen(
    const struct conf_src *src, const struct conf *c, int i)
{
	const struct conf_listen *l = &c->listen[i];
	cfg_t *sec = conf_section_at(src, "listen", i);
	bool has_lag =
	    l->max_lag.bytes != UINT64_MAX || l->max_lag.ms != UINT32_MAX;

	if (l->port == c->haproxy.stats_port)
		return conf_fail(src, conf_line(sec, "port", 0),
		    "listen.port: %u is haproxy.stats_port's, expected another",
		    (unsigned)l->port);
	if (l->hap.least_conn &&
	    (l->target != INTENT_REPLICA || l->startup_options || has_lag))
		return conf_fail(src, conf_line(sec, "least_conn", 0),
		    "listen.least_conn: HAProxy chooses among all fit "
		    "replicas, expected target = replica, no max_lag and no "
		    "startup_options beside it");
	return true;
}

/* What the ports that name a number take must leave something to the rest. */
static bool check_maxconn(const struct conf_src *src, const struct conf *c)
{
	uint64_t sum = c->haproxy.stats_maxconn, shares = 0;

	for (int i = 0; i < c->listen_n; i++) {
		sum += c->listen[i].hap.maxconn;
		shares += c->listen[i].hap.maxconn == 0;
	}
	if (sum + shares <= c->haproxy.maxconn)
		return true;
	return conf_fail(src,
	    conf_line(conf_section_at(src, "haproxy", 0), "maxconn", 0),
	    "haproxy.maxconn: %u, expected at least %" PRIu64
	    ": the listeners' "
	    "maxconn and haproxy.stats_maxconn together, and one for each "
	    "listener without",
	    (unsigned)c->haproxy.maxconn, sum + shares);
}

bool conf_check_haproxy(const struct conf_src *src, const struct conf *c)
{
	assert(src != NULL && c != NULL);
	if (c->haproxy.stats_port == c->prober.http_port)
		return conf_fail(src,
		    conf_line(
			conf_section_at(src, "haproxy", 0), "stats_port", 0),
		    "haproxy.stats_port: %u is prober.http_port's, expected "
		    "another",
		    (unsigned)c->haproxy.stats_port);
	for (int i = 0; i < c->cluster_n; i++) {
		if (!check_name(src, c, i) ||
		    !check_servers(src, &c->cluster[i],
			conf_section_at(src, "cluster", i)))
			return false;
	}
	for (int i = 0; i < c->listen_n; i++) {
		if (!check_listen(src, c, i))
			return false;
	}
	return check_maxconn(src, c);
}
