/*
 * doctor_ask.c - asks a cluster's etcd, Patroni and PostgreSQL, and HAProxy;
 * see doctor.h. Blocks, a few seconds a question.
 */
#include <math.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"
#include "doctor.h"
#include "hapask.h"
#include "json.h"
#include "look.h"
#include "num.h"
#include "pgask.h"

#define PATIENCE_MS 3000
#define DAY_S 86400.0
#define LAG_DEFAULT 1048576 /* Patroni's maximum_lag_on_failover */

static void note_http(struct doctor_peer *p, const struct ctl_http_got *got)
{
	struct timespec wall = {0};
	double now;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	now = (double)wall.tv_sec;
	if (got->cert_end != 0) {
		p->has_cert = true;
		p->cert_days = ((double)got->cert_end - now) / DAY_S;
	}
	if (got->date != 0) {
		p->has_clock = true;
		p->clock_s = (double)got->date - now;
	}
	if (got->why[0] != '\0')
		(void)snprintf(p->why, sizeof(p->why), "%.150s", got->why);
}

/* A document, NULL and why. */
static cJSON *fetch(
    struct ctl *ctl, const struct ctl_http_ask *ask, struct doctor_peer *p)
{
	struct ctl_http_got got;
	cJSON *doc = NULL;

	p->asked = true;
	p->ok = ctl_http_ask(ctl->http, ask, &got);
	note_http(p, &got);
	if (p->ok)
		doc = json_parse(slice_of(got.body, got.len));
	if (p->ok && doc == NULL) {
		p->ok = false;
		(void)snprintf(p->why, sizeof(p->why), "status %ld and no JSON",
		    got.status);
	}
	ctl_http_done(&got);
	return doc;
}

static void put_url(char url[static LIM_TEXT], bool tls, const char *host,
    uint16_t port, const char *path)
{
	bool v6 = strchr(host, ':') != NULL;

	(void)snprintf(url, LIM_TEXT, "http%s://%s%s%s:%u%s", tls ? "s" : "",
	    v6 ? "[" : "", host, v6 ? "]" : "", (unsigned)port, path);
}

static void ask_etcd(struct ctl *ctl, const struct conf_cluster *own,
    const struct conf_endpoint *at, struct doctor_etcd *out)
{
	char url[LIM_TEXT];
	const struct ctl_http_ask ask = {.url = url,
	    .timeout = dur_ms(PATIENCE_MS),
	    .ca = own->etcd_ca,
	    .cert = own->etcd_cert,
	    .key = own->etcd_key};
	cJSON *doc;

	put_url(url, at->tls, at->host, at->port, "/version");
	(void)snprintf(out->name, sizeof(out->name), "%s:%u", at->host,
	    (unsigned)at->port);
	doc = fetch(ctl, &ask, &out->peer);
	(void)snprintf(out->version, sizeof(out->version), "%.23s",
	    look_text(doc, "etcdserver", ""));
	cJSON_Delete(doc);
}

struct rest {
	struct ctl *ctl;
	const struct conf_cluster *own;
	const cJSON *dcs; /* the member's evidence of the DCS */
	char auth[LIM_SECRET];
};

/* One path of a member's REST API. */
static cJSON *ask_rest(
    const struct rest *r, const char *path, struct doctor_peer *peer)
{
	char url[LIM_TEXT];
	const struct ctl_http_ask ask = {.url = url,
	    .timeout = dur_ms(PATIENCE_MS),
	    .ca = r->own->rest_ca,
	    .cert = r->own->rest_cert,
	    .key = r->own->rest_key,
	    .user = r->auth};

	put_url(url, look_true(r->dcs, "api_tls"),
	    look_text(r->dcs, "api_host", ""),
	    (uint16_t)json_i64(r->dcs, "api_port"), path);
	return fetch(r->ctl, &ask, peer);
}

