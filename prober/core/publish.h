/*
 * publish.h - verdict and reads become a snapshot.
 */
#ifndef PUBLISH_H
#define PUBLISH_H

#include "conf.h"
#include "evidence.h"
#include "reads.h"
#include "snapshot.h"
#include "verdict.h"

/* What this host's HAProxy allows. */
struct publish_site {
	/* By member index: HAProxy has a server of its name in this cluster's
	   backends, and an operator's maint or drain does not stand on it. */
	bool routable[LIM_MEMBERS];
	bool drained[LIM_MEMBERS];
	/* HAProxy was never heard: take configured names as they are. */
	bool unknown;
};

/*
 * Builds the snapshot at `now` into *out, whose former content it compares
 * with: seq grows, and true is given, only when the content changed.
 * Needs: *out zeroed with boot_id set before the first call. addr[i] is the
 * numeric address of member i, empty while its name is not resolved.
 */
bool publish(const struct cluster_ev *ev, const struct conf_cluster *conf,
    const struct verdict *v, const struct reads_state *reads,
    const struct publish_site *site, const char addr[][LIM_ADDR],
    struct mono now, struct snapshot *out);

#endif
