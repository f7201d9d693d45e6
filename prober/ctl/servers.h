/*
 * servers.h - where the members of a cluster are: from the configuration, from
 * the running prober, from the file that HAProxy has now.
 *
 * Names and addresses from the prober and the file are hostile input: what is
 * no name or no address for HAProxy is passed over, and counted.
 */
#ifndef SERVERS_H
#define SERVERS_H

#include <cjson/cJSON.h>

#include "conf.h"
#include "render.h"
#include "slice.h"

/* Gives: false if the configuration names none. */
bool servers_from_conf(
    const struct conf_cluster *cl, struct render_cluster *out);

/*
 * `cluster` is one of /topology's. Ordered by name. Gives: how many members
 * have no name or address that HAProxy takes.
 */
unsigned servers_from_topology(const struct conf_cluster *cl,
    const cJSON *cluster, struct render_cluster *out);

/* The servers of this cluster in a file that was rendered before. */
void servers_from_file(const struct conf_cluster *cl, struct slice text,
    struct render_cluster *out);

/*
 * Puts those of `old` that *out lacks into it, up to LIM_MEMBERS.
 * Gives: how many, the names of some in `names`.
 */
unsigned servers_keep(struct render_cluster *out,
    const struct render_cluster *old, char names[static LIM_TEXT]);

#endif
