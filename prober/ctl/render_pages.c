/*
 * render_pages.c - the stats page's port; see render.h.
 */
#include <assert.h>

#include "render_int.h"

static void put_stats(FILE *f)
{
	(void)fputs("\nbackend patroute_stats from patroute_http\n"
		    "    stats enable\n"
		    "    stats uri /\n"
		    "    stats refresh 2s\n"
		    "    stats show-legends\n",
	    f);
}

static void put_frontend(FILE *f, const struct conf *c)
{
	const struct conf_haproxy *h = &c->haproxy;

	(void)fputs("\n# The stats page, and the prober's own pages for who is "
		    "let in.\n"
		    "frontend patroute_pages from patroute_http\n",
	    f);
	render_bind(f, &h->stats_bind, &h->bind, h->stats_port);
	(void)fprintf(f, " name pages maxconn %u", (unsigned)h->stats_maxconn);
	if (h->stats_cert[0] != '\0')
		(void)fprintf(f, " ssl crt %s", h->stats_cert);
	/* For whoever brings clients here, without a password. */
	(void)fputs("\n    monitor-uri /alive"
		    "\n    http-request auth realm patroute unless { "
		    "http_auth(patroute_operators) }\n"
		    "    http-request deny deny_status 405 unless METH_GET\n",
	    f);
	render_extra(f, &h->extra_stats);
	(void)fputs("    use_backend patroute_topology if { path /topology "
		    "/events /metrics /reports /healthz } || { path_beg "
		    "/topology/ /reports/ /healthz/ }\n"
		    "    default_backend patroute_stats\n",
	    f);
}

void render_pages(FILE *f, const struct conf *c)
{
	char at[RENDER_AT];

	assert(f != NULL && c != NULL);
	(void)fprintf(f,
	    "\ndefaults patroute_http\n"
	    "    mode http\n"
	    "    timeout connect 2s\n"
	    "    timeout client 30s\n"
	    "    timeout server 30s\n"
	    "\nuserlist patroute_operators\n"
	    "    user %s insecure-password \"${PATROUTE_STATS_PASSWORD}\"\n",
	    c->haproxy.stats_user);
	put_frontend(f, c);
	(void)fprintf(f,
	    "\nbackend patroute_topology from patroute_http\n"
	    "    # Who is let in here stays here.\n"
	    "    http-request del-header Authorization\n"
	    "    server prober %s\n",
	    render_at(render_prober(c), c->prober.http_port, at));
	put_stats(f);
}
