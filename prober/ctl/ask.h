/*
 * ask.h - the first packet of a connection, as an application would send it.
 *
 * Pure. Source: PostgreSQL manual, "Message Formats", StartupMessage.
 */
#ifndef ASK_H
#define ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "route.h"

struct ask {
	const char *user, *database, *options, *application_name; /* NULL */
	const char *sni; /* direct TLS with this server name; NULL: none */
	bool tls;        /* asks for TLS first, as libpq does by default */
	bool replication;
};

/*
 * Gives: its length, 0 if it does not fit. An SSLRequest where `tls` says so;
 * of direct TLS there are no bytes that could be read: 0.
 */
size_t ask_packet(const struct ask *a, unsigned char *buf, size_t size);

/*
 * The intent of such a connection at that listener, as the agent finds it: by
 * the listener, then by the bytes, then by the server name.
 * Gives: false if the packet is not understood; the listener's counts then.
 */
bool ask_intent(const struct ask *a, const struct conf *conf, uint16_t listen,
    struct intent *it);

#endif
