/*
 * render_back.c - the backends of one cluster, the desk's and the agent's; see
 * render.h.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "render_int.h"

struct site {
	FILE *f;
	const struct conf *conf;
	const struct conf_cluster *conf_cluster;
	const struct render_cluster *its;
	uint16_t index;
};

static bool is_numeric(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 ||
	    inet_pton(AF_INET6, host, bytes) == 1;
}

/* `addr` wants an IPv6 address in brackets, and no port. */
static void put_addr(FILE *f, const char *host)
{
	bool in6 = strchr(host, ':') != NULL;

	(void)fprintf(f, " addr %s%s%s", in6 ? "[" : "", host, in6 ? "]" : "");
}

/* A host's name that nobody resolves now must not keep HAProxy from starting.
 */
static void put_server(const struct site *s, const struct render_server *sv)
{
	char at[RENDER_AT];

	(void)fprintf(s->f, "    server %s %s%s%s", sv->name,
	    render_at(sv->host, sv->port, at),
	    s->conf_cluster->hap.send_proxy ? " send-proxy-v2" : "",
	    is_numeric(sv->host) ? "" : " init-addr last,libc,none");
}

static void put_servers(const struct site *s)
{
	for (unsigned i = 0; i < s->its->n; i++) {
		put_server(s, &s->its->server[i]);
		(void)fputc('\n', s->f);
	}
}

static void put_backend(const struct site *s, const char *suffix)
{
	(void)fprintf(s->f, "\nbackend %s_%s from patroute_tcp\n",
	    s->conf_cluster->name, suffix);
}

static bool has_least_conn(const struct site *s)
{
	for (uint16_t i = 0; i < s->conf->listen_n; i++)
		if (s->conf->listen[i].cluster == s->index &&
		    s->conf->listen[i].hap.least_conn)
			return true;
	return false;
}

static void put_least_conn(const struct site *s)
{
	for (uint16_t i = 0; i < s->conf->listen_n; i++) {
		const struct conf_listen *l = &s->conf->listen[i];

		if (l->cluster == s->index && l->hap.least_conn)
			(void)fprintf(
			    s->f, "    acl least_conn so_name %s\n", l->name);
	}
}

/* The agent's word stands; not where HAProxy counts (least_conn). */
static void put_word(const struct site *s, bool counts)
{
	static const char *const rules[] = {
	    "force-persist", "use-server %[var(sess.patroute.server)]"};

	if (counts)
		put_least_conn(s);
	for (unsigned i = 0; i < 2; i++)
		(void)fprintf(s->f,
		    "    %s if { var(sess.patroute.server) -m found }%s\n",
		    rules[i], counts ? " !least_conn" : "");
}

/* `more` stands behind the default-server's words. */
static void put_prober_checks(const struct site *s, const char *more)
{
	(void)fputs("    option httpchk\n"
		    "    http-check send meth GET uri-lf "
		    "\"/check/%[be_name]/%[srv_name]/pid-%pid\"\n"
		    "    http-check expect rstatus ^(200|404|503)$\n"
		    "    http-check set-var(check.why) res.hdr(patroute-why)\n"
		    "    http-check expect rstatus ^(200|404)$ on-error "
		    "\"%[var(check.why)]\"\n"
		    "    http-check expect status 200 error-status L7OKC "
		    "on-success \"%[var(check.why)]\" on-error "
		    "\"%[var(check.why)]\"\n",
	    s->f);
	(void)fputs("    default-server check", s->f);
	put_addr(s->f, render_prober(s->conf));
	(void)fprintf(s->f,
	    " port %u inter 1s fastinter 500ms downinter 200ms rise 1 fall "
	    "3%s\n",
	    (unsigned)s->conf->prober.http_port, more);
}

static void put_prober(const struct site *s)
{
	char at[RENDER_AT];

	put_backend(s, "prober");
	(void)fprintf(s->f,
	    "    option httpchk GET /healthz/%s\n"
	    "    server prober %s check inter 200ms fall 2 rise 5\n",
	    s->conf_cluster->name,
	    render_at(render_prober(s->conf), s->conf->prober.http_port, at));
}

