/*
 * evidence.h - what each source says of each member, and when it was true.
 *
 * One sink for every edge: ev_put(). Pure: time comes in, nothing is asked.
 * Evidence never expires here; verdict and reads compare its age.
 * No name here may be one of libev's (EV_NONE, ev_init): edges include both.
 */
#ifndef EVIDENCE_H
#define EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "lag.h"
#include "limits.h"
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
	EV_RC_STOPPING, /* 57P01, 57P03 "shutting down" */
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

/* What one source last said of one member. */
struct ev_slot {
	struct mono at; /* of the last answer of any kind */
	struct mono asked;
	enum ev_rc rc;               /* of the last answer */
	struct mono ok_at, ok_asked; /* of the last OK: age of the content */
	struct mono alive_at;        /* OK, AUTH, BUSY: the server lives */
	struct mono silent_since;    /* first TIMEOUT with no answer after it */
};

struct ev_member {
	struct ev_dcs_member dcs;
	struct ev_slot rest_slot, sql_slot;
	struct ev_rest rest; /* content of the last OK */
	struct ev_sql sql;
	struct mono left_at; /* its key went away at; unset: it is there */
	struct mono held_key_until; /* held the leader key last at; fence */
	uint64_t sysid;
};

/* The cluster's keys, as the DCS has them now. */
struct ev_dcs {
	struct mono fresh_at;    /* last event or heartbeat answer */
	bool configured, synced; /* synced: a whole read was taken */
	int8_t leader;           /* index, -1: no key, -2: names nobody known */
	char leader_name[LIM_NAME];
	int64_t leader_rev;    /* revision of the key, grows at each move */
	struct mono leader_at; /* when this holder's key was seen first */
	bool pause, standby_cluster, failsafe_mode, sync_mode;
	char sync_standby[LIM_MEMBERS][LIM_NAME];
	uint8_t sync_n;
	bool failover_due; /* a failover key without scheduled_at, or due */
	struct mono failover_at;
	uint64_t sysid; /* initialize */
};

struct cluster_ev {
	char name[LIM_NAME];
	struct ev_dcs dcs;
	uint8_t n;
	struct ev_member m[LIM_MEMBERS];
	struct lag_ring lag; /* the leader's LSN over time */
	bool sql_configured;
	struct mono confirmed_at;  /* the present leader was confirmed at */
	int8_t confirmed;          /* index, -1 none */
	struct mono transition_at; /* unset: none is under way */
};

/* Needs: ev is the caller's memory. Sets the indices to -1. */
void ev_reset(struct cluster_ev *ev, const char *name, bool dcs_configured,
    bool sql_configured);

/*
 * Takes one answer. Older than what is there (by `asked`): ignored; LOCAL
 * counts as no answer.
 * Needs: item->member < ev->n, item->at >= item->asked.
 * Gives: whether a verdict could change by it.
 */
bool ev_put(struct cluster_ev *ev, const struct ev_item *item);

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
	int64_t leader_rev; /* mod_revision of the leader key */
	uint64_t sysid;
	uint8_t n, sync_n;
	struct ev_dcs_member m[LIM_MEMBERS];
	char sync_standby[LIM_MEMBERS][LIM_NAME];
};

/*
 * Members keep their index while they are there; a member whose key went away
 * stays with left_at set and its slot is reused only when none is free.
 * A move of the leader key starts a transition and notes the former holder
 * for the fence.
 */
bool ev_put_dcs(
    struct cluster_ev *ev, const struct ev_view *view, struct mono at);

/* The heartbeat proved the view still true at `at`. */
void ev_dcs_alive(struct cluster_ev *ev, struct mono at);

/* Gives: index of the member of that name, -1 none. */
int ev_find(const struct cluster_ev *ev, const char *name);

/* Seen live: SQL or REST answered within its max_age. */
struct policy;
bool is_ev_live(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now);

const char *ev_rc_name(enum ev_rc rc);

#endif
