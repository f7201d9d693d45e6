/*
 * topology.h - all that the prober knows, as JSON.
 */
#ifndef TOPOLOGY_H
#define TOPOLOGY_H

#include <stdbool.h>

#include "mono.h"

struct app;
struct cJSON;
struct cluster;

/* How much of it. Zeroes ask for all. */
struct topology_ask {
	bool summary;        /* a few words a cluster: for hundreds of them */
	const char *cluster; /* of this one only; NULL: of all */
};

/* Gives: a string that the caller frees, NULL if memory is out. */
char *topology_json(struct app *app, const struct topology_ask *ask,
    struct mono now) __attribute__((warn_unused_result));

/* What a list of clusters says of one, into `o`; see topology_summary.c. */
void topology_summary(struct cJSON *o, struct cluster *c, struct mono now);

/* "control" and "mode": operators' orders in force; topology_control.c. */
void topology_control(
    struct cJSON *o, const struct cluster *c, struct mono now);

/* "haproxy": the HAProxies of this host and their servers; in
   topology_haproxy.c. */
void topology_haproxy(struct cJSON *o, const struct app *app,
    const struct topology_ask *ask, struct mono now);

#endif
