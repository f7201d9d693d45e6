/*
 * agent.h - what is done with a NOTIFY: answered, or held until it can be.
 *
 * Owns: the holds and their timer, the counters. Stands between the connections
 * and the decider. Nothing here allocates or blocks.
 */
#ifndef AGENT_H
#define AGENT_H

#include <ev.h>
#include <stdint.h>

#include "hold.h"
#include "log.h"
#include "snapshot.h"
#include "spop.h"
#include "stats.h"

struct app;
struct conn;
struct conf;

struct agent {
	struct app *app;
	struct hold hold; /* for a server */
	struct hold lsn;  /* for a replica that has replayed their min_lsn */
	ev_timer tick;    /* runs while somebody is held */
	unsigned phase[LIM_CLUSTERS];
	uint64_t answered; /* streams, within the pass that brought them */
	struct feed_stats stats;
	uint16_t split_next;    /* whose counts the next STATS begins with */
	struct mono wait_ended; /* the last */
	struct log_rate lost_rate;
};

void agent_init(struct agent *a, struct app *app);
/*
 * `conf` is about to replace the application's configuration. Whoever waits at
 * a listener that is no more, or is another cluster's now, goes HAProxy's
 * second way.
 */
void agent_reload(struct agent *a, const struct conf *conf);
void agent_free(struct agent *a);

/*
 * Answers or holds the stream of a NOTIFY, within a read pass.
 * Gives: SPOP_ST_NONE, or the status by which the connection is to be refused.
 */
enum spop_status agent_notify(struct app *app, struct conn *c,
    const struct spop_frame *f) __attribute__((warn_unused_result));

/* A NOTIFY with ABORT: its stream no longer waits. */
void agent_abort(struct app *app, struct conn *c, const struct spop_frame *f);

/* The connection ends: its streams no longer wait. */
void agent_forget(struct app *app, struct conn *c);

/* The agent ends: whoever waits goes HAProxy's second way. */
void agent_stop(struct app *app);

/* From the feed: a new snapshot, and the wish for the counters. */
void agent_snapshot_cb(void *arg, const struct snapshot *snap);
void agent_stats_cb(void *arg, struct feed_counts *out);

/* A wait of so long has ended. */
void agent_count_wait(struct agent *a, int64_t ms, struct mono now);

#endif