static void put_role(const struct site *s, bool reads)
{
	put_backend(s, reads ? "read" : "write");
	if (reads)
		(void)fprintf(s->f, "    balance %s\n",
		    has_least_conn(s) ? "leastconn" : "roundrobin");
	put_prober_checks(s, "");
	if (!reads)
		(void)fputs(
		    "    # The agent's word stands, whatever the checks say: "
		    "without force-persist\n"
		    "    # HAProxy would silently balance away from a server "
		    "that is not up.\n",
		    s->f);
	put_word(s, reads && has_least_conn(s));
	render_extra(s->f, &s->conf_cluster->hap.extra);
	put_servers(s);
}

static void put_fallback(const struct site *s)
{
	char most[32];

	(void)fputs(
	    "\n# Reads on the primary while no replica is left: at most "
	    "this many a server, so\n"
	    "# that they never crowd out the writes.",
	    s->f);
	put_backend(s, "fallback");
	(void)snprintf(most, sizeof(most), " maxconn %u",
	    (unsigned)s->conf_cluster->hap.read_fallback_max);
	put_prober_checks(s, most);
	put_word(s, false);
	render_extra(s->f, &s->conf_cluster->hap.extra);
	put_servers(s);
}

/* Whether HAProxy's checks of Patroni speak TLS: to most of them. */
static bool has_tls(const struct site *s)
{
	for (unsigned i = 0; i < s->its->n; i++)
		if (s->its->server[i].rest_tls)
			return true;
	return false;
}

static void put_tls(const struct site *s)
{
	const struct conf_cluster *cl = s->conf_cluster;

	(void)fprintf(s->f, " check-ssl verify required ca-file %s",
	    cl->rest_ca[0] != '\0' ? cl->rest_ca : "@system-ca");
	if (cl->hap.rest_pem[0] != '\0')
		(void)fprintf(s->f, " crt %s", cl->hap.rest_pem);
}

static void put_classic_servers(const struct site *s)
{
	for (unsigned i = 0; i < s->its->n; i++) {
		const struct render_server *sv = &s->its->server[i];

		put_server(s, sv);
		/* A name that nobody resolves would be HAProxy's end: its
		   own address then. */
		if (is_numeric(sv->rest_host) &&
		    strcmp(sv->rest_host, sv->host) != 0)
			put_addr(s->f, sv->rest_host);
		if (sv->rest_port != RENDER_REST_PORT)
			(void)fprintf(
			    s->f, " port %u", (unsigned)sv->rest_port);
		if (!sv->rest_tls && has_tls(s))
			(void)fputs(" no-check-ssl", s->f);
		(void)fputc('\n', s->f);
	}
}

static void put_classic(
    const struct site *s, const char *role, const char *path, bool balanced)
{
	bool stock = s->conf->haproxy.classic_checks == CONF_CHECKS_STOCK;
	char suffix[32];

	(void)snprintf(suffix, sizeof(suffix), "classic_%s", role);
	put_backend(s, suffix);
	(void)fprintf(s->f,
	    "%s"
	    "    timeout check %s\n"
	    "    option httpchk OPTIONS %s\n"
	    "    http-check expect status 200\n"
	    "    default-server check port %d",
	    balanced ? "    balance roundrobin\n" : "", stock ? "5s" : "1s",
	    path, RENDER_REST_PORT);
	if (has_tls(s))
		put_tls(s);
	(void)fprintf(s->f, " inter %s on-marked-down shutdown-sessions\n",
	    stock ? "3s rise 2 fall 3" : "1s fastinter 500ms rise 1 fall 2");
	render_extra(s->f, &s->conf_cluster->hap.extra);
	put_classic_servers(s);
}

