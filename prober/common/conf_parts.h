/*
 * conf_parts.h - what stands in lists of a cluster's section, and its files.
 */
#ifndef CONF_PARTS_H
#define CONF_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "lim.h"

struct conf_cluster;

struct conf_endpoint {
	bool tls;
	char host[LIM_ADDR]; /* without brackets */
	uint16_t port;
};

/* One member whose HAProxy server has another name than Patroni's. */
struct conf_map {
	char member[LIM_NAME], server[LIM_NAME];
};

/* Where one member's PostgreSQL is asked, if not at its conn_url. */
struct conf_probe_at {
	char member[LIM_NAME]; /* "": each */
	char host[LIM_ADDR];   /* "": conn_url's */
	uint16_t port;
};

/* libpq's words. */
enum conf_sslmode {
	CONF_SSL_PREFER = 0,
	CONF_SSL_DISABLE,
	CONF_SSL_ALLOW,
	CONF_SSL_REQUIRE,
	CONF_SSL_VERIFY_CA,
	CONF_SSL_VERIFY_FULL
};

/* A file that the prober reads for a cluster. */
struct conf_file {
	const char *key, *path; /* path "": not set */
	bool secret;            /* for nobody but its owner */
	bool pair;              /* one line USER:PASSWORD */
};

#define CONF_FILES 12

void conf_files(
    const struct conf_cluster *c, struct conf_file out[static CONF_FILES]);

/* Where a member's PostgreSQL is asked; NULL: at its conn_url. */
const struct conf_probe_at *conf_probe_at(
    const struct conf_cluster *c, const char *member);

#endif
