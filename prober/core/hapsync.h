/*
 * hapsync.h - what to tell HAProxy so that its servers agree with the verdict.
 *
 * Pure: HAProxy's own words (`show stat`, `show servers state`) come in, Runtime
 * API commands go out. Names come from the configuration or the DCS: a name
 * that is not [A-Za-z0-9._-] is never put into a command.
 */
#ifndef HAPSYNC_H
#define HAPSYNC_H

#include <stdbool.h>

#include "limits.h"
#include "snapshot.h"

/* Backends of one cluster that place sessions. */
enum hap_backend {
	HAP_WRITE = 0,
	HAP_READ,
	HAP_FALLBACK,
	HAP_BACKEND_N
};

enum hap_srv_state {
	HAP_SRV_NONE = 0, /* no such server */
	HAP_SRV_UP,
	HAP_SRV_NOLB, /* 404: healthy, not for this role */
	HAP_SRV_DOWN,
	HAP_SRV_MAINT,
	HAP_SRV_DRAIN,
};

/* What HAProxy says of this cluster; by snapshot member index. */
struct hap_view {
	bool known;              /* false: never answered */
	bool has[HAP_BACKEND_N]; /* the backend exists */
	enum hap_srv_state srv[HAP_BACKEND_N][LIM_MEMBERS];
};

struct hap_cmds {
	unsigned n;
	char line[LIM_HAP_CMDS][LIM_TEXT];
};

/* Parses `show stat` CSV (by column name) for the backends of snap->cluster. */
bool hap_parse_stat(
    struct slice csv, const struct snapshot *snap, struct hap_view *out);

/*
 * The commands that move the leader from member `from` (-1: none) to the
 * snapshot's write target, in design's order, and close the sessions of `from`.
 */
void hap_move(
    const struct snapshot *snap, const char *from_server, struct hap_cmds *out);

/* The commands that repair what `view` shows to differ from the snapshot. */
void hap_repair(const struct snapshot *snap, const struct hap_view *view,
    struct hap_cmds *out);

/*
 * What a check of BACKEND/SERVER is answered: 200 belongs here, 404 healthy
 * but not for this role, 503 dead or unknown.
 */
int hap_check_code(
    const struct snapshot *snap, enum hap_backend b, const char *server);

/* "write", "read", "fallback": the part of the backend's name after NAME_. */
const char *hap_backend_suffix(enum hap_backend b);

#endif
