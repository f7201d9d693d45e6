/*
 * metrics_int.h - what the files of /metrics have of each other.
 */
#ifndef METRICS_INT_H
#define METRICS_INT_H

#include <stdio.h>

struct app;
struct cluster;

/* HELP and TYPE of patroute_NAME. */
void metrics_family(
    FILE *f, const char *name, const char *type, const char *help);

/* NAME="VALUE", escaped: names come from outside. */
void metrics_label(FILE *f, const char *name, const char *value);

/* Probes by result, transitions, roles, orders, reports: metrics_more.c. */
void metrics_more(FILE *f, const struct app *app);

#endif
