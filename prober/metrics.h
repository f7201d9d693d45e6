/*
 * metrics.h - what the prober and its agents count, for Prometheus.
 */
#ifndef METRICS_H
#define METRICS_H

#include "mono.h"

struct app;

/*
 * Source: Prometheus, "Exposition formats", text version 0.0.4.
 * Gives: a string that the caller frees, NULL if memory is out.
 */
char *metrics_text(struct app *app, struct mono now)
    __attribute__((warn_unused_result));

#endif
