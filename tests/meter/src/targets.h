/*
 * targets.h - the open loop: a new connection to each target every interval,
 * on time, however many earlier ones still wait.
 */
#ifndef METER_TARGETS_H
#define METER_TARGETS_H

#include "meter.h"

struct target_conf {
	char label[METER_NAME];
	struct sockaddr_in addr;
	enum kind kind;
	int64_t every_ns;
	int64_t deadline_ns; /* of one attempt, from its start */
	unsigned inflight_max;
	struct pgc_login login;
};

/* Gives: NULL without memory. */
struct targets *targets_new(struct meter *m);
void targets_free(struct targets *ts);

/* Gives: false if there are METER_TARGETS already or the label is taken. */
bool targets_add(struct targets *ts, const struct target_conf *conf)
    __attribute__((warn_unused_result));

/* Gives: NULL if there is none of that label. */
const struct target_conf *targets_find(
    const struct targets *ts, const char *label);

/* The n-th in the order of adding, or NULL. */
const struct target_conf *targets_at(const struct targets *ts, unsigned n);

void targets_start(struct targets *ts, int64_t now_ns);

/* No new attempts; those under way go on. */
void targets_pause(struct targets *ts);
unsigned targets_inflight(const struct targets *ts);

/* Ends those under way; each leaves a line "unfinished". */
void targets_stop(struct targets *ts);

/* Attempts so far, into the open line: started, late, not started. */
void targets_totals(const struct targets *ts);

#endif
