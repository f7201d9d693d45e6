/*
 * etcd_state.h - the client of one set of etcd endpoints, for etcd*.c alone.
 *
 *   AWAY --dial--> FINDING --> READING --> OPENING --> FOLLOWING
 *
 * Whatever fails leads back to AWAY: there is one way to be right.
 */
#ifndef ETCD_STATE_H
#define ETCD_STATE_H

#include "etcd.h"
#include "etcd3_json.h"
#include "etcd_cluster.h"
#include "etcd_cred.h"
#include "evidence.h"
#include "log.h"
#include "orders.h"

#define ETCD_TOKEN 1024 /* a JWT is some hundred bytes */
#define ETCD_HEADER (ETCD_TOKEN + 32)

enum etcd_state {
	ETCD_AWAY = 0,
	ETCD_FINDING,
	ETCD_READING,
	ETCD_OPENING,
	ETCD_FOLLOWING
};

/* How much of Patroni's was found by one API. */
enum etcd_trace {
	ETCD_TRACE_UNKNOWN = 0,
	ETCD_TRACE_UNSPOKEN, /* the endpoint does not speak it */
	ETCD_TRACE_NONE,
	ETCD_TRACE_KEYS,
	ETCD_TRACE_LEADER
};

/* What is known of the endpoint in use, and of how to speak with it. */
struct etcd_found {
	enum conf_etcd_api api; /* AUTO: not found yet */
	const char *root;       /* of the gateway: "/v3"; NULL: there is none */
	enum etcd_trace v2, v3;
	uint16_t next; /* the cluster that v2 is asked for */
};

/* Reading and writing orders; etcd_orders.c. */
struct etcd_writing {
	struct http_req *req; /* NULL: none */
	struct etcd_order order;
	char name[ORDERS_KEY], value[ORDERS_VALUE], lease[ETCD3_LEASE];
	const char *prefix;
	bool is_sent; /* the key's own question, not its lease's */
};

struct etcd_orders {
	struct http_req *read, *bell;
	uint16_t from, n; /* clusters of the read under way */
	bool is_each;     /* one by one: a txn of all was refused */
	bool is_again;    /* rung while a read was under way */
	struct log_rate rate;
	struct etcd_writing *writing; /* NULL: nothing is */
};

struct etcd {
	unsigned magic;
	struct ev_loop *loop;
	struct http_client *http;
	struct resolve *resolve;
	const struct conf_cluster *conf;
	struct etcd_cred cred;
	uint8_t at;      /* the endpoint in use */
	unsigned failed; /* in turn, since one worked */
	enum etcd_state state;
	struct etcd_cluster **cluster;
	uint16_t n, reading; /* reading: the cluster whose turn it is */
	uint16_t look;       /* and the one that the other API is asked for */
	/* Of clusters whose keys are in the other API; etcd_apart.c. */
	struct etcd *own, *next_own;
	struct etcd_found found;
	enum conf_etcd_api said; /* the API that the log has named */
	char token[ETCD_TOKEN];
	bool is_token_new; /* it has not led to a watch yet */
	bool is_aside;     /* `ask` works beside the watch, and ends nothing */
	bool is_login_aside; /* … and so does `login`, for it */
	ev_timer dial, pulse, grace;
	/* ask: finding and reading, or a look beside the watch. */
	struct http_req *ask, *login, *watch, *beat;
	void (*then)(struct etcd *e); /* once logged in */
	unsigned pulses;              /* since the watch was opened */
	bool is_opening;              /* further, since the last pulse */
	struct mono dialed, opened;
	uint64_t cluster_id;
	/* The heartbeat under way. */
	uint16_t beat_from, beat_n; /* its clusters: from, and behind them */
	uint16_t beat_ops;
	struct mono beat_asked;
	int64_t beat_revision; /* its answer is of this revision */
	int64_t beat_floor;    /* and must not be of an earlier one than this */
	struct etcd2_proof proof;
	struct mono read_asked;
	int64_t history; /* v3: the revision of the history that is read */
	unsigned key;    /* v2: which key of the cluster is read */
	struct etcd3_lines lines;
	struct etcd_orders orders;
	char addr[LIM_ADDR];
	char header[ETCD_HEADER];
	struct log_rate rate;
	unsigned seed;
};

#endif
