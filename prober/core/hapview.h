/*
 * hapview.h - what HAProxy says of one cluster's servers.
 *
 * Pure: `show stat` (CSV) comes in. HAProxy is believed no more than any other
 * source: what does not parse, or is too long, is not there.
 * Source: HAProxy's management.txt, 9.1 (CSV format).
 */
#ifndef HAPVIEW_H
#define HAPVIEW_H

#include <stdbool.h>
#include <stdint.h>

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
	HAP_CLASSIC_SYNC, /* where a listener wants the sync standby */
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

#define HAP_ADDR (LIM_ADDR + 8) /* "[::1]:5432" */
#define HAP_WHY 160             /* what a check said; cut there */
#define HAP_ROWS (HAP_PLACES_N * LIM_MEMBERS)

/* One server of one backend. */
struct hap_row {
	enum hap_backend backend;
	char server[LIM_NAME];
	enum hap_srv_state state;
	char status[24]; /* HAProxy's word for it */
	char addr[HAP_ADDR];
	char check[24];    /* its last check: "L7OKC/404" */
	char why[HAP_WHY]; /* and what that said */
	uint32_t id, sessions;
	uint16_t weight;
};

/* What HAProxy says of this cluster. */
struct hap_view {
	bool known;             /* false: never answered */
	bool has[HAP_PLACES_N]; /* the backend exists */
	uint64_t seq;           /* the snapshot's */
	/* By its member index. */
	enum hap_srv_state srv[HAP_PLACES_N][LIM_MEMBERS];
	uint16_t n;
	struct hap_row row[HAP_ROWS]; /* those of no member too */
};

/*
 * Parses a whole `show stat` (CSV) for the backends of snap->cluster; servers
 * by snap's names for them. Columns are found by the names in the first line,
 * "# pxname,svname,…", for versions differ. Gives: false, and a view that is
 * not known, if there is no such line.
 */
bool hap_parse_stat(
    struct slice csv, const struct snapshot *snap, struct hap_view *out);

/* Gives: NULL if there is no such server. */
const struct hap_row *hap_row_of(
    const struct hap_view *v, enum hap_backend b, const char *server);

/* Gives: the index of the member whose server that is, -1 none. */
int hap_member_of(const struct snapshot *snap, const char *server);

/* May it stand in a command: neither blanks nor HAProxy's own punctuation. */
bool is_hap_safe(const char *name);

/* "write" and so on: the part of the backend's name after NAME_. */
const char *hap_backend_suffix(enum hap_backend b);

#endif
