/*
 * numeric.c - socket addresses from numeric text; see numeric.h.
 */
#include "numeric.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

bool numeric_addr(const char *addr, uint16_t port, struct numeric *out)
{
	struct sockaddr_in v4 = {
	    .sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {
	    .sin6_family = AF_INET6, .sin6_port = htons(port)};

	assert(addr != NULL && out != NULL);
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, addr, &v4.sin_addr) == 1) {
		memcpy(&out->sa, &v4, sizeof(v4));
		out->len = sizeof(v4);
	} else if (inet_pton(AF_INET6, addr, &v6.sin6_addr) == 1) {
		memcpy(&out->sa, &v6, sizeof(v6));
		out->len = sizeof(v6);
	}
	return out->len > 0;
}
