/*
 * http_kept.h - curl's handles, from one request to the next.
 */
#ifndef HTTP_KEPT_H
#define HTTP_KEPT_H

#include <curl/curl.h>

#include "http_client.h"

/*
 * The handle that is kept, or a new one; `kept` NULL: nothing is kept.
 * `now`: any instant; it tells apart how long those of many are kept.
 * Gives: a handle without options, NULL if memory is out.
 */
CURL *http_kept_take(struct http_kept *kept, struct mono now)
    __attribute__((warn_unused_result));

/* Ends the use; the handle, which may be NULL, is kept or freed. */
void http_kept_give(struct http_kept *kept, CURL *easy);

#endif
