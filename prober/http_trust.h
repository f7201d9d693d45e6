/*
 * http_trust.h - certificate authorities, parsed once.
 *
 * curl parses a PEM text anew for each connection, a tenth of what a request by
 * TLS costs. Texts that are the same share what was made of them.
 */
#ifndef HTTP_TRUST_H
#define HTTP_TRUST_H

#include "slice.h"

struct x509_store_st;

/* All that was parsed; starts as NULL, ends with http_trust_free(). */
struct http_trust {
	struct http_trust *next;
	struct x509_store_st *store;
	struct slice pem; /* on the heap */
};

/*
 * Who is trusted by `pem`, as curl would have it: an authority in the middle of
 * a chain may end it. Needs: pem not empty.
 * Gives: a store that lives as long as *all, or NULL: not one certificate, or a
 * broken one, or memory is out, or *all has grown to as many as there may be.
 */
struct x509_store_st *http_trust_get(struct http_trust **all, struct slice pem)
    __attribute__((warn_unused_result));

void http_trust_free(struct http_trust **all);

#endif
