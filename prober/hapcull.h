/*
 * hapcull.h - sessions that policy ends, a few at a time: those of a replica
 * that has lagged for long (lag_kill), and reads that the fallback put on the
 * primary, once a replica is fit again (fallback_max_age).
 *
 * Both need a fresh verdict; nothing is closed for want of evidence.
 */
#ifndef HAPCULL_H
#define HAPCULL_H

#include <stdbool.h>
#include <stdint.h>

#include "haptext.h"
#include "lim.h"
#include "mono.h"

struct app;

struct hapcull {
	/* Since when a member is over its bound; unset: it is not. */
	struct mono lags[LIM_CLUSTERS][LIM_MEMBERS];
	bool any[LIM_CLUSTERS]; /* some session may be due there */
};

/* Every other second: who lags? Gives: is there anything to end? */
bool hapcull_look(struct hapcull *k, struct app *app, struct mono now);

/* Is this session due? */
bool is_hapcull_due(const struct hapcull *k, const struct app *app,
    const struct haptext_session *s, struct mono now);

#endif
