/*
 * status.h - /topology as lines and tables; `status` and `watch` show it.
 */
#ifndef STATUS_H
#define STATUS_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "out.h"

/* Gives: false if a cluster has no usable verdict, or nobody gets its writes
   although somebody should, or /topology is no such document. */
bool status_show(struct out *o, const cJSON *topology);
bool is_status_good(const cJSON *topology);

/* The sentence of a reason's name; the name where it is not known. */
const char *status_why(const char *name);

/* "12:34:56" of an instant in ISO 8601, in local time; the text itself where
   it is none. */
#define STATUS_CLOCK 64
const char *status_clock(const char *iso, char buf[static STATUS_CLOCK]);

#endif
