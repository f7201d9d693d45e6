/*
 * proof.c - see proof.h. Called for the log and for /topology.
 */
#include "proof.h"

#include <assert.h>

enum proof proof_of(const struct cluster_ev *ev, const struct verdict *v,
    const struct policy *pol, struct mono now)
{
	bool sql;

	assert(ev != NULL && v != NULL && pol != NULL && v->write < ev->n);
	if (v->write < 0)
		return PROOF_NONE;
	sql = ev->sql_configured &&
	    is_mono_fresh(
		ev->m[v->write].sql_slot.ok_at, pol->max_age_sql, now);
	if (v->why == SNAP_WHY_FORCED)
		return PROOF_OPERATOR;
	if (v->why == SNAP_WHY_PRIMARY_200)
		return sql ? PROOF_CLAIM_SQL : PROOF_CLAIM_REST;
	return sql ? PROOF_KEY_SQL : PROOF_KEY_REST;
}

const char *proof_name(enum proof p)
{
	static const char *const name[PROOF_N] = {
	    [PROOF_NONE] = "none",
	    [PROOF_KEY_SQL] = "key+sql",
	    [PROOF_KEY_REST] = "key+rest",
	    [PROOF_CLAIM_SQL] = "claim+sql",
	    [PROOF_CLAIM_REST] = "claim+rest",
	    [PROOF_OPERATOR] = "operator",
	};

	assert(p < PROOF_N && name[p] != NULL);
	return name[p];
}
