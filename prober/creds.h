/*
 * creds.h - what a cluster's Patroni wants to see, from its configuration.
 */
#ifndef CREDS_H
#define CREDS_H

#include "conf.h"
#include "http_client.h"

/* Zeroed: nothing is shown, the system's authorities are believed. */
struct creds {
	struct http_tls pem;     /* on the heap */
	char auth[LIM_TEXT * 2]; /* "Authorization: Basic …"; "": none */
};

/*
 * Reads the files that rest_ca, rest_cert, rest_key and rest_auth name: at
 * start only. End it with creds_free().
 * Gives: false if one cannot be used (logged, without its content).
 */
bool creds_read(const struct conf_cluster *conf, struct creds *out)
    __attribute__((warn_unused_result));
void creds_free(struct creds *c);

/* The header line that shows the password, or NULL. */
const char *creds_auth(const struct creds *c);

/* "USER:PASSWORD" to that line. Gives: false, and "" in out, on anything else.
   Pure. */
bool creds_basic(struct slice pair, char out[static LIM_TEXT * 2])
    __attribute__((warn_unused_result));

#endif
