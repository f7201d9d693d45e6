/*
 * pgask.h - a member's PostgreSQL, asked by libpq; blocks, bounded in time.
 */
#ifndef PGASK_H
#define PGASK_H

#include <cjson/cJSON.h>
#include <libpq-fe.h>
#include <stdbool.h>

#include "conf.h"

struct pgask_at {
	const char *addr; /* numeric; NULL: name's */
	uint16_t port;
	const char *name; /* for TLS and the passfile, NULL: addr */
};

/*
 * Where a member of /topology is asked, as the prober asks it: at conn_url's
 * place, or probe_address's. `conf` may be NULL. The texts are conf's and
 * member's.
 * Gives: false, where nobody knows.
 */
bool pgask_of(const struct conf_cluster *conf, const cJSON *member,
    struct pgask_at *at) __attribute__((warn_unused_result));

/*
 * A connection as the probe's role, with `conninfo` (NULL: none) over what the
 * configuration has (a host in it is for TLS). `conf` may be NULL: then
 * conninfo names the role.
 * Gives: a connection that PQfinish() ends, open or failed (PQstatus()); NULL
 * if memory is out.
 */
PGconn *pgask_open(const struct conf_cluster *conf, const struct pgask_at *at,
    const char *conninfo) __attribute__((warn_unused_result));

/* Why it failed: libpq's first line. */
#define PGASK_WHY 256
const char *pgask_why(const PGconn *c, char buf[static PGASK_WHY]);

#endif
