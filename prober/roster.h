/*
 * roster.h - who the members are, where no DCS says so: Patroni's /cluster.
 *
 * First the configured addresses are asked, in turn; then the members that
 * were found, each in place of one of its other questions, so that nobody is
 * asked twice at a time. Seldom, for Patroni asks its DCS each time, and waits
 * for it while it is away; and never again once the DCS itself was read.
 */
#ifndef ROSTER_H
#define ROSTER_H

#include <stdbool.h>

#include "mono.h"
#include "patroni.h"

struct app;
struct conf_cluster;
struct roster;

/*
 * Needs: cfg as members' probes have it, its strings and conf outlive the
 * roster. What is found goes to cfg->roster, whoever was asked.
 * Gives: NULL if memory is out.
 */
struct roster *roster_new(struct app *app, const struct conf_cluster *conf,
    const struct patroni_cfg *cfg) __attribute__((warn_unused_result));
void roster_free(struct roster *r);

/* Is this member to be asked for the roster now, by its own probe? r may be
   NULL: it is not. */
bool is_roster_turn(const struct roster *r, int member, struct mono now);

/* That member was asked. */
void roster_asked(struct roster *r, int member, struct mono now);

/* A roster came. */
void roster_heard(struct roster *r, struct mono now);

#endif
