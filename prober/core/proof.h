/*
 * proof.h - what a verdict rests on: how sure is it?
 *
 * Pure. For the operator: with the leader key and SQL both there is the most
 * that can be known; where one is missing it stands there in so many words.
 */
#ifndef PROOF_H
#define PROOF_H

#include "evidence.h"
#include "policy.h"
#include "verdict.h"

enum proof {
	PROOF_NONE = 0,   /* no target */
	PROOF_KEY_SQL,    /* holds the leader key; PostgreSQL itself says so */
	PROOF_KEY_REST,   /* holds the leader key; Patroni says so */
	PROOF_CLAIM_SQL,  /* without the key: its Patroni says primary, alone */
	PROOF_CLAIM_REST, /* likewise, and PostgreSQL was not asked */
	PROOF_OPERATOR,   /* forced */
	PROOF_N
};

enum proof proof_of(const struct cluster_ev *ev, const struct verdict *v,
    const struct policy *pol, struct mono now);

/* "key+sql", "key+rest", "claim+sql", "claim+rest", "operator", "none". */
const char *proof_name(enum proof p);

#endif
