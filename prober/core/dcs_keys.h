/*
 * dcs_keys.h - one cluster's keys, as Patroni writes them, into a view.
 *
 * The keys under PREFIX ("/service/main/"): leader, members/NAME, initialize,
 * config, failover, history, sync. They are applied one by one, from a whole
 * read or from events; the view is right after each. A key whose value cannot
 * be read is there without content: unknown, not gone. Any DCS may feed it.
 * Pure but for cJSON's allocation.
 * Source: Patroni's dcs/__init__.py and ha.py, touch_member().
 */
#ifndef DCS_KEYS_H
#define DCS_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "ev_item.h"
#include "lim.h"
#include "slice.h"

struct dcs_keys {
	char prefix[LIM_TEXT];
	struct ev_view view;
	uint64_t ignored; /* members beyond LIM_MEMBERS, names too long */
};

/* Gives: false if the prefix is empty, too long or lacks its last slash. */
bool dcs_keys_init(struct dcs_keys *k, const char *prefix)
    __attribute__((warn_unused_result));

/* Forgets all keys, before a whole read is applied. */
void dcs_keys_clear(struct dcs_keys *k);

/* One key was read, set or deleted; foreign keys are passed over. */
void dcs_keys_put(struct dcs_keys *k, struct slice key, struct slice value,
    int64_t mod_revision);
void dcs_keys_del(struct dcs_keys *k, struct slice key);

/*
 * A directory was deleted with all that was in it (etcd v2): the cluster's
 * own, one above it, or its members'. Its name has no slash at its end.
 */
void dcs_keys_del_dir(struct dcs_keys *k, struct slice dir);

/* Is this the leader key? Is this directory the cluster's, or above it? */
bool is_dcs_keys_leader(const struct dcs_keys *k, struct slice key);
bool is_dcs_keys_above(const struct dcs_keys *k, struct slice dir);

#endif