static void put_classic_all(const struct site *s)
{
	(void)fputs("\n# The third way: HAProxy asks Patroni. /master is the "
		    "name that every version of\n"
		    "# Patroni knows.",
	    s->f);
	put_classic(s, "write", "/master", false);
	put_classic(s, "read", "/replica", true);
	if (has_render(s->conf, s->index, is_render_any)) /* whoever runs */
		put_classic(s, "any", "/health", true);
	if (has_render(s->conf, s->index, is_render_sync))
		put_classic(s, "sync", "/sync", true);
}

void render_backends(FILE *f, const struct render *r, uint16_t cluster)
{
	const struct site s = {f, r->conf, &r->conf->cluster[cluster],
	    &r->cluster[cluster], cluster};

	assert(f != NULL && cluster < r->conf->cluster_n);
	if (cluster == 0)
		(void)fputs(
		    "\n# The prober's own check falls within 400 ms, before "
		    "the servers' checks (else\n"
		    "# the second way would find them down), and recovers "
		    "after them.",
		    f);
	put_prober(&s);
	if (cluster == 0)
		(void)fputs(
		    "\n# The checks ask the prober of this host: 200 belongs "
		    "here, 404 healthy but not\n"
		    "# for this role (NOLB), 503 dead; its reason stands on "
		    "the stats page, beside\n"
		    "# the check's result. The path tells it of a reload by "
		    "the pid. Not by\n"
		    "# disable-on-404: that shows no reason, and a server that "
		    "was down stays so.\n"
		    "# There is no on-marked-down: a failed check closes no "
		    "session, for it may be\n"
		    "# the prober that failed; the prober closes sessions, on "
		    "positive evidence.",
		    f);
	put_role(&s, false);
	put_role(&s, true);
	put_fallback(&s);
	put_classic_all(&s);
}

/* Where this host's HAProxy asks the agent: cleartext, by a socket at best. */
static void put_agent_at(FILE *f, const struct conf_agent *a)
{
	char at[RENDER_AT];

	for (unsigned i = 0; i < a->listen_n; i++) {
		if (a->listen[i].is_unix) {
			(void)fprintf(f, "unix@%s", a->listen[i].path);
			return;
		}
	}
	for (unsigned i = 0; i < a->listen_n; i++) {
		if (!a->listen[i].tls) {
			(void)fputs(
			    render_at(a->listen[i].addr, a->listen[i].port, at),
			    f);
			return;
		}
	}
	assert(false && "checked before");
}

void render_agent(FILE *f, const struct conf *c)
{
	assert(f != NULL && c != NULL);
	(void)fprintf(f,
	    "\n# The agent's PostgreSQL-speaking socket: refusals and cancel "
	    "requests. PROXY v2\n"
	    "# tells it which listener the client came to.\n"
	    "backend desk from patroute_tcp\n"
	    "    # A frozen agent's desk accepts and says nothing.\n"
	    "    timeout server 2s\n"
	    "    server desk unix@%s send-proxy-v2\n"
	    "\nbackend agent from patroute_tcp\n"
	    ".if version_atleast(3.1)\n"
	    "    mode spop\n"
	    ".endif\n"
	    "    option spop-check\n"
	    "    timeout connect 100ms\n"
	    "    # Above the hold: it would cut what waits.\n"
	    "    timeout server 1h\n"
	    "    timeout check 200ms\n",
	    c->agent.desk_socket);
	(void)fputs(
	    "    # What waits at a frozen agent is let go once its check has "
	    "failed. That of\n"
	    "    # a dead one says no at once, to 60,000 attempts in half a "
	    "second: HAProxy\n"
	    "    # (2.6) repeats them as long as a connection waits, and every "
	    "port waits\n"
	    "    # with it. So ten refusals in a row are its end, until a "
	    "check succeeds.\n"
	    "    retries 0\n"
	    "    server agent ",
	    f);
	put_agent_at(f, &c->agent);
	(void)fputs(" check inter 500ms fall 2 rise 1 on-marked-down "
		    "shutdown-sessions observe layer4 error-limit 10 on-error "
		    "mark-down\n",
	    f);
}
