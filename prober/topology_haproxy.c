/*
 * topology_haproxy.c - the HAProxies of this host, as they last said: reached
 * or not, and each server of each backend.
 */
#include <assert.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "cluster.h"
#include "hapfind.h"
#include "haproxy.h"
#include "topology.h"

static void add_server(
    cJSON *list, const char *cluster, const struct hap_row *r, int process)
{
	char backend[LIM_NAME + 32];
	cJSON *o = cJSON_CreateObject();
	bool ours = is_hap_leaving(r);

	(void)cJSON_AddItemToArray(list, o);
	(void)snprintf(backend, sizeof(backend), "%s_%s", cluster,
	    hap_backend_suffix(r->backend));
	(void)cJSON_AddStringToObject(o, "backend", backend);
	(void)cJSON_AddStringToObject(o, "server", r->server);
	(void)cJSON_AddStringToObject(o, "status", r->status);
	(void)cJSON_AddStringToObject(o, "check", r->check);
	(void)cJSON_AddStringToObject(o, "why", r->why);
	(void)cJSON_AddStringToObject(o, "address", r->addr);
	(void)cJSON_AddNumberToObject(o, "sessions", r->sessions);
	(void)cJSON_AddBoolToObject(o, "dynamic", is_hap_ours(r));
	(void)cJSON_AddBoolToObject(o, "leaving", ours);
	/* An operator's, in HAProxy itself. */
	(void)cJSON_AddBoolToObject(
	    o, "maint", r->state == HAP_SRV_MAINT && !ours);
	(void)cJSON_AddBoolToObject(
	    o, "drain", r->state == HAP_SRV_DRAIN && !ours);
	if (process >= 0)
		(void)cJSON_AddNumberToObject(o, "process", process);
}

static void add_cluster(cJSON *list, const struct app *app, uint16_t cluster)
{
	unsigned all = app->conf->prober.haproxy_socket.n;

	for (unsigned p = 0; p < all; p++) {
		uint16_t n = 0;
		const struct hap_row *r =
		    haproxy_rows(app->haproxy, (uint8_t)p, cluster, &n);

		for (uint16_t i = 0; i < n; i++)
			add_server(list, app->cluster[cluster]->conf->name,
			    &r[i], all > 1 ? (int)p : -1);
	}
}

static void add_servers(
    cJSON *o, const struct app *app, const struct topology_ask *ask)
{
	cJSON *list = cJSON_AddArrayToObject(o, "servers");

	for (uint16_t c = 0; c < app->cluster_n; c++)
		if (ask->cluster == NULL ||
		    strcmp(ask->cluster, app->cluster[c]->conf->name) == 0)
			add_cluster(list, app, c);
}

void topology_haproxy(cJSON *o, const struct app *app,
    const struct topology_ask *ask, struct mono now)
{
	cJSON *e = cJSON_AddObjectToObject(o, "haproxy");
	struct haproxy_state s;

	assert(app != NULL && ask != NULL);
	haproxy_state(app->haproxy, &s);
	(void)cJSON_AddBoolToObject(e, "reachable", s.reachable);
	if (is_mono_set(s.heard_at))
		(void)cJSON_AddNumberToObject(e, "heard_ms",
		    (double)mono_sub(now, s.heard_at).us / 1000.0);
	else
		(void)cJSON_AddNullToObject(e, "heard_ms");
	(void)cJSON_AddNumberToObject(e, "pid", (double)s.pid);
	(void)cJSON_AddNumberToObject(e, "old_processes", s.old_n);
	(void)cJSON_AddNumberToObject(e, "moves", (double)s.moves);
	(void)cJSON_AddNumberToObject(
	    e, "last_move_ms", (double)s.last_move.us / 1000.0);
	(void)cJSON_AddNumberToObject(e, "repairs", (double)s.repairs);
	(void)cJSON_AddNumberToObject(
	    e, "closed_in_old_processes", (double)s.closed_old);
	/* Hundreds of clusters have too many to be sent each second. */
	if (!ask->summary)
		add_servers(e, app, ask);
}
