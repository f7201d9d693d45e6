/*
 * ev_item.h - the words of evidence: what one source says, at one time.
 *
 * What the edges and decoders fill; evidence.h takes it. Zeroed memory says
 * nothing. No name here may be one of libev's (EV_NONE, ev_init).
 */
#ifndef EV_ITEM_H
#define EV_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "lim.h"
#include "mono.h"

enum ev_src {
	EV_SRC_NONE = 0,
	EV_DCS,
	EV_REST,
	EV_SQL
};

/* How a probe ended. LOCAL is our own exhaustion: it says nothing. */
enum ev_rc {
	EV_RC_NONE = 0,
	EV_RC_OK,
	EV_RC_REFUSED,  /* connection refused: nobody listens */
	EV_RC_STOPPING, /* 57P01, 57P03 "shutting down"; see ev_slot */
	EV_RC_STARTING, /* 57P03: starting up, in crash recovery */
	EV_RC_TIMEOUT,  /* silence: our deadline, or no route */
	EV_RC_LOST,     /* a kept connection ended otherwise: a question */
	EV_RC_AUTH,     /* 28xxx: the server lives */
	EV_RC_BUSY,     /* 53300: the server lives */
	EV_RC_TLS,
	EV_RC_PARSE,
	EV_RC_LIMIT,
	EV_RC_LOCAL,
	EV_RC_N
};

enum ev_role {
	EV_ROLE_NONE = 0,
	EV_ROLE_PRIMARY, /* "master" to 3.x, "primary" from 4.0 */
	EV_ROLE_REPLICA,
	EV_ROLE_STANDBY_LEADER,
	EV_ROLE_DEMOTED,
	EV_ROLE_UNINITIALIZED,
	EV_ROLE_N
};

/* PostgreSQL's state as Patroni words it. */
enum ev_state {
	EV_STATE_NONE = 0, /* absent or unknown word: unknown, not down */
	EV_STATE_RUNNING,
	EV_STATE_STREAMING,        /* 3.1+: replication_state or state */
	EV_STATE_ARCHIVE_RECOVERY, /* "in archive recovery" */
	EV_STATE_STARTING,
	EV_STATE_STOPPING,
	EV_STATE_STOPPED,
	EV_STATE_CRASHED,
	EV_STATE_OTHER, /* creating replica, initializing … */
	EV_STATE_N
};

/* Of the member's key in the DCS. Addresses are as announced. */
struct ev_dcs_member {
	bool present;
	char name[LIM_NAME];
	char host[LIM_ADDR]; /* conn_url's */
	uint16_t port;
	char proxy_host[LIM_ADDR]; /* proxy_url's; "": it has none */
	uint16_t proxy_port;
	char api_host[LIM_ADDR]; /* api_url's */
	uint16_t api_port;
	bool api_tls;
	enum ev_role role;
	enum ev_state state;
	uint32_t tli;
	uint64_t lsn; /* xlog_location */
	bool noloadbalance, nofailover;
	uint16_t weight; /* tag patroute_weight, default 100 */
};

struct ev_rest {
	enum ev_role role;
	enum ev_state state;
	bool streaming_known, streaming; /* replication_state (3.0.4+) */
	bool primary_200; /* GET /primary answered 200 (DCS not fresh) */
	bool pause, noloadbalance, failsafe, standby_cluster;
	bool sync;            /* sync_standby, or quorum_standby from 4.0 on */
	bool pending_restart; /* a parameter waits for it: shown, no more */
	uint32_t tli;
	uint64_t lsn; /* location, or replayed_location */
	uint64_t receive_lsn;
	uint64_t sysid; /* 0 unknown */
};

struct ev_sql {
	bool in_recovery, read_only;
	bool streaming_known, streaming;
	uint64_t lsn; /* current, or replay in recovery */
	uint64_t receive_lsn;
	uint32_t tli; /* primaries only; 0 unknown */
};

/* One source's word on one member. */
struct ev_item {
	enum ev_src src;       /* EV_REST or EV_SQL */
	uint8_t member;        /* index into cluster_ev.m */
	struct mono asked, at; /* asked <= at; the answer holds from `asked` */
	enum ev_rc rc;
	union {
		struct ev_rest rest; /* if rc is OK */
		struct ev_sql sql;
	} u;
};

/*
 * One consistent view of all keys, after a full read or an event: what an
 * etcd decoder fills, ev_put_dcs() takes over.
 */
struct ev_view {
	int64_t revision;
	bool has_leader, pause, standby_cluster, failsafe_mode;
	bool has_failover, failover_scheduled;
	bool sync_mode;
	char leader[LIM_NAME];
	int64_t leader_rev;            /* mod_revision of the leader key */
	char history_leader[LIM_NAME]; /* of history's last line; "": none */
	uint64_t sysid;
	uint8_t n, sync_n;
	struct ev_dcs_member m[LIM_MEMBERS];
	char sync_standby[LIM_MEMBERS][LIM_NAME];
};

#endif
