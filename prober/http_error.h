/*
 * http_error.h - what curl and the kernel say of a failed request, in
 * evidence's words. Pure.
 */
#ifndef HTTP_ERROR_H
#define HTTP_ERROR_H

#include <curl/curl.h>

#include "ev_item.h"

/* Gives: LOCAL for our own exhaustion, never EV_RC_OK. */
enum ev_rc http_error_of_errno(long err);

/* Needs: err is CURLINFO_OS_ERRNO. Gives: EV_RC_OK for CURLE_OK. */
enum ev_rc http_error_of_curl(CURLcode code, long err);

#endif
