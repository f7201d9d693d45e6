/*
 * patroni_json.h - a member's word about itself: the body of GET /patroni.
 *
 * Fields of Patroni 3.0 to 4.1; absent ones and words that are not known are
 * "unknown", never "down". Pure but for cJSON's allocation.
 * Source: Patroni's api.py, get_postgresql_status().
 */
#ifndef PATRONI_JSON_H
#define PATRONI_JSON_H

#include <stdbool.h>

#include "ev_item.h"
#include "slice.h"

/*
 * Takes the body of /patroni, /primary and the other health endpoints, which
 * is the same. primary_200 is left false: it is the status line's to say.
 * Gives: false and *out zeroed unless it is a JSON object with a state.
 */
bool patroni_json_status(struct slice body, struct ev_rest *out)
    __attribute__((warn_unused_result));

/* Patroni's words, as they also stand in the member's key. */
enum ev_role patroni_role(struct slice word);
enum ev_state patroni_state(struct slice word);

/* The tags of a member, as they stand in its key and in /cluster. */
struct cJSON;
void patroni_tags(const struct cJSON *tags, struct ev_dcs_member *m);

#endif
