/*
 * snapshot.h - the verdict of one cluster, as the prober tells the agents.
 *
 * The contract of both programs. Whole snapshots only: there are no deltas.
 * Weights are final, agents hold no policy. Zeroed memory means "no write
 * target, no members": it routes nothing.
 * Pure; no allocation. Encoding: integers big-endian, strings as one length
 * byte and bytes, in the order of the fields below.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lim.h"
#include "slice.h"

#define SNAP_VERSION 2

/*
 * Why there is or is not a write target; also why a member may not be read.
 * Append only: the numbers are on the wire, between programs of different
 * versions during an upgrade. Who does not know one decodes it as NONE.
 */
enum snap_why {
	SNAP_WHY_NONE = 0,    /* nothing is known */
	SNAP_WHY_LEADER,      /* holds the key, seen out of recovery since */
	SNAP_WHY_PRIMARY_200, /* no DCS: the one member with /primary = 200 */
	SNAP_WHY_FORCED,      /* an operator's override */
	SNAP_WHY_NO_KEY,      /* DCS fresh, nobody holds the leader key */
	SNAP_WHY_UNCONFIRMED, /* key held, not yet seen out of recovery */
	SNAP_WHY_FENCED,      /* an earlier holder lives on a higher timeline */
	SNAP_WHY_CONFLICT,    /* no DCS and two claim, or SQL contradicts */
	SNAP_WHY_STALE,       /* no source is fresh */
	SNAP_WHY_SILENT,      /* leader silent on SQL and REST */
	SNAP_WHY_REFUSED,     /* leader's PostgreSQL refuses connections */
	SNAP_WHY_STOPPING, /* leader shuts down: planned switchover, restart */
	SNAP_WHY_IN_RECOVERY,     /* key's holder is in recovery */
	SNAP_WHY_STANDBY_CLUSTER, /* no writes here by design */
	SNAP_WHY_UNKNOWN_MEMBER,  /* the key names nobody we know */
	SNAP_WHY_HELD,            /* an operator's hold */
	SNAP_WHY_REPLICA,         /* fit for reads */
	SNAP_WHY_LAG_BYTES,
	SNAP_WHY_LAG_TIME,
	SNAP_WHY_NOT_STREAMING,
	SNAP_WHY_NOT_RUNNING,
	SNAP_WHY_NOLOADBALANCE,
	SNAP_WHY_TAKES_KEY,      /* becomes the leader: no reads from now on */
	SNAP_WHY_DRAINED,        /* by an operator, here or in HAProxy */
	SNAP_WHY_DIVERGED,       /* a higher timeline than the leader's */
	SNAP_WHY_NOT_IN_HAPROXY, /* HAProxy has no server of this name */
	SNAP_WHY_NO_REPLICA,     /* of a decision: none is fit for reads */
	SNAP_WHY_NO_WEIGHT,      /* its tag patroute_weight is 0 */
	SNAP_WHY_MIN_LSN,        /* of a decision: none has it yet, as known */
	SNAP_WHY_N
};

enum snap_role {
	SNAP_ROLE_NONE = 0,
	SNAP_ROLE_LEADER,
	SNAP_ROLE_REPLICA,
	SNAP_ROLE_SYNC,
	SNAP_ROLE_STANDBY_LEADER,
	SNAP_ROLE_N
};

enum snap_flag {
	SNAP_F_READ = 1,     /* fit for the read route now */
	SNAP_F_READONLY = 2, /* a leader with read-only transactions */
	SNAP_F_LIVE = 4,     /* seen live: SQL or REST answered freshly */
	SNAP_F_DRAINED = 8,  /* no reads, not even a leader's fallback */
	/* Where the classic way would send; only while it is observed. */
	SNAP_F_CLASSIC_WRITE = 16,
	SNAP_F_CLASSIC_READ = 32,
	SNAP_F_ALL = 63
};

enum snap_fallback {
	SNAP_FALLBACK_NONE = 0,
	SNAP_FALLBACK_PRIMARY
};

#define SNAP_WEIGHT_MAX 256
#define SNAP_LAG_UNKNOWN UINT64_MAX
#define SNAP_LAG_MS_UNKNOWN UINT32_MAX

struct snap_member {
	char name[LIM_NAME];      /* Patroni's */
	char server[LIM_NAME];    /* HAProxy's; empty: not routable here */
	char addr[LIM_ADDR];      /* numeric, for the desk's cancel requests */
	uint8_t role, flags, why; /* enum snap_role, snap_flag, snap_why */
	uint16_t port;            /* PostgreSQL's */
	uint16_t weight;          /* 0..256; 0: no reads by round-robin */
	uint32_t tli;             /* 0 unknown */
	uint32_t lag_ms;          /* SNAP_LAG_MS_UNKNOWN */
	uint64_t lag_bytes;       /* SNAP_LAG_UNKNOWN */
	uint64_t replay_lsn;      /* a lower bound; 0 unknown */
};

struct snapshot {
	uint64_t boot_id; /* of the prober's start, never 0 once sent */
	uint64_t seq;     /* grows when the content changes */
	char cluster[LIM_NAME];
	int8_t write;      /* index into m, -1 none */
	uint8_t write_why; /* enum snap_why */
	uint8_t fallback;  /* enum snap_fallback */
	bool planned;      /* a planned switchover is under way: hold */
	bool transition;   /* leader lost or moving: an early hold is right */
	bool observe;      /* decide and count; HAProxy goes the classic way */
	uint32_t since_ms; /* how long there is no write target (or one) */
	uint8_t n;         /* members */
	struct snap_member m[LIM_MEMBERS];
};

/*
 * Encodes `s` into buf. Needs: snap_check(s) holds.
 * Gives: the length, at most LIM_FEED_MSG - 64; 0 if it does not fit.
 */
size_t snap_encode(const struct snapshot *s, unsigned char *buf, size_t size)
    __attribute__((warn_unused_result));

/*
 * Gives: true and a *out that passes snap_check(), or false and zeroes. A why
 * of a later version is SNAP_WHY_NONE here: it only explains.
 */
bool snap_decode(struct slice in, struct snapshot *out)
    __attribute__((warn_unused_result));

/*
 * May it name a cluster, member or server: not empty, printable ASCII without
 * blanks. Whoever builds a snapshot leaves out members of other names, for
 * snap_encode() asserts the check. Needs: NUL-terminated.
 */
bool is_snap_name(const char *name) __attribute__((warn_unused_result));

/*
 * Holds iff: cluster and members' names are printable, not empty, unique; n,
 * write and every enum are in range; the write target has a server and the role
 * LEADER; READ stands only on members with a server and a weight, and never on
 * a LEADER (fallback is route_decide's affair); `fallback` is a known value.
 */
bool snap_check(const struct snapshot *s) __attribute__((warn_unused_result));

/* Equal but for boot_id, seq and since_ms: then seq must not grow. */
bool is_snap_same(const struct snapshot *a, const struct snapshot *b);

/* "no-key", "fenced" …: for logs, labels and JSON. Never NULL. */
const char *snap_why_name(enum snap_why why);
/* A clause for people: "nobody holds the leader key". Never NULL. */
const char *snap_why_text(enum snap_why why);
const char *snap_role_name(enum snap_role role);

#endif
