/*
 * member.c - see member.h. Called by cluster.c.
 */
#include "member.h"

#include <assert.h>
#include <string.h>

#include "app.h"
#include "patroni.h"
#include "postgres.h"
#include "resolve.h"
#include "roster.h"

static void to_numeric(
    struct cluster *c, const char *host, char addr[static LIM_ADDR])
{
	if (!resolve_get(c->app->resolve, host, addr))
		addr[0] = '\0';
}

/* Where SQL asks: at conn_url, unless the configuration knows better. */
static void point_sql(struct cluster_member *m)
{
	struct cluster *c = m->cluster;
	const struct ev_dcs_member *d = &c->ev.m[m->i].dcs;
	const struct conf_probe_at *at = conf_probe_at(c->conf, d->name);
	const char *host =
	    at != NULL && at->host[0] != '\0' ? at->host : d->host;
	struct pg_target to = {.port = at != NULL ? at->port : d->port};

	to_numeric(c, host, to.addr);
	if (!slice_copy(slice_str(host), to.name, sizeof(to.name)))
		to.addr[0] = '\0';
	pg_probe_target(m->sql, &to);
}

bool is_member_proxied(const struct cluster *c, int member)
{
	assert(c != NULL && member >= 0 && member < c->ev.n);
	return c->conf->use_proxy_url &&
	    c->ev.m[member].dcs.proxy_host[0] != '\0';
}

void member_point(struct cluster_member *m)
{
	struct cluster *c = m->cluster;
	const struct ev_dcs_member *d = &c->ev.m[m->i].dcs;
	char api[LIM_ADDR] = "";

	to_numeric(c, d->host, c->addr[m->i]);
	to_numeric(c, is_member_proxied(c, m->i) ? d->proxy_host : d->host,
	    c->front[m->i]);
	to_numeric(c, d->api_host, api);
	patroni_probe_target(
	    m->rest, api, d->api_host, d->api_port, d->api_tls);
	if (m->sql != NULL)
		point_sql(m);
}

static void ask_rest(struct cluster_member *m, struct mono now)
{
	struct cluster *c = m->cluster;
	enum patroni_ask what = is_tick_primary(&c->ev, &c->policy, now)
	    ? PATRONI_PRIMARY
	    : PATRONI_STATUS;

	/* Not the leader's, whose claim must not grow old meanwhile. */
	if (is_roster_turn(c->roster, m->i, now) &&
	    (c->ev.confirmed < 0 || (uint8_t)c->ev.confirmed != m->i ||
		c->ev.n == 1))
		what = PATRONI_CLUSTER;
	if (patroni_probe_ask(m->rest, what) && what == PATRONI_CLUSTER)
		roster_asked(c->roster, c->ev.n == 1 ? -1 : m->i, now);
}

void member_ask(
    struct cluster_member *m, const struct tick_out *due, struct mono now)
{
	if (due->sql) {
		m->slot.last_sql = now;
		if (due->hurried)
			m->slot.hurried = now;
		(void)pg_probe_ask(m->sql);
	}
	if (due->rest) {
		m->slot.last_rest = now;
		member_point(m); /* keeps host names fresh, too */
		ask_rest(m, now);
	}
}

bool member_make(struct cluster_member *m, const struct sink *sink)
{
	struct cluster *c = m->cluster;
	const struct conf_cluster *conf = c->conf;
	struct pg_cfg cfg;

	m->rest = patroni_probe_new(c->app->http, &c->patroni, sink, m->i);
	if (m->rest == NULL)
		return false;
	if (!c->ev.sql_configured)
		return true;
	memset(&cfg, 0, sizeof(cfg));
	memcpy(cfg.user, conf->probe_user, sizeof(cfg.user));
	memcpy(cfg.dbname, conf->probe_dbname, sizeof(cfg.dbname));
	memcpy(cfg.passfile, conf->probe_passfile, sizeof(cfg.passfile));
	cfg.sslmode = conf->probe_sslmode;
	memcpy(
	    cfg.sslrootcert, conf->probe_sslrootcert, sizeof(cfg.sslrootcert));
	memcpy(cfg.sslcert, conf->probe_sslcert, sizeof(cfg.sslcert));
	memcpy(cfg.sslkey, conf->probe_sslkey, sizeof(cfg.sslkey));
	m->sql = pg_probe_new(c->app->pg, &cfg, sink, m->i);
	return m->sql != NULL;
}

void member_end(struct cluster_member *m)
{
	patroni_probe_free(m->rest);
	pg_probe_free(m->sql);
	m->rest = NULL;
	m->sql = NULL;
}
