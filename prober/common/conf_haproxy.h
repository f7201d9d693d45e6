/*
 * conf_haproxy.h - what `patroutectl render` makes HAProxy's files of: the
 * section `haproxy`, and parts of `cluster` and `listen`.
 */
#ifndef CONF_HAPROXY_H
#define CONF_HAPROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "conf_parts.h"
#include "lim.h"
#include "mono.h"

/* Addresses of bind lines: "*", or numeric. n 0: as the section haproxy has. */
struct conf_binds {
	uint8_t n;
	char addr[LIM_BINDS][LIM_ADDR];
};

/* Lines that go into HAProxy's file as they are. */
struct conf_lines {
	uint8_t n;
	char line[LIM_EXTRA][LIM_TEXT];
};

/* Where HAProxy finds one member. */
struct conf_server {
	char member[LIM_NAME]; /* Patroni's name */
	char host[LIM_ADDR];   /* numeric or a name */
	uint16_t port;
	struct conf_endpoint rest; /* port 0: at `host`, on 8008 */
};

enum conf_loss {
	CONF_LOSS_CLASSIC = 0,
	CONF_LOSS_REFUSE
};

enum conf_checks {
	CONF_CHECKS_TUNED = 0,
	CONF_CHECKS_STOCK
};

/* How a running HAProxy is told to read its files again. */
enum conf_reload {
	CONF_RELOAD_SOCKET = 0,
	CONF_RELOAD_SYSTEMD
};

struct conf_haproxy_cluster {
	struct conf_server server[LIM_MEMBERS];
	uint8_t server_n;           /* 0: the prober knows them */
	uint16_t server_port;       /* 0: each member's own */
	bool send_proxy;            /* PROXY protocol to the members */
	uint32_t read_fallback_max; /* 100 */
	char rest_pem[LIM_TEXT];    /* certificate and key in one file */
	struct conf_lines extra;
};

struct conf_haproxy_listen {
	struct conf_binds bind;
	uint32_t maxconn; /* 0: an equal share */
	bool least_conn;
	char extra[LIM_TEXT]; /* words behind the bind line */
};

struct conf_haproxy {
	char file[LIM_TEXT];      /* /etc/haproxy/patroute.cfg */
	char spoe_file[LIM_TEXT]; /* /etc/haproxy/patroute-spoe.cfg */
	char env_file[LIM_TEXT];  /* /etc/patroute/haproxy.env */
	char user[LIM_NAME];      /* haproxy; its group is conf.group */
	char log[LIM_TEXT];       /* /dev/log */
	struct conf_binds bind;   /* * */
	uint32_t maxconn;         /* 8000 */
	uint16_t stats_port;      /* 7000 */
	struct conf_binds stats_bind;
	char stats_user[LIM_NAME];  /* admin */
	uint32_t stats_maxconn;     /* 200 */
	char stats_cert[LIM_TEXT];  /* "": cleartext */
	struct dur connect_timeout; /* 2 s */
	struct dur queue_timeout;   /* 5 s */
	struct dur idle_timeout;    /* 24 h */
	struct dur keepalive_idle;  /* 60 s */
	struct dur keepalive_interval;
	uint16_t keepalive_count;
	enum conf_loss on_prober_loss;
	enum conf_checks classic_checks;
	enum conf_reload reload;
	struct conf_lines extra_global, extra_defaults, extra_frontend;
	struct conf_lines extra_stats, extra;
};

#endif
