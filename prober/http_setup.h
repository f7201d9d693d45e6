/*
 * http_setup.h - what a request asks for, in curl's options.
 *
 * What bounds it and where its bytes go is http_client.c's.
 */
#ifndef HTTP_SETUP_H
#define HTTP_SETUP_H

#include <curl/curl.h>
#include <stdbool.h>

#include "http_client.h"

/* curl reads them until the request's end; the caller frees them then. */
struct http_lists {
	struct curl_slist *headers, *connect_to;
};

struct x509_store_st;

/*
 * `trust`: ask->pem's authorities, parsed, which outlive the request; NULL: not
 * yet. Gives: false if memory is out, or the target does not fit.
 */
bool http_setup(CURL *easy, struct http_lists *lists,
    const struct http_ask *ask, struct x509_store_st *trust)
    __attribute__((warn_unused_result));

/*
 * Has curl read the system's authorities, 30 ms, which the first request by
 * TLS would do on the loop else. Where memory or descriptors are out it does.
 */
void http_setup_warm(CURLM *multi);

#endif
