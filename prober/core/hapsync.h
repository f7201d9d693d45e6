/*
 * hapsync.h - what to tell HAProxy so that its servers agree with the verdict.
 *
 * Pure: HAProxy's own words (`show stat`) come in, Runtime API commands go out.
 * Names come from the configuration or the DCS: a name that is not
 * [A-Za-z0-9._-] is never put into a command.
 */
#ifndef HAPSYNC_H
#define HAPSYNC_H

#include <stdbool.h>

#include "lim.h"
#include "slice.h"
#include "snapshot.h"

/* Backends of one cluster that place sessions. */
enum hap_backend {
	HAP_WRITE = 0,
	HAP_READ,
	HAP_FALLBACK,
	HAP_BACKEND_N, /* of those whose states follow the verdict */
	/* The third way's: HAProxy's own checks hold their servers up. Of the
	   first only the sessions are closed: in an old process nobody checks.
	 */
	HAP_CLASSIC_WRITE = HAP_BACKEND_N,
	HAP_CLASSIC_READ,
	HAP_CLASSIC_ANY,
	HAP_PLACES_N
};

enum hap_srv_state {
	HAP_SRV_NONE = 0, /* no such server */
	HAP_SRV_UP,
	HAP_SRV_NOLB, /* 404: healthy, not for this role */
	HAP_SRV_DOWN,
	HAP_SRV_MAINT,
	HAP_SRV_DRAIN,
	HAP_SRV_UNCHECKED, /* the backend has no checks: always used */
	HAP_SRV_OTHER,     /* a word we do not know: there, and left alone */
};

/* What HAProxy says of this cluster; by snapshot member index. */
struct hap_view {
	bool known;             /* false: never answered */
	bool has[HAP_PLACES_N]; /* the backend exists */
	enum hap_srv_state srv[HAP_PLACES_N][LIM_MEMBERS];
};

struct hap_cmds {
	unsigned n;
	char line[LIM_HAP_CMDS][LIM_TEXT];
};

/*
 * Parses a whole `show stat` (CSV) for the backends of snap->cluster; servers
 * by snap's names for them. Columns are found by the names in the first line,
 * "# pxname,svname,…", for versions differ. Gives: false, and a view that is
 * not known, if there is no such line.
 */
bool hap_parse_stat(
    struct slice csv, const struct snapshot *snap, struct hap_view *out);

/*
 * The commands that move the leader from the server `from_server` (NULL or "":
 * none) to the snapshot's write target, in design's order, and close the
 * sessions that were placed on `from_server` as leader. To be called on
 * positive evidence only (is_verdict_against()), once the agents have seen the
 * snapshot; the `shutdown` lines are to be repeated after 20 to 50 ms.
 */
void hap_move(
    const struct snapshot *snap, const char *from_server, struct hap_cmds *out);

/*
 * The commands that repair what `view` shows to differ from the snapshot:
 * never `health down`, nothing on MAINT or DRAIN (an operator's), and what is
 * dead is left to the checks.
 */
void hap_repair(const struct snapshot *snap, const struct hap_view *view,
    struct hap_cmds *out);

/*
 * What a check of BACKEND/SERVER is answered: 200 belongs here, 404 healthy
 * but not for this role, 503 dead or unknown.
 */
int hap_check_code(
    const struct snapshot *snap, enum hap_backend b, const char *server);

/* Why, for the stats page: printable ASCII of ours, no word from outside. */
void hap_check_why(
    const struct snapshot *snap, const char *server, char out[static LIM_TEXT]);

/* "write" and so on: the part of the backend's name after NAME_. */
const char *hap_backend_suffix(enum hap_backend b);

#endif
