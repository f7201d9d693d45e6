/*
 * member.h - one member's probes: made, pointed at it, asked.
 *
 * When it is asked tick.h decides, what its answers mean core.
 */
#ifndef MEMBER_H
#define MEMBER_H

#include "cluster.h"
#include "sink.h"

/* Gives: false if memory is out; member_end() is due either way. */
bool member_make(struct cluster_member *m, const struct sink *sink)
    __attribute__((warn_unused_result));
void member_end(struct cluster_member *m);

/*
 * Points the probes at where it is now, by names resolved so far; an address
 * that is not known yet leaves a probe without a target.
 */
void member_point(struct cluster_member *m);

/* Does HAProxy reach it by its proxy_url? */
bool is_member_proxied(const struct cluster *c, int member);

/* Asks what is due. Without a target nothing is; the time counts all the same.
 */
void member_ask(
    struct cluster_member *m, const struct tick_out *due, struct mono now);

#endif
