/*
 * api.h - the prober's HTTP side: HAProxy's checks, health, topology,
 * metrics.
 *
 * GET and HEAD only:
 *   /check/BACKEND/SERVER/pid-N   200 belongs here, 404 not for this role,
 *                                 503 dead or unknown
 *   /healthz                      200 while every cluster has a usable verdict
 *   /healthz/CLUSTER              200 while this one has, and is live
 *   /snapshot/CLUSTER             as agents get it; 503 if it is not usable
 *   /events                       what has changed: JSON, or a stream where
 *                                 Accept says text/event-stream; ?after=ID,
 *                                 ?cluster=NAME
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
/* No request is taken any more: what they are about goes. NULL is allowed. */
void api_end(struct api *a);
void api_free(struct api *a);

#endif
