/*
 * render_front.c - what comes before the backends; see render.h.
 */
#include <assert.h>
#include <string.h>

#include "render_int.h"

#define NAMES 16 /* on one line: HAProxy takes 64 words, 2,048 bytes */

static void put_head(FILE *f)
{
	(void)fputs(
	    "# Made by `patroutectl render` of patroute.conf. What is changed "
	    "here by hand is\n"
	    "# lost when it is made again, after asking: it belongs there, "
	    "raw lines in the\n"
	    "# keys extra… of the section haproxy.\n"
	    "#\n"
	    "# Three ways, each the fallback of the one before:\n"
	    "#   1. the agent (patroute-spoa) names the server of each new "
	    "connection;\n"
	    "#   2. without its word HAProxy balances over the servers that "
	    "the prober's\n"
	    "#      checks hold up;\n"
	    "#   3. without the prober the classic way: HAProxy asks Patroni "
	    "itself.\n"
	    "#\n"
	    "# Start with a master socket, by which the prober reaches the "
	    "processes that a\n"
	    "# reload left behind: haproxy -W -S "
	    "/run/haproxy-master.sock,mode,660,group,haproxy\n"
	    "# From the environment:\n"
	    "#   PATROUTE_STATS_PASSWORD  of the user of the stats page; no "
	    "default\n"
	    "#   PATROUTE_SPOE            the SPOE configuration beside this "
	    "file\n"
	    "#   PATROUTE_LOG             where to log: /dev/log, stdout, an "
	    "address\n"
	    "\n"
	    ".if !defined(PATROUTE_STATS_PASSWORD)\n"
	    "    .alert \"PATROUTE_STATS_PASSWORD is not set in the "
	    "environment: patroute-haproxy-setup makes the file that the "
	    "service reads it from\"\n"
	    ".endif\n\n",
	    f);
}

static void put_global(FILE *f, const struct conf *c)
{
	const struct conf_haproxy *h = &c->haproxy;

	(void)fprintf(f,
	    "global\n"
	    "    user %s\n"
	    "    group %s\n"
	    "    # No chroot: the agent's and the desk's sockets must be found "
	    "by their\n"
	    "    # paths. No hard-stop-after: it would cut sessions after a "
	    "reload.\n"
	    "    stats socket %s mode 660 group %s level admin\n"
	    "    log \"${PATROUTE_LOG-%s}\" local0\n"
	    "    # Not below the sum of the binds' own, or they starve each "
	    "other; two\n"
	    "    # descriptors each, so below half of the limit (often "
	    "20,000).\n"
	    "    maxconn %u\n",
	    h->user, c->group, c->prober.haproxy_socket.path[0], c->group,
	    h->log, (unsigned)h->maxconn);
	render_extra(f, &h->extra_global);
}

/* Both sides of a connection. */
static void put_keepalive(FILE *f, const struct conf_haproxy *h)
{
	static const char *const sides[] = {"cli", "srv"};
	char idle[RENDER_DUR], interval[RENDER_DUR];

	for (unsigned i = 0; i < 2; i++)
		(void)fprintf(f, "    option %stcpka\n", sides[i]);
	for (unsigned i = 0; i < 2; i++)
		(void)fprintf(f,
		    "    %stcpka-idle %s\n"
		    "    %stcpka-intvl %s\n"
		    "    %stcpka-cnt %u\n",
		    sides[i], render_dur(h->keepalive_idle, idle), sides[i],
		    render_dur(h->keepalive_interval, interval), sides[i],
		    (unsigned)h->keepalive_count);
}

static void put_defaults(FILE *f, const struct conf_haproxy *h)
{
	char connect[RENDER_DUR], queue[RENDER_DUR], idle[RENDER_DUR];

	(void)render_dur(h->idle_timeout, idle);
	(void)fprintf(f,
	    "\ndefaults patroute_tcp\n"
	    "    mode tcp\n"
	    "    log global\n"
	    "    # Which server, and in the agent's words why.\n"
	    "    log-format \"%%ci:%%cp [%%t] %%[so_name] %%b/%%s "
	    "%%Tw/%%Tc/%%Tt %%B %%ts %%ac/%%bc/%%sc "
	    "action=%%[var(sess.patroute.action)] "
	    "reason=%%[var(sess.patroute.reason)]\"\n"
	    "    # A refusing leader must not become a write on a replica.\n"
	    "    no option redispatch\n"
	    "    retries 2\n"
	    "    timeout connect %s\n"
	    "    timeout queue %s\n"
	    "    timeout check 500ms\n"
	    "    # Pools keep idle connections and queries may take long, so "
	    "the timeouts\n"
	    "    # are long, and keepalives find the peers that are gone.\n"
	    "    timeout client %s\n"
	    "    timeout server %s\n",
	    render_dur(h->connect_timeout, connect),
	    render_dur(h->queue_timeout, queue), idle, idle);
	put_keepalive(f, h);
	render_extra(f, &h->extra_defaults);
}

