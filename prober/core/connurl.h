/*
 * connurl.h - host and port of a member's conn_url and api_url.
 *
 * Pure. What is after the port (path, parameters) is not looked at.
 */
#ifndef CONNURL_H
#define CONNURL_H

#include <stdbool.h>
#include <stdint.h>

#include "lim.h"
#include "slice.h"

enum connurl_scheme {
	CONNURL_NONE = 0,
	CONNURL_POSTGRES, /* postgres://, postgresql:// */
	CONNURL_HTTP,
	CONNURL_HTTPS
};

struct connurl {
	enum connurl_scheme scheme;
	char host[LIM_ADDR]; /* a name or an address, without brackets */
	uint16_t port;       /* the scheme's own if the URL has none */
};

/*
 * Takes postgres://user:pass@[::1]:5432/db?x=y and the like. A list of hosts
 * ("a:1,b:2"), a socket's path and escaped hosts are no single address.
 * Gives: false and *out zeroed on anything else, ports 1..65535.
 */
bool connurl_parse(struct slice url, struct connurl *out)
    __attribute__((warn_unused_result));

#endif