static void read_config(struct doctor_cluster *c, const cJSON *doc)
{
	const double lag = look_num(doc, "maximum_lag_on_failover");
	const char *sync = look_text(doc, "synchronous_mode", "");

	if (!cJSON_IsObject(doc))
		return;
	/* Patroni's own defaults stand where the key is silent. */
	c->has_config = true;
	c->ttl = look_num(doc, "ttl") > 0 ? look_num(doc, "ttl") : 30;
	c->loop_wait =
	    look_num(doc, "loop_wait") > 0 ? look_num(doc, "loop_wait") : 10;
	c->retry_timeout = look_num(doc, "retry_timeout") > 0
	    ? look_num(doc, "retry_timeout")
	    : 10;
	c->max_lag_on_failover = lag >= 0 ? lag : LAG_DEFAULT;
	c->sync_mode = is_json_true(doc, "synchronous_mode") ||
	    strcmp(sync, "quorum") == 0;
	c->pause = is_json_true(doc, "pause");
}

/* A member of GET /cluster. */
static void read_roster(struct doctor_member *m, const cJSON *roster)
{
	const char *role = look_text(roster, "role", "");
	const char *state = look_text(roster, "state", "");

	m->lag = look_num(roster, "lag");
	m->leader = m->leader || strcmp(role, "leader") == 0;
	m->sync = strcmp(role, "sync_standby") == 0 ||
	    strcmp(role, "quorum_standby") == 0;
	m->running = strcmp(state, "running") == 0 ||
	    strcmp(state, "streaming") == 0 ||
	    strcmp(state, "in archive recovery") == 0;
	m->nofailover = is_json_true(json_get(roster, "tags"), "nofailover");
}

/* What one Patroni says of all: the first that answers is enough. */
static void ask_all(struct doctor_cluster *c, const struct rest *r)
{
	struct doctor_peer peer = {.asked = false};
	cJSON *doc = ask_rest(r, "/cluster", &peer);

	for (const cJSON *m = json_first(json_get(doc, "members")); m != NULL;
	     m = m->next)
		for (unsigned i = 0; i < c->n; i++)
			if (strcmp(c->m[i].name, look_text(m, "name", "")) == 0)
				read_roster(&c->m[i], m);
	cJSON_Delete(doc);
	doc = ask_rest(r, "/config", &peer);
	read_config(c, doc);
	cJSON_Delete(doc);
}

static void ask_patroni(const struct rest *r, struct doctor_member *m)
{
	cJSON *doc = ask_rest(r, "/patroni", &m->rest);

	(void)snprintf(m->patroni, sizeof(m->patroni), "%.23s",
	    look_text(json_get(doc, "patroni"), "version", ""));
	cJSON_Delete(doc);
}

static int number(const PGresult *r, int column)
{
	uint64_t n = 0;

	if (PQgetisnull(r, 0, column) ||
	    !num_u64(slice_str(PQgetvalue(r, 0, column)), 0, INT32_MAX, &n))
		return 0;
	return (int)n;
}

static void note_tls(PGconn *c, struct doctor_peer *p)
{
	SSL *ssl = PQsslInUse(c) ? PQgetssl(c) : NULL;
	X509 *cert = ssl != NULL ? SSL_get1_peer_certificate(ssl) : NULL;
	int days = 0, seconds = 0;

	if (cert == NULL)
		return;
	if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) ==
	    1) {
		p->has_cert = true;
		p->cert_days = days + seconds / DAY_S;
	}
	X509_free(cert);
}

static void ask_settings(PGconn *c, struct doctor_member *m)
{
	/* reserved_connections is PostgreSQL 16's. */
	PGresult *r = PQexec(c,
	    "SELECT current_setting('max_connections'), "
	    "current_setting('superuser_reserved_connections')::int + "
	    "coalesce(current_setting('reserved_connections', true), '0')"
	    "::int, pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')");

	if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1) {
		m->max_connections = number(r, 0);
		m->reserved = number(r, 1);
		m->sees_all = PQgetvalue(r, 0, 2)[0] == 't';
	}
	PQclear(r);
}

static void ask_server(const struct conf_cluster *own, const cJSON *member,
    struct doctor_member *m)
{
	struct pgask_at at;
	PGconn *c;

	if (own->probe_user[0] == '\0' || !pgask_of(own, member, &at))
		return;
	m->sql.asked = true;
	c = pgask_open(own, &at, NULL);
	m->sql.ok = c != NULL && PQstatus(c) == CONNECTION_OK;
	if (m->sql.ok) {
		m->version = PQserverVersion(c);
		note_tls(c, &m->sql);
		ask_settings(c, m);
	} else {
		char why[PGASK_WHY];

		(void)snprintf(m->sql.why, sizeof(m->sql.why), "%.150s",
		    pgask_why(c, why));
	}
	PQfinish(c);
}

