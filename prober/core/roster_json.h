/*
 * roster_json.h - the members of a cluster: the body of GET /cluster.
 *
 * For where the DCS itself cannot be asked. It says who the members are and
 * where, and who is a synchronous standby; it is one Patroni's reading of the
 * DCS at some time, so who leads is not taken from it.
 * Pure but for cJSON's allocation.
 * Source: Patroni's utils.py, cluster_as_json().
 */
#ifndef ROSTER_JSON_H
#define ROSTER_JSON_H

#include <stdbool.h>

#include "ev_item.h"
#include "slice.h"

/*
 * Members without a name, and those beyond LIM_MEMBERS, are passed over.
 * Gives: false and *out zeroed unless it names at least one member: of a
 * cluster without any a prober learns nothing.
 */
bool roster_json(struct slice body, struct ev_view *out)
    __attribute__((warn_unused_result));

#endif
