/*
 * app.c - makes the parts, joins them, ends them in reverse order.
 *
 * Clusters come before the feed, the feed before HAProxy's part: a cluster
 * tells both, and each may be told nothing while it is not there.
 */
#include "app.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "cluster.h"
#include "cluster_orders.h"
#include "etcd.h"
#include "events.h"
#include "feed.h"
#include "haproxy.h"
#include "http_client.h"
#include "log.h"
#include "orders_file.h"
#include "postgres.h"
#include "reload.h"
#include "reports.h"
#include "resolve.h"

#define GATHER_FROM 20 /* clusters */
#define GATHER_S 0.001

static void change_cb(void *arg)
{
	struct app *app = arg;

	assert(app->magic == APP_MAGIC);
	for (uint16_t i = 0; i < app->cluster_n; i++)
		cluster_retarget(app->cluster[i]);
}

static void stop_cb(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)revents;
	log_info("stop signal=%d", w->signum);
	ev_break(loop, EVBREAK_ALL);
}

static void hup_cb(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct app *app = w->data;

	(void)loop, (void)revents;
	assert(app->magic == APP_MAGIC);
	reload(app);
}

static void start_signals(struct app *app)
{
	ev_signal_init(&app->on_term, stop_cb, SIGTERM);
	ev_signal_init(&app->on_int, stop_cb, SIGINT);
	ev_signal_init(&app->on_hup, hup_cb, SIGHUP);
	app->on_term.data = app->on_int.data = app->on_hup.data = app;
	ev_signal_start(app->loop, &app->on_term);
	ev_signal_start(app->loop, &app->on_int);
	ev_signal_start(app->loop, &app->on_hup);
}

/* The client that an earlier cluster on the same endpoints has, or NULL. */
static struct etcd *etcd_of_earlier(const struct app *app, uint16_t index)
{
	const struct conf_cluster *all = app->conf->cluster;

	for (uint16_t i = 0; i < index; i++)
		if (app->etcd_of[i] != NULL &&
		    is_etcd_shared(&all[i], &all[index]))
			return app->etcd_of[i];
	return NULL;
}

static bool follow_keys(struct app *app, struct etcd *e, uint16_t index)
{
	const struct conf_cluster *conf = &app->conf->cluster[index];
	char prefix[LIM_NAME * 2 + 4];
	const struct etcd_sink sink = {.view = cluster_etcd_view_cb,
	    .alive = cluster_etcd_alive_cb,
	    .order_prefix = app->cluster[index]->order_prefix,
	    .orders = cluster_orders_cb,
	    .arg = app->cluster[index]};
	int n = snprintf(
	    prefix, sizeof(prefix), "%s/%s/", conf->namespace, conf->scope);

	assert(n > 0 && (size_t)n < sizeof(prefix));
	return etcd_add(e, prefix, &sink);
}

static bool start_etcd(struct app *app)
{
	for (uint16_t i = 0; i < app->cluster_n; i++) {
		const struct conf_cluster *conf = &app->conf->cluster[i];
		struct etcd *e;

		if (conf->etcd_n == 0)
			continue;
		e = etcd_of_earlier(app, i);
		if (e == NULL) {
			e = etcd_new(app->loop, app->http, app->resolve, conf);
			if (e == NULL)
				return false;
			app->etcd[app->etcd_n++] = e;
		}
		app->etcd_of[i] = e;
		if (!follow_keys(app, e, i))
			return false;
	}
	return true;
}

/*
 * Who watches many clusters hears of somebody every half a millisecond, and a
 * turn of the loop for each costs more than the word. While nothing happens
 * anywhere it gathers for a millisecond. libev leaves one of those it may wait
 * to the poll, so a timer must leave it two.
 */
static void set_gathering(struct app *app)
{
	bool calm = app->cluster_n >= GATHER_FROM && app->fast_n == 0;

	ev_set_io_collect_interval(app->loop, calm ? GATHER_S : 0.);
	ev_set_timeout_collect_interval(app->loop, calm ? 2 * GATHER_S : 0.);
}

void app_fast(struct app *app, bool began)
{
	assert(app != NULL && app->magic == APP_MAGIC);
	assert(began || app->fast_n > 0);
	app->fast_n = (uint16_t)(began ? app->fast_n + 1 : app->fast_n - 1);
	set_gathering(app);
}

const char *app_start(struct app *app)
{
	assert(app != NULL && app->magic == APP_MAGIC);
	loopwatch_start(&app->watch, app->loop);
	start_signals(app);
	resolve_attach(app->resolve, app->loop);
	resolve_on_change(app->resolve, change_cb, app);
	app->events = events_new();
	app->reports = reports_new();
	if (app->events == NULL || app->reports == NULL)
		return "the events";
	app->http = http_client_new(app->loop);
	app->pg = pg_client_new(app->loop);
	if (app->http == NULL)
		return "the HTTP client";
	if (app->pg == NULL)
		return "the PostgreSQL client";
	for (uint16_t i = 0; i < app->conf->cluster_n; i++) {
		app->cluster[i] = cluster_new(app, i);
		if (app->cluster[i] == NULL)
			return app->conf->cluster[i].name;
		app->cluster_n++;
	}
	set_gathering(app);
	app->feed = feed_new(app, app->socks.feed);
	app->socks.feed = -1;
	if (app->feed == NULL)
		return "the feed";
	app->haproxy = haproxy_new(app);
	if (app->haproxy == NULL)
		return "HAProxy's part";
	orders_file_load(app);
	app->api = api_new(app);
	if (app->api == NULL)
		return "the HTTP server";
	return start_etcd(app) ? NULL : "etcd's client";
}

void app_stop(struct app *app)
{
	assert(app != NULL && app->magic == APP_MAGIC);
	api_end(app->api);
	for (uint16_t i = 0; i < app->etcd_n; i++)
		etcd_free(app->etcd[i]);
	api_free(app->api);
	haproxy_free(app->haproxy);
	app->haproxy = NULL; /* the feed tells it of agents that go */
	feed_free(app->feed);
	for (uint16_t i = 0; i < app->cluster_n; i++)
		cluster_free(app->cluster[i]);
	events_free(app->events);
	reports_free(app->reports);
	pg_client_free(app->pg);
	http_client_free(app->http);
	resolve_free(app->resolve);
	loopwatch_stop(&app->watch, app->loop);
	ev_signal_stop(app->loop, &app->on_term);
	ev_signal_stop(app->loop, &app->on_int);
	ev_signal_stop(app->loop, &app->on_hup);
	daemon_unlisten(&app->socks);
}
