/*
 * policy.c - see policy.h.
 */
#include "policy.h"

#include <assert.h>

#define EARLY_HOLD_MS 2000

static struct dur age_of_claim(struct dur max_age_rest)
{
	if (max_age_rest.us < dur_ms(POLICY_CALM_AGE_MS).us)
		return max_age_rest;
	return dur_us(max_age_rest.us - dur_ms(1000).us);
}

struct policy policy_of(const struct conf_cluster *c)
{
	assert(c != NULL);
	return (struct policy){
	    .max_age_dcs = c->max_age_dcs,
	    .max_age_rest = c->max_age_rest,
	    .max_age_claim = age_of_claim(c->max_age_rest),
	    .max_age_sql = c->max_age_sql,
	    .fence = c->fence,
	    .silence = c->silence,
	    .silence_close = c->silence_close,
	    .follow_grace = c->follow_grace,
	    .early_hold = dur_ms(EARLY_HOLD_MS),
	    .max_lag = c->max_lag,
	    .lag_grace = c->lag_grace,
	    .slow_start = c->slow_start,
	    .read_fallback = c->read_fallback,
	};
}
