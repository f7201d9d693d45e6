/*
 * notify.h - what one NOTIFY frame asks, by the messages of patroute-spoe.cfg.
 *
 * Pure; nothing is copied. Unknown messages and arguments are skipped.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>

#include "slice.h"

enum notify_engine {
	NOTIFY_NONE = 0, /* no message of ours */
	NOTIFY_ROUTE,    /* answer at once */
	NOTIFY_HOLD      /* answer when there is a server */
};

struct notify {
	enum notify_engine engine;
	/* An argument twice, of a wrong type, two messages: no route. */
	bool is_odd;
	struct slice listen; /* so_name */
	struct slice sni;    /* empty: none */
	struct slice first;  /* the connection's first bytes */
};

/*
 * Reads a NOTIFY's payload, SPOE.txt 3.2.6.
 * Gives: false if it is no list of messages (status 4), else true and *out.
 */
bool notify_get(struct slice payload, struct notify *out)
    __attribute__((warn_unused_result));

#endif
