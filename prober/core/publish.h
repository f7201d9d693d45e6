/*
 * publish.h - verdict and reads become a snapshot.
 */
#ifndef PUBLISH_H
#define PUBLISH_H

#include "conf.h"
#include "evidence.h"
#include "policy.h"
#include "reads.h"
#include "snapshot.h"
#include "verdict.h"

/* What this host's HAProxy allows. */
struct publish_site {
	/* By evidence's member index: HAProxy has a server of its name in this
	   cluster's backends, and no operator's maint stands on it. Without it
	   the member is routed nothing, not even writes. */
	bool routable[LIM_MEMBERS];
	/* An operator drains it, here or in HAProxy: no reads; a leader keeps
	   its writes. */
	bool drained[LIM_MEMBERS];
	/* The classic way would send writes, reads there: the server is up in
	   X_classic_write, X_classic_read of this HAProxy, whose checks ask
	   Patroni themselves. And since when it is as it is; unset: never was
	   one up. */
	bool classic_write[LIM_MEMBERS], classic_read[LIM_MEMBERS];
	struct mono classic_write_at, classic_read_at;
	/* HAProxy was never heard: take configured names as they are. */
	bool unknown;
};

bool is_publish_site_same(
    const struct publish_site *a, const struct publish_site *b);

/* Nothing is NULL. */
struct publish_in {
	const struct cluster_ev *ev;
	const struct conf_cluster *conf;
	const struct policy *pol;
	const struct verdict *verdict;
	const struct reads_state *reads;
	const struct publish_site *site;
	bool observe; /* HAProxy goes the classic way: what it does is in it */
	/* The numeric address of each member, empty while not resolved. */
	const char (*addr)[LIM_ADDR];
};

/*
 * Builds the snapshot at `now` into *out, whose former content it compares
 * with: seq grows, and true is given, only when the content changed.
 * Members that left long ago are not in it, so a member's index in the snapshot
 * is not that in evidence: match by name.
 * Needs: *out zeroed with boot_id set before the first call;
 * ev_note_verdict() and reads_judge() were called with the same `now`.
 */
bool publish(
    const struct publish_in *in, struct mono now, struct snapshot *out);

#endif
