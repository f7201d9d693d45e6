/*
 * health.h - how well connections are routed on this host, for the cluster
 * manager that places the virtual address.
 *
 * It says what another load balancer could do better, and nothing else: that a
 * database cluster has no leader is the same on all of them. Pure.
 * Source: design, "Pacemaker"; the address's own scores stand in
 * pacemaker/patroute-cluster.sh.
 */
#ifndef HEALTH_H
#define HEALTH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "evidence.h"
#include "lim.h"
#include "policy.h"

/*
 * All well; without an agent, and without the DCS, HAProxy's second and third
 * way serve: together they cost less than a host that has the address is given
 * for having it (50). Fallen, more than that is lost even so.
 */
#define HEALTH_BEST 100
#define HEALTH_AGENT_COSTS 20
#define HEALTH_DCS_COSTS 20
#define HEALTH_FALLEN 0

struct health_in {
	bool haproxy; /* answers at its stats socket */
	bool agent;   /* one is here, is heard, and has the snapshots */
	bool dcs;     /* fresh for each cluster that has one */
};

struct health {
	uint8_t score;
	char why[LIM_TEXT]; /* one sentence; "" if all is well */
};

/* What this host alone knows. */
struct health health_judge(const struct health_in *in);

/*
 * The members of a cluster that this host reaches by SQL or REST, or (`live`
 * false) does not, as CLUSTER/MEMBER, each with a blank before it but the
 * first of the stream.
 */
void health_members(const struct cluster_ev *ev, const struct policy *pol,
    struct mono now, bool live, FILE *out);

/*
 * A member that is `missing` here, and is among those that another host
 * reaches (both as health_members() writes them, or with other white space):
 * the host falls. One that is out of reach for all of them costs nothing.
 */
void health_compare(
    struct health *h, struct slice missing, struct slice others);

#endif
