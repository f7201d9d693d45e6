/*
 * etcd_cred.h - who we are to etcd, and whom we trust: the texts of the files
 * that a cluster's etcd_* keys name, in memory. Called by etcd.c, at start and
 * on SIGHUP; blocks on files.
 */
#ifndef ETCD_CRED_H
#define ETCD_CRED_H

#include <stdbool.h>

#include "conf.h"
#include "http_client.h"
#include "lim.h"

struct etcd_cred {
	char auth[LIM_SECRET]; /* USER:PASSWORD; empty: nobody */
	struct http_tls tls;   /* on the heap */
};

/*
 * Needs: *out zeroed.
 * Gives: false, with *out as it was and a line in the log, if a file cannot
 * be read, is too large, or is not what it should be.
 */
bool etcd_cred_load(struct etcd_cred *out, const struct conf_cluster *conf)
    __attribute__((warn_unused_result));

/* Needs: *out zeroed. Gives: false, with *out as it was, if memory is out. */
bool etcd_cred_copy(struct etcd_cred *out, const struct etcd_cred *from)
    __attribute__((warn_unused_result));

bool is_etcd_cred_same(const struct etcd_cred *a, const struct etcd_cred *b);

/* Wipes it, too. */
void etcd_cred_free(struct etcd_cred *c);

#endif
