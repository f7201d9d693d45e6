/*
 * events_json.h - an event, or all that are kept, as JSON.
 */
#ifndef EVENTS_JSON_H
#define EVENTS_JSON_H

#include <stdio.h>

#include "events.h"

/* One object, without a newline. What an event does not say is not in it. */
void events_json_one(FILE *f, const struct event *e);

/*
 * Is this one to be shown to who asks for `cluster` (NULL: for all)? Events of
 * no cluster are everybody's.
 */
bool is_event_of(const struct event *e, const char *cluster);

/*
 * {"boot_id":…,"last":…,"events":[…]}, oldest first, those behind `after`.
 * Gives: text to be freed, NULL if memory is out.
 */
char *events_json_all(const struct events *e, uint64_t boot_id, uint64_t after,
    const char *cluster) __attribute__((warn_unused_result));

#endif
