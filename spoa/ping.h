/*
 * ping.h - asks a running agent, as HAProxy's health check does.
 */
#ifndef PING_H
#define PING_H

#include "conf.h"

#define PING_MS 1000

/* A listener that is not tls: is there; for tls: it has no certificate. */
bool ping_is_possible(const struct conf *conf);

/*
 * Says HAPROXY-HELLO with healthcheck to the first of conf->agent.listen that
 * is not tls: and waits for the AGENT-HELLO; if `deep`, as HAProxy itself, and
 * has it decide for one connection of the first listener. PING_MS at most.
 * Needs: ping_is_possible(). Blocks.
 * Gives: NULL if the agent answers rightly, else what is wrong with it.
 */
const char *ping_agent(const struct conf *conf, bool deep);

#endif
