/*
 * api.h - the prober's HTTP side: HAProxy's checks, health, topology,
 * metrics.
 *
 * GET and HEAD only:
 *   /check/BACKEND/SERVER/pid-N   200 belongs here, 404 not for this role,
 *                                 503 dead or unknown
 *   /healthz                      200 while every cluster has a usable verdict
 *   /topology                     everything, as JSON
 *   /metrics                      counters and gauges, for Prometheus
 */
#ifndef API_H
#define API_H

struct api;
struct app;

/*
 * Serves on app->socks.http_tcp and http_unix, which become the api's.
 * Gives: NULL if memory or descriptors are out.
 */
struct api *api_new(struct app *app) __attribute__((warn_unused_result));
void api_free(struct api *a);

#endif
