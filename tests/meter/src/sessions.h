/*
 * sessions.h - connections that stay: idle ones, to see when and by whom they
 * are closed, and busy ones that send a statement every interval, to see the
 * last that an old leader still executed.
 */
#ifndef METER_SESSIONS_H
#define METER_SESSIONS_H

#include "meter.h"
#include "targets.h"

/* Gives: NULL without memory. */
struct sessions *sessions_new(struct meter *m);
void sessions_free(struct sessions *ss);

/*
 * Opens `n` sessions through `t`, told apart by `tag` (a word). every_ns 0:
 * they stay idle. A write target's statements are writes.
 * Gives: false if METER_SESSIONS would be exceeded; none is opened then.
 */
bool sessions_hold(struct sessions *ss, const struct target_conf *t, unsigned n,
    const char *tag, int64_t every_ns) __attribute__((warn_unused_result));

/* Closes all; those still open leave a line "kept". */
void sessions_stop(struct sessions *ss);

#endif
