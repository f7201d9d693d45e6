/*
 * feed_msg.h - the messages between prober and agent.
 *
 * SOCK_SEQPACKET on a unix socket: one message a packet, no framing, no partial
 * reads. Byte 0 is FEED_VERSION, byte 1 the kind, then the fields in order,
 * integers big-endian. Pure, no allocation, fuzzed; a message that is not whole
 * is no message. During an upgrade both ends are of different versions for a
 * while: STATS may end after any of the counters that the first version of all
 * had or that came at its end since. Behind hold_recent_ms, the last of these,
 * stand the length of all later counters and they themselves, then those by
 * cluster: a new counter grows that part, whatever else is new goes to the end.
 * Any other change of the layout needs another FEED_VERSION.
 *
 * Freshness by echo: the agent sends PING with a nonce; the prober answers with
 * its dirty snapshots and behind them ECHO with the same nonce and, for each
 * cluster, the age of the oldest evidence its verdict rests on. A snapshot is
 * usable until (the agent's own instant of that PING) + stale_after - age.
 */
#ifndef FEED_MSG_H
#define FEED_MSG_H

#include "lim.h"
#include "observe.h"
#include "slice.h"
#include "snapshot.h"

#define FEED_VERSION 2
#define FEED_AGE_STALE UINT32_MAX /* the verdict rests on nothing fresh */
#define FEED_LATENCY_BUCKETS 24   /* bucket i: below 2^i us, last: above */
#define FEED_SPLIT_MAX 64         /* clusters of one STATS */

enum feed_kind {
	FEED_NONE = 0,
	FEED_HELLO,    /* both ways, first: program and its boot id */
	FEED_SNAPSHOT, /* prober -> agent */
	FEED_SEEN,     /* agent -> prober: decides by this one from now on */
	FEED_PING,     /* agent -> prober */
	FEED_ECHO,     /* prober -> agent */
	FEED_WANT,     /* agent -> prober: a connection waits */
	FEED_STATS,    /* agent -> prober */
	FEED_KIND_N
};

struct feed_hello {
	uint64_t boot_id;
	char program[LIM_NAME];
};

struct feed_seen {
	uint64_t boot_id, seq;
	char cluster[LIM_NAME];
};

struct feed_ping {
	uint64_t nonce;
};

/* Clusters in the order in which this connection's SNAPSHOTs first came. */
struct feed_echo {
	uint64_t nonce;
	uint16_t n;                    /* <= LIM_CLUSTERS */
	uint32_t age_ms[LIM_CLUSTERS]; /* or FEED_AGE_STALE */
};

struct feed_want {
	char cluster[LIM_NAME];
	uint64_t min_lsn; /* 0: waits for a write target */
};

struct feed_stats {
	uint64_t decisions, routed_write, routed_read, routed_fallback;
	uint64_t held, refused, undecided; /* undecided: snapshot not fresh */
	uint64_t lsn_waited, lsn_late;     /* late: the primary served it */
	/* First bytes: not understood; TLS, so unread; ones that chose … */
	uint64_t startup_bad, startup_unread, startup_chosen;
	uint64_t startup_replication, startup_cancel;
	uint64_t frames_bad, connections, hello_rejected;
	uint64_t latency_sum_us;
	uint64_t latency[FEED_LATENCY_BUCKETS]; /* NOTIFY to ACK */
	uint32_t hold_now, hold_max_ms, lsn_now;
	uint32_t snapshot_age_ms; /* the oldest of the configuration's clusters;
				     or FEED_AGE_STALE */
	uint64_t answers_lost;    /* decided, but its connection had no room */
	/* The loop's turns; slow: over 20 ms of processor time. */
	uint64_t loop_longest_us, loop_turns, loop_slow;
	/* Observed, by kind: the classic way did the same, or did not. */
	uint64_t observed_same[OBSERVE_KINDS];
	uint64_t observed_differs[OBSERVE_KINDS];
	/* The longest wait of those that ended lately, in one go. */
	uint64_t hold_recent_ms;
	/* A later counter: it stands behind a length, see above. */
};

/* Of one cluster: the classic way did the same, or did not. */
struct feed_observed {
	uint64_t same[OBSERVE_KINDS], differs[OBSERVE_KINDS];
};

/*
 * Behind the counters of all clusters those that are kept by cluster, since the
 * agent's start: of some clusters in each message, by turns, and of none that
 * was never observed.
 */
struct feed_counts {
	struct feed_stats all;
	bool is_split; /* false: of an agent that does not count by cluster */
	uint16_t n;    /* <= FEED_SPLIT_MAX */
	struct {
		char cluster[LIM_NAME];
		struct feed_observed observed;
	} of[FEED_SPLIT_MAX];
};

struct feed_msg {
	enum feed_kind kind;
	union {
		struct feed_hello hello;
		struct snapshot snapshot;
		struct feed_seen seen;
		struct feed_ping ping;
		struct feed_echo echo;
		struct feed_want want;
		struct feed_counts counts;
	} u;
};

/* Gives: the length (<= LIM_FEED_MSG), 0 if `size` is too small. */
size_t feed_encode(const struct feed_msg *m, unsigned char *buf, size_t size)
    __attribute__((warn_unused_result));

enum feed_rc {
	FEED_OK = 0,
	FEED_BAD,
	FEED_OTHER_VERSION
};

/* Whole or nothing; FEED_OTHER_VERSION from byte 0 alone. */
enum feed_rc feed_decode(struct slice in, struct feed_msg *out)
    __attribute__((warn_unused_result));

#endif
