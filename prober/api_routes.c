/*
 * api_routes.c - what each path of the HTTP side answers; see api_int.h.
 */
#include <assert.h>
#include <string.h>

#include "api_int.h"
#include "cluster.h"
#include "haproxy.h"
#include "hapsync.h"
#include "haptext.h"
#include "health_api.h"
#include "metrics.h"
#include "num.h"
#include "page.h"
#include "reports.h"
#include "topology.h"

/* The verdict on one server, and why, for HAProxy's stats page. */
static enum MHD_Result answer_why(const struct request *q,
    const struct snapshot *s, enum hap_backend b, const char *server)
{
	char why[LIM_TEXT];
	struct MHD_Response *r =
	    MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

	if (r == NULL)
		return MHD_NO;
	hap_check_why(s, server, why);
	(void)MHD_add_response_header(r, "Patroute-Why", why);
	enum MHD_Result rc = MHD_queue_response(
	    q->conn, (unsigned)hap_check_code(s, b, server), r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result get_check(const struct request *q)
{
	struct haptext_check check;
	char server[LIM_NAME];
	enum hap_backend b = HAP_WRITE;

	if (!haptext_check(slice_str(q->url), &check) ||
	    !slice_copy(check.server, server, sizeof(server)))
		return api_answer(q, API_400);
	haproxy_checked(q->app->haproxy, check.pid);
	for (uint16_t i = 0; i < q->app->cluster_n; i++) {
		struct cluster *c = q->app->cluster[i];

		if (!haptext_backend(check.backend, c->conf->name, &b) ||
		    b >= HAP_BACKEND_N) /* asks Patroni, not us */
			continue;
		/* Until there is a verdict, a failure: unlike 404 it takes
		   some in a row to change the server's state. */
		if (!is_cluster_usable(c, mono_now()))
			return api_answer(q, API_503);
		return answer_why(q, cluster_snapshot(c), b, server);
	}
	return api_answer(q, API_503);
}

static struct cluster *find_cluster(const struct app *app, const char *name)
{
	for (uint16_t i = 0; i < app->cluster_n; i++)
		if (strcmp(app->cluster[i]->conf->name, name) == 0)
			return app->cluster[i];
	return NULL;
}

static enum MHD_Result get_healthz(const struct request *q)
{
	struct mono now = mono_now();

	for (uint16_t i = 0; i < q->app->cluster_n; i++)
		if (!is_cluster_routing(q->app->cluster[i], now))
			return api_answer(q, API_503);
	return api_answer(q, API_200);
}

static enum MHD_Result get_healthz_of(const struct request *q)
{
	struct cluster *c = find_cluster(q->app, q->rest);

	if (c == NULL)
		return api_answer(q, API_404);
	return api_answer(
	    q, is_cluster_routing(c, mono_now()) ? API_200 : API_503);
}

/* As agents get it; for whoever wants to decide as they do. */
static enum MHD_Result get_snapshot_of(const struct request *q)
{
	struct cluster *c = find_cluster(q->app, q->rest);
	unsigned char buf[LIM_FEED_MSG];
	struct MHD_Response *r;
	size_t n;

	if (c == NULL)
		return api_answer(q, API_404);
	if (!is_cluster_usable(c, mono_now()))
		return api_answer(q, API_503);
	n = snap_encode(cluster_snapshot(c), buf, sizeof(buf));
	r = MHD_create_response_from_buffer(n, buf, MHD_RESPMEM_MUST_COPY);
	return r == NULL ? MHD_NO
			 : api_answer_response(
			       q, r, MHD_HTTP_OK, "application/octet-stream");
}

/* The page to a browser, which asks for its files next; JSON to a program. */
static enum MHD_Result get_topology(const struct request *q)
{
	const struct page_file *f = page_find(slice_str(q->url));
	struct topology_ask ask = {0};
	const char *summary = MHD_lookup_connection_value(
	    q->conn, MHD_GET_ARGUMENT_KIND, "summary");

	if (f == NULL)
		return api_answer(q, API_404);
	if (strcmp(q->url, "/topology") != 0 ||
	    is_page_wanted(MHD_lookup_connection_value(
		q->conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT)))
		return page_answer(q->conn, f);
	ask.summary = summary != NULL && strcmp(summary, "1") == 0;
	ask.cluster = MHD_lookup_connection_value(
	    q->conn, MHD_GET_ARGUMENT_KIND, "cluster");
	return api_answer_text(q, MHD_HTTP_OK,
	    topology_json(q->app, &ask, mono_now()), "application/json");
}

static enum MHD_Result get_reports(const struct request *q)
{
	return api_answer_text(
	    q, MHD_HTTP_OK, reports_json(q->app->reports), "application/json");
}

/* /reports/last, /reports/N */
static enum MHD_Result get_report(const struct request *q)
{
	uint64_t id = 0;
	char *text;

	if (strcmp(q->rest, "last") != 0 &&
	    !num_u64(slice_str(q->rest), 1, UINT64_MAX - 64, &id))
		return api_answer(q, API_404);
	text = reports_json_one(q->app->reports, id);
	return text == NULL
	    ? api_answer(q, API_404)
	    : api_answer_text(q, MHD_HTTP_OK, text, "application/json");
}

static enum MHD_Result get_metrics(const struct request *q)
{
	return api_answer_text(q, MHD_HTTP_OK, metrics_text(q->app, mono_now()),
	    "text/plain; version=0.0.4");
}

static enum MHD_Result get_health(const struct request *q)
{
	return api_answer_text(q, MHD_HTTP_OK, health_json(q->app, mono_now()),
	    "application/json");
}

/* Checks first: there is nothing that comes as often. */
static const struct route routes[] = {
    {"/check/", true, false, get_check},
    {"/healthz", false, false, get_healthz},
    {"/healthz/", true, false, get_healthz_of},
    {"/health", false, false, get_health},
    {"/snapshot/", true, false, get_snapshot_of},
    {"/topology", false, false, get_topology},
    {"/topology/", true, false, get_topology},
    {"/events", false, false, api_events},
    {"/reports", false, false, get_reports},
    {"/reports/", true, false, get_report},
    {"/metrics", false, false, get_metrics},
    {"/control", false, true, api_control},
};

const struct route *api_route(const char *url)
{
	assert(url != NULL);
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const struct route *r = &routes[i];

		if (r->below ? strncmp(url, r->path, strlen(r->path)) == 0
			     : strcmp(url, r->path) == 0)
			return r;
	}
	return NULL;
}
