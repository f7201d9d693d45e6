/*
 * topology.h - all that the prober knows, as JSON.
 */
#ifndef TOPOLOGY_H
#define TOPOLOGY_H

#include "mono.h"

struct app;

/* Gives: a string that the caller frees, NULL if memory is out. */
char *topology_json(struct app *app, struct mono now)
    __attribute__((warn_unused_result));

#endif
