/*
 * http_error.c - see http_error.h. Called by http_client.c.
 */
#include <errno.h>

#include "http_error.h"

enum ev_rc http_error_of_errno(long err)
{
	switch (err) {
	case ECONNREFUSED:
		return EV_RC_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return EV_RC_LOST;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case EADDRNOTAVAIL:
	case EAGAIN: /* no ephemeral port, says connect(2) */
		return EV_RC_LOCAL;
	default: /* no route, unreachable, prohibited: silence */
		return EV_RC_TIMEOUT;
	}
}

enum ev_rc http_error_of_curl(CURLcode code, long err)
{
	/* The list of curl's codes is open: what is not named is no HTTP. */
	switch ((int)code) {
	case CURLE_OK:
		return EV_RC_OK;
	case CURLE_OUT_OF_MEMORY:
		return EV_RC_LOCAL;
	case CURLE_COULDNT_CONNECT:
		return http_error_of_errno(err);
	case CURLE_OPERATION_TIMEDOUT:
		return EV_RC_TIMEOUT;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		return EV_RC_LOST;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return EV_RC_TLS;
	default:
		return EV_RC_PARSE;
	}
}
