/*
 * health_api.h - /health: this host for the cluster manager; see core/health.h.
 */
#ifndef HEALTH_API_H
#define HEALTH_API_H

#include "mono.h"

struct app;

/*
 * {"score":100,"why":"","members":"main/node1 main/node2","missing":""}: the
 * score by what this host alone knows, and which members it reaches or not;
 * both null while it has not heard of each since it began, or woke.
 * Gives: text on the heap, NULL if memory is out.
 */
char *health_json(struct app *app, struct mono now);

#endif
