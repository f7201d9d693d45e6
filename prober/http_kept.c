/*
 * http_kept.c - see http_kept.h, and struct http_kept. Called by http_client.c.
 *
 * curl keeps a handle's sessions of TLS over curl_easy_reset(), and those of
 * handles that share them in eight places only: so each peer has a handle.
 */
#include "http_kept.h"

#include <assert.h>

/* A handle is used so often, up to twice: at least for some minutes, and
   hundreds do not end in the same second. */
#define USES 300

CURL *http_kept_take(struct http_kept *kept, struct mono now)
{
	CURL *easy;

	if (kept == NULL || kept->easy == NULL) {
		if (kept != NULL)
			kept->left = USES + (unsigned)(now.us % USES);
		return curl_easy_init();
	}
	easy = kept->easy;
	kept->easy = NULL;
	return easy;
}

void http_kept_give(struct http_kept *kept, CURL *easy)
{
	if (kept == NULL || easy == NULL || kept->left == 0) {
		curl_easy_cleanup(easy);
		return;
	}
	assert(kept->easy == NULL); /* one request at a time */
	kept->left--;
	curl_easy_reset(easy);
	kept->easy = easy;
}

void http_kept_free(struct http_kept *kept)
{
	assert(kept != NULL);
	curl_easy_cleanup(kept->easy);
	kept->easy = NULL;
}
