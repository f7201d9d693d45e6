/*
 * etcd.h - a watch of our own on Patroni's keys, at every endpoint at once;
 * the first arrival of an event counts.
 */
#ifndef METER_ETCD_H
#define METER_ETCD_H

#include "meter.h"

/* Gives: NULL without memory. */
struct etcd *etcd_new(struct meter *m);
void etcd_free(struct etcd *e);

/*
 * Watches keys under `prefix` ("/service/main/") at `addr`.
 * Gives: false if there are METER_ETCD endpoints already, or the prefix is
 * too long or another than before.
 */
bool etcd_add(struct etcd *e, const char *prefix,
    const struct sockaddr_in *addr) __attribute__((warn_unused_result));

void etcd_start(struct etcd *e);
void etcd_stop(struct etcd *e);

#endif
