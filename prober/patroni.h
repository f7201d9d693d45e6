/*
 * patroni.h - Patroni's REST API: one probe a member.
 *
 * At most one request is in flight, each with a hard deadline from its start
 * (TICK_DEADLINE_MS); every answer closes its connection.
 */
#ifndef PATRONI_H
#define PATRONI_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "creds.h"
#include "http_client.h"
#include "ev_item.h"
#include "sink.h"

struct patroni_probe;

enum patroni_ask {
	PATRONI_ASK_NONE = 0,
	PATRONI_STATUS,  /* GET /patroni: its body, whatever the status */
	PATRONI_PRIMARY, /* GET /primary: 200 or not, and its body */
	PATRONI_CLUSTER  /* GET /cluster: who the members are */
};

struct patroni_cfg {
	const struct creds *creds; /* outlives the probe; NULL: none */
	/* Gets what /cluster says, asked at `at`; NULL: it is never asked. */
	void (*roster)(void *arg, const struct ev_view *view, struct mono at);
	void *arg;
};

/* Gives: NULL if memory is out. The sink's items have src EV_REST. */
struct patroni_probe *patroni_probe_new(struct http_client *http,
    const struct patroni_cfg *cfg, const struct sink *sink, uint8_t member)
    __attribute__((warn_unused_result));

/* p may be NULL. What is in flight ends without an item. */
void patroni_probe_free(struct patroni_probe *p);

/*
 * Needs: addr numeric (from resolve_get()); "" = none, nothing is asked.
 * `name` is what TLS verifies, NULL: addr. Another target than before ends
 * what is in flight, without an item.
 */
void patroni_probe_target(struct patroni_probe *p, const char *addr,
    const char *name, uint16_t port, bool tls);

/*
 * Gives: false, and nothing happens, if one is in flight, there is no
 * target, or memory is out. Otherwise one item will come, later, within the
 * deadline; of PATRONI_CLUSTER a roster or nothing, because Patroni has to ask
 * its DCS first: its failure is no word on the member.
 */
bool patroni_probe_ask(struct patroni_probe *p, enum patroni_ask what);

bool is_patroni_probe_busy(const struct patroni_probe *p);

#endif
