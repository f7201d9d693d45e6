/*
 * members.h - each member asked directly every few milliseconds: in
 * recovery, writable, timeline, position. What the routers did is judged
 * against what these polls saw.
 */
#ifndef METER_MEMBERS_H
#define METER_MEMBERS_H

#include "meter.h"

/* Gives: NULL without memory. */
struct members *members_new(struct meter *m);
void members_free(struct members *ms);

/* Gives: false if there are METER_MEMBERS already. Needs: name is a word. */
bool members_add(struct members *ms, const char *name,
    const struct sockaddr_in *addr, int64_t every_ns)
    __attribute__((warn_unused_result));

/* Members so far, as a list into the open line. */
void members_list(const struct members *ms);

void members_start(struct members *ms);
void members_stop(struct members *ms);

#endif
