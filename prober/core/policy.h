/*
 * policy.h - the bounds by which evidence is judged; from patroute.conf.
 */
#ifndef POLICY_H
#define POLICY_H

#include <stdint.h>

#include "conf.h"
#include "mono.h"

/* The max_age_rest from which on a member may be calm (tick.h): asked every
   other second, and once more if that was lost. */
#define POLICY_CALM_AGE_MS 3000

/* Durations are positive, but where it is said; defaults are conf.h's. */
struct policy {
	struct dur max_age_dcs, max_age_rest, max_age_sql;
	/* max_age_rest of one that is asked each second or more often: without
	   the second that the answer of a calm one (tick.h) may be older. */
	struct dur max_age_claim;
	struct dur fence, silence, silence_close, follow_grace;
	struct dur early_hold; /* the agents'; policy_of() has its default */
	struct conf_lag max_lag;
	struct dur lag_grace, slow_start; /* 0: none */
	enum snap_fallback read_fallback;
};

/* Needs: c passed conf_load()'s checks. */
struct policy policy_of(const struct conf_cluster *c);

#endif
