/*
 * hapview.c - HAProxy's words; see hapview.h. Called by happass.c for each
 * cluster, each second.
 */
#include "hapview.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "num.h"

const char *hap_backend_suffix(enum hap_backend b)
{
	static const char *const suffix[HAP_PLACES_N] = {
	    [HAP_WRITE] = "write",
	    [HAP_READ] = "read",
	    [HAP_FALLBACK] = "fallback",
	    [HAP_CLASSIC_WRITE] = "classic_write",
	    [HAP_CLASSIC_READ] = "classic_read",
	    [HAP_CLASSIC_ANY] = "classic_any",
	    [HAP_CLASSIC_SYNC] = "classic_sync",
	};

	assert(b < HAP_PLACES_N);
	return suffix[b];
}

bool is_hap_safe(const char *name)
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

enum column {
	COL_PROXY = 0,
	COL_SERVER,
	COL_STATUS,
	COL_NEEDED, /* what follows may be missing */
	COL_WEIGHT = COL_NEEDED,
	COL_ID,
	COL_SESSIONS,
	COL_ADDR,
	COL_CHECK,
	COL_CODE,
	COL_LAST,
	COL_N
};

static const char *const column_name[COL_N] = {"pxname", "svname", "status",
    "weight", "sid", "scur", "addr", "check_status", "check_code", "last_chk"};

/* Where the columns are; HAProxy's versions differ. */
struct columns {
	bool known;
	unsigned at[COL_N]; /* from 1; 0: not there */
};

static bool parse_header(struct slice line, struct columns *out)
{
	memset(out, 0, sizeof(*out));
	if (line.len < 2 || line.p[0] != '#' || line.p[1] != ' ')
		return false;
	line = slice_skip(line, 2);
	for (unsigned i = 1; line.len > 0; i++) {
		struct slice name = next_field(&line);

		for (int c = 0; c < COL_N; c++)
			if (is_slice_eq(name, column_name[c]))
				out->at[c] = i;
	}
	out->known = out->at[COL_PROXY] != 0 && out->at[COL_SERVER] != 0 &&
	    out->at[COL_STATUS] != 0;
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

/* Gives: false if a column that is needed is not there. */
static bool split_row(struct slice line, const struct columns *cols,
    struct slice out[static COL_N])
{
	unsigned last = 0;

	for (int c = 0; c < COL_N; c++)
		out[c] = slice_of(NULL, 0);
	if (line.len > 0 && line.p[0] == '#')
		return false;
	for (unsigned i = 1; line.len > 0; i++) {
		struct slice f = next_field(&line);

		last = i;
		for (int c = 0; c < COL_N; c++)
			if (cols->at[c] == i)
				out[c] = f;
	}
	for (int c = 0; c < COL_NEEDED; c++)
		if (cols->at[c] > last)
			return false;
	return true;
}

/* As much of it as there is room for, and printable. */
static void copy_text(struct slice from, char *to, size_t size)
{
	size_t n = from.len < size - 1 ? from.len : size - 1;

	for (size_t i = 0; i < n; i++)
		to[i] = (char)(from.p[i] >= 0x20 && from.p[i] < 0x7f ? from.p[i]
								     : '?');
	to[n] = '\0';
}

static uint32_t number(struct slice s, uint32_t max)
{
	uint64_t v;

	return num_u64(s, 0, max, &v) ? (uint32_t)v : 0;
}

static void check_text(const struct slice f[static COL_N], struct hap_row *r)
{
	char status[12], code[6];

	copy_text(f[COL_CHECK], status, sizeof(status));
	copy_text(f[COL_CODE], code, sizeof(code));
	copy_text(f[COL_LAST], r->why, sizeof(r->why));
	(void)snprintf(r->check, sizeof(r->check), "%s%s%s", status,
	    code[0] != '\0' ? "/" : "", code);
}

static void fill_row(
    const struct slice f[static COL_N], enum hap_backend b, struct hap_row *r)
{
	r->backend = b;
	r->state = state_of(f[COL_STATUS]);
	copy_text(f[COL_STATUS], r->status, sizeof(r->status));
	copy_text(f[COL_ADDR], r->addr, sizeof(r->addr));
	check_text(f, r);
	r->id = number(f[COL_ID], UINT32_MAX);
	r->sessions = number(f[COL_SESSIONS], UINT32_MAX);
	r->weight = (uint16_t)number(f[COL_WEIGHT], UINT16_MAX);
}

/* Gives: which backend of the cluster `proxy` is, HAP_PLACES_N if none. */
static enum hap_backend backend_of(struct slice proxy, const char *cluster)
{
	size_t len = strlen(cluster);

	if (!has_lead(proxy, cluster) || proxy.len == len ||
	    proxy.p[len] != '_')
		return HAP_PLACES_N;
	proxy = slice_skip(proxy, len + 1);
	for (unsigned b = 0; b < HAP_PLACES_N; b++)
		if (is_slice_eq(proxy, hap_backend_suffix((enum hap_backend)b)))
			return (enum hap_backend)b;
	return HAP_PLACES_N;
}

int hap_member_of(const struct snapshot *snap, const char *server)
{
	for (int i = 0; i < snap->n && server[0] != '\0'; i++)
		if (strcmp(snap->m[i].server, server) == 0)
			return i;
	return -1;
}

const struct hap_row *hap_row_of(
    const struct hap_view *v, enum hap_backend b, const char *server)
{
	assert(v != NULL && v->n <= HAP_ROWS);
	for (unsigned i = 0; i < v->n; i++)
		if (v->row[i].backend == b &&
		    strcmp(v->row[i].server, server) == 0)
			return &v->row[i];
	return NULL;
}

static void take_row(struct slice line, const struct columns *cols,
    const struct snapshot *snap, struct hap_view *view)
{
	struct slice f[COL_N];
	struct hap_row *r = &view->row[view->n];
	enum hap_backend b;

	if (!split_row(line, cols, f))
		return;
	b = backend_of(f[COL_PROXY], snap->cluster);
	if (b == HAP_PLACES_N)
		return;
	if (is_slice_eq(f[COL_SERVER], "BACKEND")) {
		view->has[b] = true;
		return;
	}
	if (view->n == HAP_ROWS ||
	    !slice_copy(f[COL_SERVER], r->server, sizeof(r->server)))
		return;
	fill_row(f, b, r);
	view->n++;
	int i = hap_member_of(snap, r->server);
	if (i >= 0)
		view->srv[b][i] = r->state;
}

bool hap_parse_stat(
    struct slice csv, const struct snapshot *snap, struct hap_view *out)
{
	struct columns cols = {0};

	assert(snap != NULL && out != NULL);
	memset(out, 0, sizeof(*out));
	out->seq = snap->seq;
	while (csv.len > 0) {
		struct slice line = next_line(&csv);

		if (!cols.known)
			out->known = parse_header(line, &cols);
		else
			take_row(line, &cols, snap, out);
	}
	return out->known;
}