void render_global(FILE *f, const struct conf *c)
{
	assert(f != NULL && c != NULL);
	put_head(f);
	put_global(f, c);
	put_defaults(f, &c->haproxy);
}

/* The names of listeners that are so, in lines that begin with `head` and end
   with `tail`. Gives: was there one? */
static bool put_names(FILE *f, const struct conf *c, const char *head,
    bool (*is)(const struct conf_listen *l), const char *tail)
{
	unsigned n = 0;

	for (uint16_t i = 0; i < c->listen_n; i++) {
		if (!is(&c->listen[i]))
			continue;
		if (n % NAMES == 0)
			(void)fprintf(f, "%s%s", n > 0 ? tail : "", head);
		(void)fprintf(f, " %s", c->listen[i].name);
		n++;
	}
	if (n > 0)
		(void)fputs(tail, f);
	return n > 0;
}

static bool is_write(const struct conf_listen *l)
{
	return l->target == INTENT_PRIMARY;
}

static bool has(const struct conf *c, bool (*is)(const struct conf_listen *l))
{
	return has_render(c, -1, is);
}

static void put_binds(FILE *f, const struct conf *c)
{
	(void)fputs(
	    "\nfrontend patroute from patroute_tcp\n"
	    "    # The names are patroute.conf's listeners. One frontend, "
	    "because each\n"
	    "    # `filter spoe` line is an engine and a pool of connections "
	    "of its own;\n"
	    "    # a maxconn each, so that held writers never take the "
	    "readers' places.\n",
	    f);
	for (uint16_t i = 0; i < c->listen_n; i++) {
		const struct conf_listen *l = &c->listen[i];

		render_bind(f, &l->hap.bind, &c->haproxy.bind, l->port);
		(void)fprintf(f, " name %s maxconn %u%s%s\n", l->name,
		    (unsigned)render_share(c, i),
		    l->hap.extra[0] != '\0' ? " " : "", l->hap.extra);
	}
}

static void put_clusters(FILE *f, const struct conf *c)
{
	(void)fputs("    # Whose port it is: the names of its backends.\n", f);
	for (uint16_t i = 0; i < c->cluster_n; i++) {
		unsigned n = 0;

		for (uint16_t j = 0; j < c->listen_n; j++) {
			if (c->listen[j].cluster != i)
				continue;
			if (n % NAMES == 0)
				(void)fprintf(f,
				    "%s    tcp-request content "
				    "set-var(txn.cluster) str(%s) if { "
				    "so_name",
				    n > 0 ? " }\n" : "", c->cluster[i].name);
			(void)fprintf(f, " %s", c->listen[j].name);
			n++;
		}
		(void)fputs(n > 0 ? " }\n" : "", f);
	}
}

static void put_asking(FILE *f, const struct conf *c)
{
	char inspect[RENDER_DUR];

	for (unsigned i = 0; i < 2; i++)
		(void)fprintf(f,
		    "    filter spoe engine %s config "
		    "\"${PATROUTE_SPOE-%s}\"\n",
		    i == 0 ? "route" : "hold", c->haproxy.spoe_file);
	render_extra(f, &c->haproxy.extra_frontend);
	(void)fprintf(f,
	    "\n    # Above the hold engine's `timeout processing`: it would "
	    "cut a hold short.\n"
	    "    tcp-request inspect-delay %s\n",
	    render_dur(dur_us(render_longest_hold(c).us + 3000000), inspect));
	put_clusters(f, c);
	(void)fputs(
	    "    # The agent is asked once the first packet is whole (its "
	    "length stands in\n"
	    "    # its first four bytes), or is a TLS ClientHello, or an HTTP "
	    "GET. Silence\n"
	    "    # and rubbish are closed, never balanced.\n"
	    "    acl whole_pg req.payload_lv(0,4,0) -m found\n"
	    "    acl tls_hello req.ssl_hello_type 1\n"
	    "    acl http_get req.payload(0,4) -m str \"GET \"\n"
	    "    tcp-request content set-var(txn.first) bool(true) if whole_pg "
	    "|| tls_hello || http_get\n"
	    "    tcp-request content send-spoe-group route route if { "
	    "var(txn.first) -m bool }\n"
	    "    # The second engine waits: only for those whom the first told "
	    "to, and for\n"
	    "    # whom it told nothing before the first checks, when every "
	    "server counts as\n"
	    "    # up (a start, a reload): to balance then were to guess. The "
	    "prober's check is\n"
	    "    # the first, and where it fails there is nothing to wait "
	    "for.\n"
	    "    acl prober_up var(txn.cluster),concat(_prober),nbsrv gt 0\n"
	    "    acl unsettled var(txn.cluster),concat(_write),nbsrv gt 1\n"
	    "    tcp-request content send-spoe-group hold hold if { "
	    "var(sess.patroute.action) -m str hold }\n"
	    "    tcp-request content send-spoe-group hold hold if { "
	    "var(txn.first) -m bool } prober_up unsettled !{ "
	    "var(sess.patroute.action) -m found }\n"
	    "    tcp-request content accept if { var(txn.first) -m bool }\n"
	    "    tcp-request content reject\n\n",
	    f);
}

