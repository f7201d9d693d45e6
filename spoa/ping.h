/*
 * ping.h - asks a running agent, as HAProxy's health check does.
 */
#ifndef PING_H
#define PING_H

#include "conf.h"

#define PING_MS 1000

/*
 * Says HAPROXY-HELLO with healthcheck to the first of conf->agent.listen that
 * is not tls: and waits for the AGENT-HELLO, PING_MS at most. Blocks.
 * Gives: NULL if the agent answers rightly, else what is wrong with it.
 */
const char *ping_agent(const struct conf *conf);

#endif
