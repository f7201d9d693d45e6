/*
 * conf_parts.h - what single keys hold, what stands in lists, and files.
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

/* Where clients come to, and the load balancers that may have it. */
struct conf_vip {
	char address[LIM_ADDR]; /* numeric; "": none */
	uint8_t prefix;
	char nic[LIM_NIC];
	char host[LIM_HOSTS][LIM_NAME]; /* Pacemaker's names of them */
	uint8_t host_n;                 /* 0: all of its cluster's */
};

/* How far a replica may lag: both bounds hold, the largest value is none. */
struct conf_lag {
	uint64_t bytes; /* UINT64_MAX: any */
	uint32_t ms;    /* UINT32_MAX: any */
};

/* Which of etcd's APIs Patroni keeps its keys by. */
enum conf_etcd_api {
	CONF_ETCD_AUTO = 0,
	CONF_ETCD_V2,
	CONF_ETCD_V3
};

/* HAProxy's sockets, one a process. */
struct conf_sockets {
	uint8_t n;
	char path[LIM_HAPROXIES][LIM_PATH];
};

struct conf_agent_listen {
	bool is_unix, tls;
	char path[LIM_PATH];
	char addr[LIM_ADDR]; /* numeric */
	uint16_t port;
};

/* Who may read a file. */
enum conf_file_who {
	CONF_FILE_OPEN = 0,
	CONF_FILE_GROUP,
	CONF_FILE_OWNER
};

/* A file that a key names. */
struct conf_file {
	const char *key, *path; /* path "": not set */
	enum conf_file_who who;
	bool pair; /* one line USER:PASSWORD */
};

#define CONF_FILES 12

/* Those that the prober reads for a cluster. */
void conf_files(
    const struct conf_cluster *c, struct conf_file out[static CONF_FILES]);

/*
 * Reads a file that is one line USER:PASSWORD, with an end of line or without.
 * Gives: false, and "" in out, on anything else.
 */
bool conf_read_pair(const char *path, char out[static LIM_SECRET])
    __attribute__((warn_unused_result));

/* Where a member's PostgreSQL is asked; NULL: at its conn_url. */
const struct conf_probe_at *conf_probe_at(
    const struct conf_cluster *c, const char *member);

#endif