static void put_acls(FILE *f, const struct conf *c)
{
	(void)fputs(
	    "    acl agent_up nbsrv(agent) gt 0\n"
	    "    acl reads_up var(txn.cluster),concat(_read),nbsrv gt 0\n"
	    "    acl observe var(sess.patroute.action) -m str observe\n",
	    f);
	(void)put_names(f, c, "    acl write_port so_name", is_write, "\n");
	(void)put_names(
	    f, c, "    acl sync_port so_name", is_render_sync, "\n");
	(void)put_names(f, c, "    acl any_port so_name", is_render_any, "\n");
	if (!put_names(
		f, c, "    acl choice_port so_name", is_render_choice, "\n"))
		return;
	(void)fputs(
	    "    # What asks for the primary on a port that leaves the choice "
	    "is not left to\n"
	    "    # the agent alone: patroute.target=primary (in options, or a "
	    "parameter of\n"
	    "    # its own) and an application_name that ends in "
	    "/read_primary (in hex, for\n"
	    "    # a startup packet is full of zero bytes), and primary. as a "
	    "server name.\n"
	    "    acl asks_primary req.payload(0,0),bytes(0,1024),hex -m sub "
	    "706174726F7574652E7461726765743D7072696D617279\n"
	    "    acl asks_primary req.payload(0,0),bytes(0,1024),hex -m sub "
	    "706174726F7574652E746172676574007072696D61727900\n"
	    "    acl asks_primary req.payload(0,0),bytes(0,1024),hex -m sub "
	    "2F726561645F7072696D61727900\n"
	    "    acl asks_primary req.ssl_sni -i -m beg primary.\n",
	    f);
}

/* One rule: the backend of this connection's cluster, if … */
static void put_use(
    FILE *f, const char *suffix, const char *when, const char *port)
{
	(void)fprintf(f, "    use_backend %%[var(txn.cluster)]_%s%s%s%s%s\n",
	    suffix, when[0] != '\0' || port[0] != '\0' ? " if" : "",
	    when[0] != '\0' ? " " : "", when, port);
}

/* Where the classic way sends a connection, by its port. */
static void put_classic(FILE *f, const struct conf *c, const char *when)
{
	if (has(c, is_write))
		put_use(f, "classic_write", when, " write_port");
	if (has(c, is_render_choice))
		put_use(f, "classic_write", when, " choice_port asks_primary");
	if (has(c, is_render_sync))
		put_use(f, "classic_sync", when, " sync_port");
	if (has(c, is_render_any))
		put_use(f, "classic_any", when, " any_port");
	put_use(f, "classic_read", when, "");
}

static void put_second(FILE *f, const struct conf *c)
{
	(void)fputs("    # Second way.\n", f);
	if (has(c, is_write))
		put_use(f, "write", "prober_up", " write_port");
	if (has(c, is_render_choice))
		put_use(f, "write", "prober_up", " choice_port asks_primary");
	/* Who is a synchronous standby HAProxy learns from Patroni alone. */
	if (has(c, is_render_sync))
		put_use(f, "classic_sync", "prober_up", " sync_port");
	put_use(f, "read", "prober_up", " reads_up");
}

static void put_rules(FILE *f, const struct conf *c)
{
	static const char *const actions[] = {"write", "read", "fallback"};

	(void)fputs("    # Observed only: the agent decides and counts, the "
		    "classic way serves.\n",
	    f);
	put_classic(f, c, "observe");
	(void)fputs("    # First way.\n", f);
	for (unsigned i = 0; i < 3; i++)
		(void)fprintf(f,
		    "    use_backend %%[var(txn.cluster)]_%s if { "
		    "var(sess.patroute.action) -m str %s }\n",
		    actions[i], actions[i]);
	(void)fputs(
	    "    use_backend desk if { var(sess.patroute.action) -m str desk "
	    "}\n"
	    "    # Held too long: a sentence, as long as somebody is there to "
	    "say it.\n"
	    "    use_backend desk if { var(sess.patroute.action) -m str hold } "
	    "agent_up\n",
	    f);
	put_second(f, c);
	(void)fputs("    # Third way.\n", f);
	if (c->haproxy.on_prober_loss == CONF_LOSS_CLASSIC)
		put_classic(f, c, "");
	else
		(void)fputs("    use_backend desk if agent_up\n", f);
}

void render_frontend(FILE *f, const struct conf *c)
{
	assert(f != NULL && c != NULL);
	put_binds(f, c);
	put_asking(f, c);
	put_acls(f, c);
	put_rules(f, c);
}
