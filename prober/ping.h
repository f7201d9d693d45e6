/*
 * ping.h - asks a running prober, as HAProxy's check of it does.
 */
#ifndef PING_H
#define PING_H

#include "conf.h"

#define PING_MS 1000

/*
 * Asks /healthz at prober.http_address and http_port, PING_MS at most. Both
 * 200 and 503 are right answers: whether there is a verdict is not asked.
 * Blocks.
 * Gives: NULL if the prober answers rightly, else what is wrong with it.
 */
const char *ping_prober(const struct conf *conf);

#endif
