/*
 * who.h - the steps of `who`: what a member says of a backend, and which of
 * HAProxy's sessions is its.
 */
#ifndef WHO_H
#define WHO_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "pgask.h"
#include "sess.h"

enum who_found {
	WHO_NOBODY = 0, /* the member has no such process */
	WHO_FAILED,     /* it could not be asked: why */
	WHO_HIDDEN,     /* the role may not see whose it is */
	WHO_LOCAL,      /* by a unix socket, or a process of the server's own */
	WHO_CLIENT      /* addr and port */
};

#define WHO_TEXT 128

struct who {
	enum who_found found;
	struct sess_at client; /* HAProxy's end, as the server sees it */
	char user[WHO_TEXT], database[WHO_TEXT], application[WHO_TEXT];
	char state[WHO_TEXT], type[WHO_TEXT];
	char why[256];
};

struct who_member {
	const struct conf_cluster *conf; /* NULL: conninfo has all */
	const char *conninfo;            /* NULL: none */
	struct pgask_at at;
};

/* Asks that member's pg_stat_activity. */
void who_ask(const struct who_member *m, int64_t pid, struct who *out);

/* Looked for in HAProxy's sessions. */
struct who_session {
	struct sess sess;
	bool found, old; /* old: of a process that a reload left */
	int64_t haproxy; /* its process id; 0: the present one */
	const char *why; /* the socket that could not be asked, NULL: none */
};

/* Its end `client` towards `server`; `p` has the sockets. */
void who_session(const struct conf_prober *p, const struct sess_at *client,
    const struct sess_at *server, struct who_session *out);

/* Is it an address of this host? */
bool is_who_here(const char *addr);

#endif
