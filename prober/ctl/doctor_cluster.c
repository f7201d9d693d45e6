/*
 * doctor_cluster.c - a cluster's etcd, Patroni and PostgreSQL, judged by what
 * was found out; see doctor.h. Pure.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "text.h"

#define ETCD_OLDEST 30400 /* before it the gateway has other paths */
#define PATRONI_OLDEST 30000
#define PG_OLDEST 120000
#define CERT_BAD_DAYS 7.0
#define CERT_WARN_DAYS 30.0
#define CLOCK_HINT_S 5.0

void doctor_etcds(struct doctor *d, const struct doctor_cluster *c)
{
	unsigned ok = 0;

	d->area = "etcd";
	for (unsigned i = 0; i < c->etcd_n; i++) {
		const struct doctor_etcd *e = &c->etcd[i];
		int version = doctor_version(e->version);

		ok += e->peer.ok ? 1 : 0;
		if (!e->peer.ok)
			doctor_say(d, DOCTOR_WARN,
			    "open the port from this host, or correct "
			    "cluster.etcd",
			    "%s does not answer this host: %s", e->name,
			    e->peer.why);
		else if (version != 0 && version < ETCD_OLDEST)
			doctor_say(d, DOCTOR_WARN,
			    "upgrade it: 3.4 and 3.5 are tried",
			    "%s is etcd %s", e->name, e->version);
		else
			doctor_say(d, DOCTOR_OK, NULL,
			    "%s answers this host, etcd %s", e->name,
			    e->version[0] != '\0' ? e->version : "?");
	}
	if (c->etcd_n == 0)
		doctor_say(d, DOCTOR_WARN,
		    "set cluster.etcd where Patroni uses etcd: without the "
		    "leader key there is less proof, and orders are this "
		    "host's only",
		    "no etcd is configured");
	else if (ok == 0)
		doctor_say(d, DOCTOR_BAD,
		    "the prober must reach at least one endpoint",
		    "none of etcd's endpoints answers");
	else if (c->etcd_n == 1)
		doctor_say(d, DOCTOR_WARN, "name all of them in cluster.etcd",
		    "only one endpoint of etcd is configured");
}

static void patroni_member(struct doctor *d, const struct doctor_member *m)
{
	int version = doctor_version(m->patroni);

	if (!m->rest.asked)
		doctor_say(d, DOCTOR_WARN,
		    "see `patroutectl explain` for what is known of it",
		    "where the REST API of %s is, is not known", m->name);
	else if (!m->rest.ok)
		doctor_say(d, DOCTOR_BAD,
		    "open Patroni's REST port from this host; HAProxy's "
		    "classic way needs it too",
		    "the REST API of %s does not answer this host: %s", m->name,
		    m->rest.why);
	else if (version != 0 && version < PATRONI_OLDEST)
		doctor_say(d, DOCTOR_WARN,
		    "upgrade it: 3.0, 4.0 and 4.1 are tried",
		    "%s runs Patroni %s", m->name, m->patroni);
	else
		doctor_say(d, DOCTOR_OK, NULL,
		    "the REST API of %s answers this host, Patroni %s", m->name,
		    m->patroni[0] != '\0' ? m->patroni : "?");
}

/* Patroni's own rule, and what of ours depends on its timings. */
static void patroni_timings(struct doctor *d, const struct doctor_cluster *c)
{
	double fence = dur_to_s(c->own->fence);

	if (c->ttl < c->loop_wait + 2 * c->retry_timeout)
		doctor_say(d, DOCTOR_BAD,
		    "patronictl edit-config: ttl at least loop_wait + 2 * "
		    "retry_timeout",
		    "ttl %.0f is below loop_wait %.0f + 2 * retry_timeout "
		    "%.0f: the leader may lose its key while etcd is slow",
		    c->ttl, c->loop_wait, c->retry_timeout);
	else
		doctor_say(d, DOCTOR_OK, NULL,
		    "ttl %.0f, loop_wait %.0f and retry_timeout %.0f fit "
		    "together",
		    c->ttl, c->loop_wait, c->retry_timeout);
	if (fence < c->ttl)
		doctor_say(d, DOCTOR_BAD,
		    "set cluster.fence to Patroni's ttl or more",
		    "fence %.0f s is shorter than Patroni's ttl %.0f: an old "
		    "leader that comes back would not be told in time",
		    fence, c->ttl);
}

void doctor_patronis(struct doctor *d, const struct doctor_cluster *c)
{
	d->area = "patroni";
	for (unsigned i = 0; i < c->n; i++)
		patroni_member(d, &c->m[i]);
	if (c->n == 0)
		doctor_say(d, DOCTOR_BAD,
		    "see cluster.scope, namespace and etcd: no keys are "
		    "where they say",
		    "no member is known");
	if (c->has_config)
		patroni_timings(d, c);
	else if (c->n > 0)
		doctor_say(d, DOCTOR_WARN,
		    "`curl http://MEMBER:8008/config` should answer",
		    "Patroni's ttl, loop_wait and retry_timeout could not be "
		    "read");
	if (c->pause)
		doctor_say(d, DOCTOR_WARN,
		    "patronictl resume, once the maintenance is over",
		    "Patroni is paused: nobody takes over by itself");
}