static void ask_member(
    struct ctl *ctl, struct doctor_cluster *c, const cJSON *member)
{
	struct doctor_member *m = &c->m[c->n];
	struct rest r = {.ctl = ctl,
	    .own = c->own,
	    .dcs = json_get(json_get(member, "evidence"), "dcs")};

	c->n++;
	m->lag = -1;
	m->leader = strcmp(look_text(member, "role", ""), "leader") == 0;
	(void)snprintf(
	    m->name, sizeof(m->name), "%.63s", look_text(member, "name", "?"));
	if (c->own->rest_auth[0] != '\0' &&
	    !conf_read_pair(c->own->rest_auth, r.auth))
		r.auth[0] = '\0'; /* it is read without, and says so */
	if (look_text(r.dcs, "api_host", NULL) != NULL)
		ask_patroni(&r, m);
	ask_server(c->own, member, m);
	explicit_bzero(r.auth, sizeof(r.auth));
}

void doctor_ask_cluster(struct ctl *ctl, const struct conf_cluster *own,
    const cJSON *topology_cluster, struct doctor_cluster *out)
{
	const cJSON *members = json_get(topology_cluster, "members");
	unsigned i = 0;

	memset(out, 0, sizeof(*out));
	out->conf = ctl->conf;
	out->own = own;
	out->max_lag_on_failover = LAG_DEFAULT;
	for (; out->etcd_n < own->etcd_n; out->etcd_n++)
		ask_etcd(
		    ctl, own, &own->etcd[out->etcd_n], &out->etcd[out->etcd_n]);
	for (const cJSON *m = json_first(members);
	     m != NULL && out->n < LIM_MEMBERS; m = m->next)
		ask_member(ctl, out, m);
	for (const cJSON *m = json_first(members); m != NULL && i < out->n;
	     m = m->next, i++) {
		struct rest r = {.ctl = ctl,
		    .own = own,
		    .dcs = json_get(json_get(m, "evidence"), "dcs")};

		if (!out->m[i].rest.ok)
			continue;
		ask_all(out, &r);
		break;
	}
}

static void take_info(
    struct slice line, const char *key, char *out, size_t size)
{
	size_t n = strlen(key);

	if (line.len > n && memcmp(line.p, key, n) == 0)
		(void)slice_copy(slice_skip(line, n), out, size);
}

static bool info_line(void *arg, struct slice line)
{
	struct doctor_haproxy *h = arg;
	char number[24] = "";
	uint64_t n = 0;

	take_info(line, "Version: ", h->version, sizeof(h->version));
	take_info(line, "Maxconn: ", number, sizeof(number));
	if (number[0] != '\0' && num_u64(slice_str(number), 0, INT32_MAX, &n))
		h->maxconn = (int64_t)n;
	number[0] = '\0';
	take_info(line, "Ulimit-n: ", number, sizeof(number));
	if (number[0] != '\0' && num_u64(slice_str(number), 0, INT32_MAX, &n))
		h->files = (int64_t)n;
	return true;
}

static bool any_line(void *arg, struct slice line)
{
	(void)line;
	*(bool *)arg = true;
	return true;
}

static bool read_file(const char *path, struct hapcfg *cfg)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (f == NULL)
		return false;
	hapcfg_init(cfg);
	while ((n = getline(&line, &size, f)) > 0)
		hapcfg_line(cfg, slice_of(line, (size_t)n - 1));
	hapcfg_end(cfg);
	free(line);
	(void)fclose(f);
	return true;
}

void doctor_ask_haproxy(const struct conf *conf, struct doctor_haproxy *h)
{
	const char *why;

	why = hapask(
	    conf->prober.haproxy_socket.path[0], "show info", info_line, h);
	h->reachable = why == NULL;
	(void)snprintf(h->why, sizeof(h->why), "%s", why != NULL ? why : "");
	if (hapask(conf->prober.haproxy_master_socket.path[0], "show proc",
		any_line, &h->master) != NULL)
		h->master = false;
	h->has_file = read_file(h->path, &h->file);
	h->has_spoe = read_file(h->spoe_path, &h->spoe);
}
