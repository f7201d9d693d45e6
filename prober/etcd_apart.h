/*
 * etcd_apart.h - api=auto: clusters whose keys are in the other API; and what
 * etcd.c and etcd_find.c have for that. Shared by the files of the etcd edge.
 */
#ifndef ETCD_APART_H
#define ETCD_APART_H

#include "etcd_int.h"

/* May some clusters' keys be in the other API? */
bool is_etcd_mixed(const struct etcd *e);

/* It is not followed, or has no leader key. */
bool is_etcd_lost(const struct etcd_cluster *c);

/* All were read: shows what was held back, and opens the watch. */
void etcd_apart_read(struct etcd *e);

/* Beside the watch: has the other API a leader of those that have none? */
void etcd_apart_aside(struct etcd *e);

/* ---- etcd.c ---- */

/* Without clusters yet, and otherwise the same. Gives: NULL: no memory. */
struct etcd *etcd_new_own(const struct etcd *e);

/* ---- etcd_find.c ---- */

/*
 * What one API has of one cluster, or of several, at and behind `from`: the
 * question, and what the answer says.
 * Gives: UNKNOWN if it says nothing, as of v2 in trouble; v3's has then failed
 * what asked, see is_etcd_ask_bad().
 */
void etcd2_look(struct etcd *e, uint16_t at,
    void (*done)(void *, const struct http_answer *));
enum etcd_trace etcd2_trace(
    const struct etcd_cluster *c, const struct http_answer *a);
void etcd3_look(struct etcd *e, uint16_t from, uint16_t n,
    void (*done)(void *, const struct http_answer *));
enum etcd_trace etcd3_trace(
    struct etcd *e, const struct http_answer *a, uint16_t n);

#endif