static void server(struct doctor *d, const struct doctor_member *m)
{
	if (!m->sql.asked)
		return;
	if (!m->sql.ok)
		doctor_say(d, DOCTOR_BAD,
		    "pg_hba.conf of each member must let the probe's role in "
		    "from this host",
		    "%s: %s", m->name, m->sql.why);
	else if (m->version > 0 && m->version < PG_OLDEST)
		doctor_say(d, DOCTOR_WARN,
		    "upgrade it: 15, 17 and 18 are tried",
		    "%s is PostgreSQL %d", m->name, m->version / 10000);
	else
		doctor_say(d, DOCTOR_OK, NULL,
		    "%s lets the probe's role in, PostgreSQL %d.%d%s", m->name,
		    m->version / 10000, m->version % 10000,
		    m->sees_all ? "" : "; for `who` it would need pg_monitor");
}

void doctor_servers(struct doctor *d, const struct doctor_cluster *c)
{
	d->area = "postgresql";
	if (c->own->probe_user[0] == '\0')
		doctor_say(d, DOCTOR_WARN,
		    "make the role and set cluster.probe_user and "
		    "probe_passfile: PostgreSQL's own word is quicker and "
		    "surer",
		    "there is no probe_user: Patroni's REST API stands in for "
		    "PostgreSQL");
	for (unsigned i = 0; i < c->n; i++)
		server(d, &c->m[i]);
}

/* May it take over, as Patroni sees it? */
static bool is_candidate(
    const struct doctor_cluster *c, const struct doctor_member *m)
{
	if (m->leader || m->nofailover || !m->running || !m->rest.ok)
		return false;
	if (c->sync_mode)
		return m->sync;
	return m->lag >= 0 && m->lag <= c->max_lag_on_failover;
}

static unsigned name_candidates(
    const struct doctor_cluster *c, char *names, size_t size)
{
	unsigned n = 0;
	size_t used = 0;

	names[0] = '\0';
	for (unsigned i = 0; i < c->n; i++) {
		char lag[TEXT_SIZE];

		if (!is_candidate(c, &c->m[i]))
			continue;
		if (used < size)
			used += (size_t)snprintf(names + used, size - used,
			    "%s%s (lag %s)", n > 0 ? ", " : "", c->m[i].name,
			    text_bytes(c->m[i].lag, lag));
		n++;
	}
	return n;
}

void doctor_failover(struct doctor *d, const struct doctor_cluster *c)
{
	char names[200];
	const char *leader = NULL;
	unsigned n = name_candidates(c, names, sizeof(names));
	double hold = dur_to_s(c->conf->agent.hold_timeout);

	d->area = "failover";
	for (unsigned i = 0; i < c->n; i++)
		if (c->m[i].leader)
			leader = c->m[i].name;
	if (leader == NULL)
		doctor_say(d, DOCTOR_BAD,
		    "see patronictl list: a leader must be there before "
		    "HAProxy is switched over",
		    "the cluster has no leader now");
	else if (n == 0)
		doctor_say(d, DOCTOR_BAD,
		    "see the replicas' lag, their tag nofailover, and "
		    "synchronous_mode",
		    "if %s died now, nobody could take over", leader);
	else
		doctor_say(d, n > 1 ? DOCTOR_OK : DOCTOR_WARN,
		    n > 1 ? NULL
			  : "a second candidate would survive two "
			    "failures",
		    "if %s died now, %s would take over", leader, names);
	if (!c->has_config || leader == NULL)
		return;
	doctor_say(d, DOCTOR_OK, NULL,
	    "its key would be free after %.0f to %.0f s (ttl, loop_wait); "
	    "new writes wait %.0f s (hold_timeout), then get a sentence",
	    c->ttl > c->loop_wait ? c->ttl - c->loop_wait : 0, c->ttl, hold);
}

static void cert(struct doctor *d, const char *what, const char *name,
    const struct doctor_peer *p)
{
	if (!p->has_cert)
		return;
	doctor_say(d,
	    p->cert_days < CERT_BAD_DAYS        ? DOCTOR_BAD
		: p->cert_days < CERT_WARN_DAYS ? DOCTOR_WARN
						: DOCTOR_OK,
	    p->cert_days < CERT_WARN_DAYS ? "renew it" : NULL,
	    p->cert_days < 0 ? "the certificate of %s %s ended %.0f days ago"
			     : "the certificate of %s %s ends in %.0f days",
	    what, name, fabs(p->cert_days));
}

void doctor_certs(struct doctor *d, const struct doctor_cluster *c)
{
	d->area = "tls";
	for (unsigned i = 0; i < c->etcd_n; i++)
		cert(d, "etcd", c->etcd[i].name, &c->etcd[i].peer);
	for (unsigned i = 0; i < c->n; i++) {
		cert(d, "Patroni on", c->m[i].name, &c->m[i].rest);
		cert(d, "PostgreSQL on", c->m[i].name, &c->m[i].sql);
	}
}

void doctor_clocks(struct doctor *d, const struct doctor_cluster *c)
{
	unsigned n = 0;
	bool far = false;

	d->area = "clocks";
	for (unsigned i = 0; i < c->n; i++) {
		const struct doctor_member *m = &c->m[i];

		n += m->rest.has_clock ? 1 : 0;
		if (!m->rest.has_clock || fabs(m->rest.clock_s) < CLOCK_HINT_S)
			continue;
		far = true;
		doctor_say(d, DOCTOR_WARN,
		    "see chrony or ntpd there; patroute itself compares no "
		    "clocks, logs do",
		    "the clock of %s is %.0f s %s this host's", m->name,
		    fabs(m->rest.clock_s),
		    m->rest.clock_s > 0 ? "ahead of" : "behind");
	}
	if (n > 0 && !far)
		doctor_say(d, DOCTOR_OK, NULL,
		    "the members' clocks are within %.0f s of this host's",
		    CLOCK_HINT_S);
}
