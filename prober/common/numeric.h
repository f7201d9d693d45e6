/*
 * numeric.h - socket addresses from numeric text; names are nobody's here.
 */
#ifndef NUMERIC_H
#define NUMERIC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct numeric {
	struct sockaddr_storage sa;
	socklen_t len;
};

/* Reads an IPv4 or IPv6 address. Gives: false if it is none. */
bool numeric_addr(const char *addr, uint16_t port, struct numeric *out)
    __attribute__((warn_unused_result));

#endif
