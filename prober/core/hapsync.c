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

const char *hap_backend_suffix(enum hap_backend b)
{
	static const char *const suffix[HAP_PLACES_N] = {
	    [HAP_WRITE] = "write",
	    [HAP_READ] = "read",
	    [HAP_FALLBACK] = "fallback",
	    [HAP_CLASSIC_WRITE] = "classic_write",
	    [HAP_CLASSIC_READ] = "classic_read",
	    [HAP_CLASSIC_ANY] = "classic_any",
	};

	assert(b < HAP_PLACES_N);
	return suffix[b];
}

/* May it stand in a command: neither blanks nor HAProxy's own punctuation. */
static bool is_safe(const char *name)
{
	static const char *const safe = "abcdefghijklmnopqrstuvwxyz"
					"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789._-";

	return name[0] != '\0' && name[strspn(name, safe)] == '\0';
}

/* Cuts the first line off *rest, without its newline. */
static struct slice next_line(struct slice *rest)
{
	const unsigned char *nl =
	    rest->len > 0 ? memchr(rest->p, '\n', rest->len) : NULL;
	size_t len = nl != NULL ? (size_t)(nl - rest->p) : rest->len;
	struct slice line = slice_of(rest->p, len);

	*rest = slice_skip(*rest, nl != NULL ? len + 1 : len);
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Where the field at the front of `s` ends: at a comma outside of quotes. */
static size_t field_len(struct slice s)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.len && (quoted || s.p[i] != ','); i++)
		if (s.p[i] == '"')
			quoted = !quoted;
	return i;
}

/* Cuts the first field off *rest. */
static struct slice next_field(struct slice *rest)
{
	size_t len = field_len(*rest);
	struct slice field = slice_of(rest->p, len);

	*rest = slice_skip(*rest, len < rest->len ? len + 1 : len);
	if (field.len >= 2 && field.p[0] == '"' &&
	    field.p[field.len - 1] == '"')
		field = slice_of(field.p + 1, field.len - 2);
	return field;
}

/* Where the columns are; HAProxy's versions differ. */
struct columns {
	bool known;
	unsigned pxname, svname, status;
};

struct row {
	char proxy[LIM_TEXT], server[LIM_TEXT];
	enum hap_srv_state state;
};

static bool parse_header(struct slice line, struct columns *out)
{
	unsigned found = 0;

	memset(out, 0, sizeof(*out));
	if (line.len < 2 || line.p[0] != '#' || line.p[1] != ' ')
		return false;
	line = slice_skip(line, 2);
	for (unsigned i = 0; line.len > 0; i++) {
		struct slice name = next_field(&line);

		if (is_slice_eq(name, "pxname")) {
			out->pxname = i;
			found |= 1;
		} else if (is_slice_eq(name, "svname")) {
			out->svname = i;
			found |= 2;
		} else if (is_slice_eq(name, "status")) {
			out->status = i;
			found |= 4;
		}
	}
	out->known = found == 7;
	return out->known;
}

static bool has_lead(struct slice s, const char *lead)
{
	size_t len = strlen(lead);

	return s.len >= len && memcmp(s.p, lead, len) == 0;
}

/* "UP", "UP 1/3", "MAINT (via w/A)", "MAINT(resolution)", "DRAIN (agent)". */
static enum hap_srv_state state_of(struct slice word)
{
	static const struct {
		const char *lead;
		enum hap_srv_state state;
	} words[] = {
	    {"UP", HAP_SRV_UP},
	    {"no check", HAP_SRV_UNCHECKED},
	    {"NOLB", HAP_SRV_NOLB},
	    {"DOWN", HAP_SRV_DOWN},
	    {"MAINT", HAP_SRV_MAINT},
	    {"DRAIN", HAP_SRV_DRAIN},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (has_lead(word, words[i].lead))
			return words[i].state;
	return HAP_SRV_OTHER;
}

static bool parse_row(
    struct slice line, const struct columns *cols, struct row *out)
{
	bool ok = true;
	unsigned found = 0;

	memset(out, 0, sizeof(*out));
	if (!cols->known || (line.len > 0 && line.p[0] == '#'))
		return false;
	for (unsigned i = 0; line.len > 0; i++) {
		struct slice f = next_field(&line);

		if (i == cols->pxname) {
			ok &= slice_copy(f, out->proxy, sizeof(out->proxy));
			found++;
		} else if (i == cols->svname) {
			ok &= slice_copy(f, out->server, sizeof(out->server));
			found++;
		} else if (i == cols->status) {
			out->state = state_of(f);
			found++;
		}
	}
	return ok && found == 3;
}

/* Gives: which backend of the cluster `proxy` is, HAP_PLACES_N if none. */
static enum hap_backend backend_of(const char *proxy, const char *cluster)
{
	size_t len = strlen(cluster);

