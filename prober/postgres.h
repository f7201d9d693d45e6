/*
 * postgres.h - SQL over one kept connection to each member.
 *
 * libpq's asynchronous calls, numeric addresses, our own deadlines. While the
 * connection idles its socket is watched, so a server that ends is known at
 * once, without having been asked. The role needs CONNECT, nothing more.
 */
#ifndef POSTGRES_H
#define POSTGRES_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "pg_start.h"
#include "sink.h"

struct pg_client; /* what all probes share: the pace of new connections */
struct pg_probe;

/* At most two connections are begun a loop iteration. What the environment says
   to libpq is forgotten: no thread may run yet. Gives: NULL, no memory */
struct pg_client *pg_client_new(struct ev_loop *loop)
    __attribute__((warn_unused_result));

/* Needs: all its probes are freed. c may be NULL. */
void pg_client_free(struct pg_client *c);

/* Gives: NULL if memory is out. The sink's items have src EV_SQL. */
struct pg_probe *pg_probe_new(struct pg_client *c, const struct pg_cfg *cfg,
    const struct sink *sink, uint8_t member)
    __attribute__((warn_unused_result));

/* p may be NULL. No item comes afterwards. */
void pg_probe_free(struct pg_probe *p);

/*
 * Needs: to->addr numeric (from resolve_get()); "" = none, nothing is asked.
 * Another target than before closes the connection, without an item.
 */
void pg_probe_target(struct pg_probe *p, const struct pg_target *to);

/*
 * Connects first if it must. Gives: false, and nothing happens, if one is in
 * flight or there is no target. Otherwise one item will come, later, within
 * TICK_DEADLINE_MS. Items also come unasked, when the kept connection ends:
 * STOPPING if the server said so (57P01), LOST if it did not; then
 * asked == at. A lost probe is a question: ask again at once.
 */
bool pg_probe_ask(struct pg_probe *p);

bool is_pg_probe_busy(const struct pg_probe *p);

#endif
