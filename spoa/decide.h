/*
 * decide.h - from a NOTIFY's words to a decision, by the freshest snapshot.
 *
 * Owns: what one agent remembers of each cluster: the round-robin, since when
 * its read pool is empty, and what was observed. Clusters keep their places
 * when the configuration is replaced. No I/O, no log, no allocation; time comes
 * in.
 */
#ifndef DECIDE_H
#define DECIDE_H

#include "conf.h"
#include "feed_client.h"
#include "mono.h"
#include "notify.h"
#include "route.h"

/*
 * How long an empty read pool waits before the fallback is taken, counted from
 * when it became empty: a replica that comes back in time is worth it.
 */
#define DECIDE_READ_WAIT_MS 250
/*
 * How long a read waits for a replica where it may not fall back, counted from
 * its own arrival; by then it is refused. A replica that restarts is back in
 * that time; while the leader changes, and for follow_grace after, the wait is
 * the listener's whole hold.
 */
#define DECIDE_READ_HOLD_MS 2000
/*
 * How long one waits of whose cluster nothing is known: a prober that restarts
 * is back in that time, and for one that is gone HAProxy has another way.
 */
#define DECIDE_BLIND_HOLD_MS 2000

struct decide_cluster {
	char name[LIM_NAME]; /* empty: a free slot */
	/* Who asks for TLS first, and does not get it, may come again without
	   (pgx, not libpq): by the same turns each second one counted, and
	   all of that client's sessions went to one member. */
	struct rr rr[2];         /* [1]: first bytes that are unread */
	struct mono empty_since; /* no member to read from */
	struct mono write_since; /* the write target is, or is missing */
	uint64_t pass;           /* of `snap` */
	const struct snapshot *snap;
	struct feed_observed observed; /* connections; stats.c counts */
};

struct decider {
	const struct conf *conf;
	const struct feed_client *feed;
	struct mono now; /* of this pass */
	uint64_t pass;
	uint16_t slot_of[LIM_CLUSTERS]; /* by the configuration's index */
	struct decide_cluster cluster[LIM_CLUSTERS];
};

/* What was decided, and on what. */
struct ruling {
	const struct snapshot
	    *snap; /* NULL: not fresh, so nothing is decided */
	struct decision d;
};

/* Nobody waits: HAProxy goes the classic way, whatever was decided. */
static inline bool is_ruling_observed(const struct ruling *r)
{
	return r->snap != NULL && r->snap->observe;
}

/* `seed`: random bits, the start of the round-robins. */
void decide_init(struct decider *d, const struct conf *conf, uint32_t seed);

/* From now on `conf` counts. Clusters keep their slots by name. */
void decide_reload(struct decider *d, const struct conf *conf);

/*
 * Begins a pass at `now`: freshness is looked up once a cluster and pass. To be
 * called whenever the loop comes in.
 */
void decide_pass(struct decider *d, struct mono now);

/* Notes a new snapshot at `now`. Gives: the cluster's slot, -1 if unknown. */
int decide_snapshot(
    struct decider *d, const struct snapshot *snap, struct mono now);

enum decide_startup {
	DECIDE_UNKNOWN = 0, /* no such listener: nothing to decide */
	DECIDE_STARTUP_OK,
	DECIDE_STARTUP_BAD /* first bytes not understood: listener's intent */
};

/* The listener's intent, refined by the first bytes and the server name. */
enum decide_startup decide_intent(
    const struct decider *d, const struct notify *n, struct intent *it);

/*
 * Needs: it->listen is a listener of the configuration.
 * Gives: the ruling for one connection, at the instant of this pass.
 */
struct ruling decide_route(struct decider *d, const struct intent *it);

/* The same for somebody who only asks: the round-robin does not move. */
struct ruling decide_explain(struct decider *d, const struct intent *it);

/* How long a connection that got this ruling may wait for a better one. */
struct dur decide_hold(
    const struct decider *d, const struct intent *it, const struct ruling *r);

/* The slot of a listener's cluster; the hold's queue too. */
uint16_t decide_slot(const struct decider *d, const struct intent *it);

/*
 * What, besides a new snapshot, may change a decision of this cluster with
 * time: compare with what it was before.
 */
unsigned decide_phase(struct decider *d, uint16_t slot);

/* The cluster's snapshot if it is usable in this pass, else NULL. */
const struct snapshot *decide_fresh(struct decider *d, uint16_t slot);

#endif
