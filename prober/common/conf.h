/*
 * conf.h - patroute.conf, read whole and checked by both programs.
 *
 * One key table over libconfuse gives parsing, --check, the defaults, the
 * example file and the man page's list of keys. Sections: `cluster NAME { }`,
 * `listen NAME { }`, `prober { }`, `agent { }`, `vip { }`,
 * `haproxy { }`.
 * Every error is one sentence: file, line, key, what was expected.
 */
#ifndef CONF_H
#define CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "conf_haproxy.h"
#include "conf_parts.h"
#include "lim.h"
#include "log.h"
#include "mono.h"
#include "snapshot.h"
#include "startup.h"

struct conf_cluster {
	char name[LIM_NAME];  /* the title; HAProxy's backends are NAME_… */
	char scope[LIM_NAME]; /* Patroni's; default: name */
	char namespace[LIM_NAME]; /* default "/service" (no slash at end) */
	struct conf_endpoint etcd[LIM_ENDPOINTS];
	uint8_t etcd_n;
	enum conf_etcd_api etcd_api; /* auto */
	char etcd_ca[LIM_TEXT], etcd_cert[LIM_TEXT], etcd_key[LIM_TEXT];
	char etcd_auth[LIM_TEXT];                  /* a file, USER:PASSWORD */
	struct conf_endpoint patroni[LIM_MEMBERS]; /* where to ask /cluster */
	uint8_t patroni_n;
	struct conf_map map[LIM_MEMBERS];
	uint8_t map_n;
	char probe_user[LIM_NAME]; /* empty: REST stands in for SQL */
	char probe_dbname[LIM_NAME];
	char probe_passfile[LIM_TEXT]; /* libpq's format, owner-only */
	struct conf_probe_at probe_at[LIM_MEMBERS];
	uint8_t probe_at_n;
	enum conf_sslmode probe_sslmode;
	char probe_sslrootcert[LIM_TEXT], probe_sslcert[LIM_TEXT];
	char probe_sslkey[LIM_TEXT];
	char rest_ca[LIM_TEXT], rest_cert[LIM_TEXT], rest_key[LIM_TEXT];
	char rest_auth[LIM_TEXT]; /* a file: USER:PASSWORD, owner-only */
	struct dur max_age_dcs, max_age_rest, max_age_sql; /* 3 s, 3 s, 2 s */
	struct dur fence, silence, silence_close;          /* 30 s, 2 s, 10 s */
	struct dur follow_grace;                           /* 10 s */
	struct conf_lag max_lag;                           /* 16 MB, any ms */
	struct dur lag_grace;                              /* 1 s */
	struct dur slow_start;                             /* 0: off */
	enum snap_fallback read_fallback;                  /* primary */
	bool observe;                 /* false: HAProxy routes as decided */
	bool discover, use_proxy_url; /* true, false */
	struct dur leave_timeout;     /* 10 min */
	struct dur lag_kill, fallback_max_age; /* 0: never */
	struct conf_haproxy_cluster hap;
};

struct conf_listen {
	char name[LIM_NAME]; /* HAProxy's bind name (so_name) */
	uint16_t port;
	uint16_t cluster; /* index into conf.cluster */
	enum intent_want target;
	bool startup_options;        /* the startup data may choose */
	struct conf_lag max_lag;     /* any: the cluster's */
	enum snap_fallback fallback; /* default: the cluster's read_fallback */
	struct dur hold_timeout;     /* default: the agent's */
	uint32_t hold_max;           /* of this listener; likewise */
	struct conf_haproxy_listen hap;
};

struct conf_prober {
	char feed_socket[LIM_PATH];                /* /run/patroute/feed.sock */
	char http_socket[LIM_PATH];                /* /run/patroute/http.sock */
	char http_address[LIM_ADDR];               /* 127.0.0.1 */
	uint16_t http_port;                        /* 7100 */
	struct conf_sockets haproxy_socket;        /* …/haproxy/admin.sock */
	struct conf_sockets haproxy_master_socket; /* …/haproxy-master.sock */
	char state_dir[LIM_PATH];                  /* /var/lib/patroute */
	enum log_level log_level;
};

struct conf_agent {
	struct conf_agent_listen listen[LIM_AGENT_LISTEN];
	uint8_t listen_n; /* default: unix:/run/patroute/agent.sock */
	bool plain_tcp_off_loopback; /* false */
	char tls_cert[LIM_TEXT], tls_key[LIM_TEXT], tls_ca[LIM_TEXT];
	char desk_socket[LIM_PATH]; /* /run/patroute/desk.sock */
	struct dur stale_after;     /* 4 s */
	struct dur hold_timeout;    /* 10 s */
	struct dur early_hold;      /* 2 s */
	uint32_t hold_max;          /* 1000, <= LIM_HELD */
	uint32_t hold_release_rate; /* 500/s */
	struct dur min_lsn_wait;    /* 200 ms */
	enum log_level log_level;
};

struct conf {
	char user[LIM_NAME];          /* "patroute": both programs drop to it */
	char group[LIM_NAME];         /* "haproxy": of the sockets */
	struct conf_cluster *cluster; /* cluster_n of them, heap */
	struct conf_listen *listen;   /* listen_n of them, heap */
	uint16_t cluster_n, listen_n;
	struct conf_prober prober;
	struct conf_agent agent;
	struct conf_vip vip;
	struct conf_haproxy haproxy;
};

/* One sentence, NUL-terminated: "FILE:LINE: KEY: …, expected …". */
struct conf_err {
	char text[LIM_LOG_LINE];
};

/*
 * Reads and checks the whole file, the secrets it names included (they must be
 * readable by this process and by nobody but their owner, as libpq wants it).
 * Gives: a conf that the caller ends with conf_free(), or NULL and *err.
 * Reads files: at start and on SIGHUP only.
 */
struct conf *conf_load(const char *path, struct conf_err *err)
    __attribute__((warn_unused_result));
/* The same of text that is there already; `file` is only named. */
struct conf *conf_parse(const char *file, struct slice text,
    struct conf_err *err) __attribute__((warn_unused_result));
/* conf_load() for who serves already: a child reads, so that its end, should
   libconfuse find no memory, is not ours. Blocks until it is done. */
struct conf *conf_load_apart(const char *path, struct conf_err *err)
    __attribute__((warn_unused_result));
void conf_free(struct conf *c);

/* Gives: the listener's index, -1 if there is none of that name or port. */
int conf_listen_by_name(const struct conf *c, struct slice name);
int conf_listen_by_port(const struct conf *c, uint16_t port);

/* The listener's own intent, before any startup data. */
struct intent conf_listen_intent(const struct conf *c, uint16_t listen);

/* HAProxy's name of a member: the map's, else the member's own. */
const char *conf_server_of(const struct conf_cluster *c, const char *member);

/* The whole key table as a commented example file, and as man page source. */
void conf_print_example(FILE *out);
void conf_print_man(FILE *out);

/* The section vip for a shell: KEY=VALUE, a line each; of what is not set
   nothing. Values hold neither blanks, but between hosts, nor quotes. */
void conf_print_vip(const struct conf *c, FILE *out);

#endif
