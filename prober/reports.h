/*
 * reports.h - the changes of leader of all clusters, the last 32 measured.
 */
#ifndef REPORTS_H
#define REPORTS_H

#include <stdint.h>

#include "mono.h"

struct cluster;
struct reports;

struct reports *reports_new(void) __attribute__((warn_unused_result));
void reports_free(struct reports *r);

/* After each judgement; writes a line and an event when a report is whole. */
void reports_note(struct cluster *c, struct mono now);

/* How many there were since the start. */
uint64_t reports_n(const struct reports *r);

/*
 * {"reports":[newest first]}, or one by its number (0: the last).
 * Gives: text to be freed; NULL if memory is out, or there is no such one.
 */
char *reports_json(const struct reports *r) __attribute__((warn_unused_result));
char *reports_json_one(const struct reports *r, uint64_t id)
    __attribute__((warn_unused_result));

#endif
