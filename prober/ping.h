/*
 * ping.h - asks a running prober, as HAProxy's check of it does.
 */
#ifndef PING_H
#define PING_H

#include <stdio.h>

#include "conf.h"

#define PING_MS 1000

/*
 * Asks /healthz at prober.http_address and http_port, PING_MS at most. Both
 * 200 and 503 are right answers: whether there is a verdict is not asked.
 * Blocks.
 * Gives: NULL if the prober answers rightly, else what is wrong with it.
 */
const char *ping_prober(const struct conf *conf);

/*
 * Asks /health likewise, and compares with what other hosts reach (see
 * core/health.h). Writes three lines: the score, why it is below 100, and the
 * members that this host reaches (empty where that is unknown, or too long).
 * Nothing where the prober is of a version that has no such answer. Blocks.
 * Gives: NULL, else what is wrong.
 */
const char *ping_health(
    const struct conf *conf, struct slice others, FILE *out);

#endif
