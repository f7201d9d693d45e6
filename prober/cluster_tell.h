/*
 * cluster_tell.h - what of a cluster has changed, said once: one line of the
 * log and one event from the same place.
 */
#ifndef CLUSTER_TELL_H
#define CLUSTER_TELL_H

#include "cluster.h"

/* After each change of target or reason; *old is what was decided before. */
void cluster_tell_verdict(
    struct cluster *c, const struct verdict *old, struct mono now);

/* Of each member whose fitness for reads is not what it was. */
void cluster_tell_reads(
    struct cluster *c, const struct reads_state *old, struct mono now);

/* Who takes the writes and would refuse them; a flag, not a veto. */
void cluster_tell_read_only(struct cluster *c, struct mono now);

/* A source that answers and does not tell leaves less proof, and no trace in
   a verdict that does not change by it. */
void cluster_tell_source(struct cluster *c, const struct ev_item *item);

/* Those that came, or left. */
void cluster_tell_members(struct cluster *c, struct mono now);

/* The DCS is heard again, or not any more. */
void cluster_tell_dcs(struct cluster *c, struct mono now);

/* While it is observed: the classic way parts from what is decided, or meets
   it again; one event each, with the connections that it concerned. */
void cluster_tell_observe(struct cluster *c, struct mono now);

#endif
