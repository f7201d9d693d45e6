/*
 * hapsync.c - HAProxy's words and commands; see hapsync.h.
 *
 * Called by haproxy.c (commands, states) and api.c (answers to checks).
 * Source: HAProxy's management.txt, 9.1 (CSV format) and 9.3 (set server,
 * shutdown sessions server, show stat).
 */
#include "hapsync.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One backend's server, both safe to name. */
struct place {
	const char *cluster;
	enum hap_backend backend;
	const char *server;
};

static void add(struct hap_cmds *out, const char *before,
    const struct place *at, const char *after)
{
	if (out->n == LIM_HAP_CMDS || !is_hap_safe(at->cluster) ||
	    !is_hap_safe(at->server))
		return;
	(void)snprintf(out->line[out->n], sizeof(out->line[0]), "%s%s_%s/%s%s",
	    before, at->cluster, hap_backend_suffix(at->backend), at->server,
	    after);
	out->joined[out->n++] = false;
}

unsigned hap_fit(const struct hap_cmds *cmds, size_t bytes)
{
	unsigned fit = 0;
	size_t used = 0;

	assert(cmds != NULL && cmds->n <= LIM_HAP_CMDS);
	for (unsigned i = 0; i < cmds->n; i++) {
		used += strlen(cmds->line[i]) + (i > 0 ? 1 : 0);
		if (used > bytes)
			return fit;
		if (i + 1 == cmds->n || !cmds->joined[i + 1])
			fit = i + 1;
	}
	return fit;
}

bool is_hap_closed(const struct snapshot *snap, enum hap_backend b)
{
	assert(snap != NULL);
	return b == HAP_WRITE || b == HAP_FALLBACK ||
	    (b == HAP_CLASSIC_WRITE && !snap->observe);
}

static void add_health(
    struct hap_cmds *out, const struct place *at, const char *health)
{
	add(out, "set server ", at, health);
}

static void add_shutdown(struct hap_cmds *out, const struct place *at)
{
	add(out, "shutdown sessions server ", at, "");
}

void hap_move(
    const struct snapshot *snap, const char *from_server, struct hap_cmds *out)
{
	assert(snap != NULL && out != NULL && snap->write < snap->n);

	const char *c = snap->cluster;
	const char *a = from_server != NULL ? from_server : "";
	const char *b = snap->write >= 0 ? snap->m[snap->write].server : "";
	const struct place w_a = {c, HAP_WRITE, a}, w_b = {c, HAP_WRITE, b};
	const struct place r_b = {c, HAP_READ, b};
	bool leaves = strcmp(a, b) != 0;

	out->n = 0;
	if (leaves)
		add_health(out, &w_a, " health stopping");
	add_health(out, &w_b, " health up");
	/* Its sessions were placed on it as a replica, which may lead them. */
	add_health(out, &r_b, " health stopping");
	for (int i = 0; i < HAP_PLACES_N && leaves; i++) {
		const struct place at = {c, (enum hap_backend)i, a};

		if (is_hap_closed(snap, at.backend))
			add_shutdown(out, &at);
	}
}

static void repair_server(const struct snapshot *snap, const struct place *at,
    enum hap_srv_state is, struct hap_cmds *out)
{
	int code = hap_check_code(snap, at->backend, at->server);

	if (code == 200 && (is == HAP_SRV_NOLB || is == HAP_SRV_DOWN))
		add_health(out, at, " health up");
	else if (code == 404 && (is == HAP_SRV_UP || is == HAP_SRV_DOWN))
		add_health(out, at, " health stopping");
}

bool hap_repair(const struct snapshot *snap, const struct hap_view *view,
    struct hap_cmds *out)
{
	assert(snap != NULL && view != NULL && out != NULL);
	out->n = 0;
	if (view->seq != snap->seq)
		return false;
	if (!view->known)
		return true;
	for (int b = 0; b < HAP_BACKEND_N; b++) {
		for (int i = 0; i < snap->n; i++) {
			const struct place at = {snap->cluster,
			    (enum hap_backend)b, snap->m[i].server};

			repair_server(snap, &at, view->srv[b][i], out);
		}
	}
	return true;
}

int hap_check_code(
    const struct snapshot *snap, enum hap_backend b, const char *server)
{
	int i;
	bool belongs;

	assert(snap != NULL && b < HAP_BACKEND_N && server != NULL);
	i = hap_member_of(snap, server);
	if (i < 0)
		return 503;
	belongs = b == HAP_READ ? (snap->m[i].flags & SNAP_F_READ) != 0
				: snap->write == i;
	if (belongs)
		return 200;
	return (snap->m[i].flags & SNAP_F_LIVE) != 0 ? 404 : 503;
}

#define LAG_TEXT 64 /* two numbers and their words */

/* ", 16384 bytes and 12 ms behind", as far as it is known. */
static void lag_text(const struct snap_member *m, char out[static LAG_TEXT])
{
	out[0] = '\0';
	if (m->lag_bytes != SNAP_LAG_UNKNOWN &&
	    m->lag_ms != SNAP_LAG_MS_UNKNOWN)
		(void)snprintf(out, LAG_TEXT,
		    ", %" PRIu64 " bytes and %" PRIu32 " ms behind",
		    m->lag_bytes, m->lag_ms);
	else if (m->lag_bytes != SNAP_LAG_UNKNOWN)
		(void)snprintf(
		    out, LAG_TEXT, ", %" PRIu64 " bytes behind", m->lag_bytes);
}

void hap_check_why(
    const struct snapshot *snap, const char *server, char out[static LIM_TEXT])
{
	char lag[LAG_TEXT];

	assert(snap != NULL && server != NULL);
	int i = hap_member_of(snap, server);
	if (i < 0) {
		(void)snprintf(out, LIM_TEXT, "no member of this name");
		return;
	}
	const struct snap_member *m = &snap->m[i];
	bool leads = m->role == SNAP_ROLE_LEADER;
	lag[0] = '\0';
	if (!leads)
		lag_text(m, lag);
	(void)snprintf(out, LIM_TEXT, "%s%s: %s",
	    m->role == SNAP_ROLE_NONE ? "no role"
				      : snap_role_name((enum snap_role)m->role),
	    lag,
	    snap_why_text((enum snap_why)(leads ? snap->write_why : m->why)));
}