	if (strncmp(proxy, cluster, len) != 0 || proxy[len] != '_')
		return HAP_PLACES_N;
	for (unsigned b = 0; b < HAP_PLACES_N; b++)
		if (strcmp(proxy + len + 1,
			hap_backend_suffix((enum hap_backend)b)) == 0)
			return (enum hap_backend)b;
	return HAP_PLACES_N;
}

static int find_server(const struct snapshot *snap, const char *server)
{
	for (int i = 0; i < snap->n && server[0] != '\0'; i++)
		if (strcmp(snap->m[i].server, server) == 0)
			return i;
	return -1;
}

static void take_row(
    const struct row *row, const struct snapshot *snap, struct hap_view *view)
{
	enum hap_backend b;
	int i;

	b = backend_of(row->proxy, snap->cluster);
	if (b == HAP_PLACES_N)
		return;
	if (strcmp(row->server, "BACKEND") == 0) {
		view->has[b] = true;
		return;
	}
	i = find_server(snap, row->server);
	if (i >= 0)
		view->srv[b][i] = row->state;
}

bool hap_parse_stat(
    struct slice csv, const struct snapshot *snap, struct hap_view *out)
{
	struct columns cols = {0};
	struct row row;

	assert(snap != NULL && out != NULL);
	memset(out, 0, sizeof(*out));
	while (csv.len > 0) {
		struct slice line = next_line(&csv);

		if (!cols.known)
			out->known = parse_header(line, &cols);
		else if (parse_row(line, &cols, &row))
			take_row(&row, snap, out);
	}
	return out->known;
}

/* One backend's server, both safe to name. */
struct place {
	const char *cluster;
	enum hap_backend backend;
	const char *server;
};

static void add(struct hap_cmds *out, const char *before,
    const struct place *at, const char *after)
{
	if (out->n == LIM_HAP_CMDS || !is_safe(at->cluster) ||
	    !is_safe(at->server))
		return;
	(void)snprintf(out->line[out->n], sizeof(out->line[0]), "%s%s_%s/%s%s",
	    before, at->cluster, hap_backend_suffix(at->backend), at->server,
	    after);
	out->n++;
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
	const struct place r_b = {c, HAP_READ, b}, f_a = {c, HAP_FALLBACK, a};
	const struct place c_a = {c, HAP_CLASSIC_WRITE, a};
	bool leaves = strcmp(a, b) != 0;

	out->n = 0;
	if (leaves)
		add_health(out, &w_a, " health stopping");
	add_health(out, &w_b, " health up");
	/* Its sessions were placed on it as a replica, which may lead them. */
	add_health(out, &r_b, " health stopping");
	if (leaves) {
		add_shutdown(out, &w_a);
		add_shutdown(out, &f_a);
		add_shutdown(out, &c_a);
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

void hap_repair(const struct snapshot *snap, const struct hap_view *view,
    struct hap_cmds *out)
{
	assert(snap != NULL && view != NULL && out != NULL);
	out->n = 0;
	if (!view->known)
		return;
	for (int b = 0; b < HAP_BACKEND_N; b++) {
		for (int i = 0; i < snap->n; i++) {
			const struct place at = {snap->cluster,
			    (enum hap_backend)b, snap->m[i].server};

			repair_server(snap, &at, view->srv[b][i], out);
		}
	}
}

int hap_check_code(
    const struct snapshot *snap, enum hap_backend b, const char *server)
{
	int i;
	bool belongs;

	assert(snap != NULL && b < HAP_BACKEND_N && server != NULL);
	i = find_server(snap, server);
	if (i < 0)
		return 503;
	belongs = b == HAP_READ ? (snap->m[i].flags & SNAP_F_READ) != 0
				: snap->write == i;
	if (belongs)
		return 200;
	return (snap->m[i].flags & SNAP_F_LIVE) != 0 ? 404 : 503;
}

/* ", 16384 bytes and 12 ms behind", as far as it is known. */
static void lag_text(const struct snap_member *m, char out[static LIM_TEXT])
{
	out[0] = '\0';
	if (m->lag_bytes != SNAP_LAG_UNKNOWN &&
	    m->lag_ms != SNAP_LAG_MS_UNKNOWN)
		(void)snprintf(out, LIM_TEXT,
		    ", %" PRIu64 " bytes and %" PRIu32 " ms behind",
		    m->lag_bytes, m->lag_ms);
	else if (m->lag_bytes != SNAP_LAG_UNKNOWN)
		(void)snprintf(
		    out, LIM_TEXT, ", %" PRIu64 " bytes behind", m->lag_bytes);
}

void hap_check_why(
    const struct snapshot *snap, const char *server, char out[static LIM_TEXT])
{
	char lag[LIM_TEXT];

	assert(snap != NULL && server != NULL);
	int i = find_server(snap, server);
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
