/*
 * etcd3_ask.c - see etcd3_ask.h. Called by the etcd3_*.c edges.
 */
#include <assert.h>
#include <string.h>

#include "etcd3_ask.h"

#define HISTORY "history"

/* What of a prefix is left out of etcd3_ask_read() stands in no verdict. */
static const char *const wanted[] = {
    "leader", "initialize", "config", "failover", "sync"};

/* A key, or the end of a range: a byte string of the prefix and a name. */
struct edge {
	unsigned char p[LIM_TEXT + LIM_NAME + 16];
	size_t len;
};

static struct edge edge_of(const char *prefix, const char *name)
{
	size_t n = strlen(prefix), m = strlen(name);
	struct edge e;

	assert(n > 0 && n < LIM_TEXT && m < sizeof(e.p) - LIM_TEXT - 1);
	memcpy(e.p, prefix, n);
	memcpy(e.p + n, name, m);
	e.len = n + m;
	return e;
}

/* The first key behind all that begin with this. */
static struct edge behind_all(struct edge e)
{
	assert(e.p[e.len - 1] < 0xff);
	e.p[e.len - 1]++;
	return e;
}

/* The first key behind this one. */
static struct edge behind(struct edge e)
{
	assert(e.len < sizeof(e.p));
	e.p[e.len++] = '\0';
	return e;
}

static void add_key(struct etcd_text *t, struct edge key)
{
	etcd_text_add(t, "\"key\":\"");
	etcd_text_base64(t, slice_of(key.p, key.len));
	etcd_text_add(t, "\"");
}

static void add_range(struct etcd_text *t, struct edge from, struct edge to)
{
	add_key(t, from);
	etcd_text_add(t, ",\"range_end\":\"");
	etcd_text_base64(t, slice_of(to.p, to.len));
	etcd_text_add(t, "\"");
}

static void add_part(struct etcd_text *t, const char *prefix, unsigned part)
{
	struct edge all = edge_of(prefix, "");
	struct edge history = edge_of(prefix, HISTORY);

	assert(part < ETCD3_PARTS);
	if (part == 0)
		add_range(t, all, history);
	else
		add_range(t, behind(history), behind_all(all));
}

static void op_begin(struct etcd_text *t)
{
	if (t->used > 0 && t->p[t->used - 1] == '}')
		etcd_text_add(t, ",");
	etcd_text_add(t, "{\"request_range\":{");
}

static void op_end(struct etcd_text *t, const char *options)
{
	etcd_text_add(t, options);
	etcd_text_add(t, "}}");
}

void etcd3_ask_begin(struct etcd_text *t)
{
	etcd_text_add(t, "{\"success\":[");
}

void etcd3_ask_end(struct etcd_text *t)
{
	etcd_text_add(t, "]}");
}

void etcd3_ask_read(struct etcd_text *t, const char *prefix)
{
	struct edge members = edge_of(prefix, "members/");
	unsigned i;

	for (i = 0; i < ETCD3_PARTS; i++) {
		op_begin(t);
		add_part(t, prefix, i);
		op_end(t, ",\"count_only\":true");
	}
	op_begin(t);
	add_key(t, edge_of(prefix, HISTORY));
	op_end(t, ",\"keys_only\":true");
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		op_begin(t);
		add_key(t, edge_of(prefix, wanted[i]));
		op_end(t, "");
	}
	op_begin(t);
	add_range(t, members, behind_all(members));
	op_end(t, "");
}

void etcd3_ask_beat(struct etcd_text *t, const char *prefix)
{
	unsigned i;

	for (i = 0; i < ETCD3_PARTS; i++) {
		op_begin(t);
		add_part(t, prefix, i);
		op_end(t,
		    ",\"limit\":\"1\",\"keys_only\":true,"
		    "\"sort_order\":\"DESCEND\",\"sort_target\":\"MOD\"");
	}
}

void etcd3_ask_look(struct etcd_text *t, const char *prefix)
{
	struct edge all = edge_of(prefix, "");

	op_begin(t);
	add_key(t, edge_of(prefix, "leader"));
	op_end(t, ",\"keys_only\":true");
	op_begin(t);
	add_range(t, all, behind_all(all));
	op_end(t, ",\"limit\":\"1\",\"keys_only\":true");
}

void etcd3_ask_key(struct etcd_text *t, const char *prefix, const char *name)
{
	etcd_text_add(t, "{");
	add_key(t, edge_of(prefix, name));
	etcd_text_add(t, "}");
}

void etcd3_ask_watch(struct etcd_text *t, const struct etcd3_follow *f)
{
	assert(f != NULL && f->revision > 0 && f->watch_id > 0);
	etcd_text_add(t, "{\"create_request\":{");
	add_part(t, f->prefix, f->part);
	etcd_text_add(t, ",\"start_revision\":\"");
	etcd_text_number(t, f->revision);
	etcd_text_add(t, "\",\"watch_id\":\"");
	etcd_text_number(t, f->watch_id);
	etcd_text_add(t, "\"}}\n");
}

void etcd3_ask_orders(struct etcd_text *t, const char *prefix)
{
	struct edge all = edge_of(prefix, "");

	op_begin(t);
	add_range(t, all, behind_all(all));
	etcd_text_add(t, ",\"limit\":\"");
	etcd_text_number(t, ETCD3_ORDERS);
	op_end(t, "\"");
}

void etcd3_ask_bell(struct etcd_text *t, const char *prefix)
{
	struct edge all = edge_of(prefix, "");

	etcd_text_add(t, "{\"create_request\":{");
	add_range(t, all, behind_all(all));
	etcd_text_add(t, "}}\n");
}

void etcd3_ask_lease(struct etcd_text *t, int64_t ttl_s)
{
	assert(ttl_s > 0);
	etcd_text_add(t, "{\"TTL\":\"");
	etcd_text_number(t, ttl_s);
	etcd_text_add(t, "\"}");
}

void etcd3_ask_put(struct etcd_text *t, const struct etcd3_put *put)
{
	assert(put != NULL && put->value.len > 0);
	etcd_text_add(t, "{");
	add_key(t, edge_of(put->prefix, put->name));
	etcd_text_add(t, ",\"value\":\"");
	etcd_text_base64(t, put->value);
	etcd_text_add(t, "\"");
	if (put->lease[0] != '\0') {
		etcd_text_add(t, ",\"lease\":\"");
		etcd_text_add(t, put->lease);
		etcd_text_add(t, "\"");
	}
	etcd_text_add(t, "}");
}

void etcd3_ask_login(struct etcd_text *t, const char *auth)
{
	const char *colon = strchr(auth, ':');

	assert(colon != NULL);
	etcd_text_add(t, "{\"name\":");
	etcd_text_json(t, slice_of(auth, (size_t)(colon - auth)));
	etcd_text_add(t, ",\"password\":");
	etcd_text_json(t, slice_str(colon + 1));
	etcd_text_add(t, "}");
}
