/*
 * hapjoin.h - discovery for one cluster in one HAProxy: what core/hapfind.h
 * needs to know, from the cluster and the configuration.
 */
#ifndef HAPJOIN_H
#define HAPJOIN_H

#include "hapfind.h"

struct cluster;

/* What is remembered of one cluster in one HAProxy; zeroed at first. */
struct hapjoin {
	struct hap_memory mem;
	struct mono retry; /* not before */
	uint8_t fails;     /* in a row */
	bool asked;        /* in this pass; then: */
	unsigned found;    /* servers that are missing, */
	unsigned begin;    /* where its commands begin */
	unsigned missing;  /* when it was last tried */
};

/*
 * Appends to *out what makes HAProxy's servers those of the members. `named`
 * is the cluster's snapshot with all its servers' names.
 */
void hapjoin_find(struct hapjoin *j, struct cluster *c,
    const struct snapshot *named, const struct hap_view *view,
    struct hap_cmds *out);

/*
 * Of all commands of the pass the first `fit` go to HAProxy. Gives: whether to
 * look once more, at once.
 */
bool hapjoin_sent(struct hapjoin *j, unsigned fit, struct mono now);

/* HAProxy, or the members, are others than they were: failures count anew. */
void hapjoin_anew(struct hapjoin *j);

#endif
