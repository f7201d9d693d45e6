/*
 * etcd2_json.c - see etcd2_json.h. Called by etcd2.c and etcd_find.c.
 */
#include <assert.h>
#include <string.h>

#include "etcd2_json.h"
#include "etcd_text.h"
#include "json.h"
#include "num.h"

/* v2error/error.go */
#define KEY_NOT_FOUND 100
#define UNAUTHORIZED 110
#define INDEX_CLEARED 401

static bool is_word(struct slice s, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (is_slice_eq(s, *words))
			return true;
	}
	return false;
}

/* Gives: false unless it is a node with a name and its indices. */
static bool take_node(const cJSON *node, struct etcd2_kv *kv)
{
	kv->key = json_str(node, "key");
	kv->value = json_str(node, "value");
	kv->modified = json_i64(node, "modifiedIndex");
	kv->created = json_i64(node, "createdIndex");
	kv->dir = is_json_true(node, "dir");
	return kv->key.len > 0 && kv->modified > 0 && kv->created > 0;
}

/* A key of a read. An absent value is the empty string. */
static bool hand_key(const cJSON *node, const struct etcd2_sink *sink)
{
	static const unsigned char empty = 0;
	struct etcd2_kv kv = {0};

	if (is_json_true(node, "dir"))
		return true;
	if (!take_node(node, &kv))
		return false;
	if (kv.value.p == NULL)
		kv.value = slice_of(&empty, 0);
	sink->kv(sink->arg, &kv);
	return true;
}

/* The keys in a directory, and in those `deeper` levels below it. */
static bool hand_keys(
    const cJSON *dir, unsigned deeper, const struct etcd2_sink *sink)
{
	const cJSON *nodes = json_get(dir, "nodes"), *n;

	if (!cJSON_IsObject(dir) || (nodes != NULL && !cJSON_IsArray(nodes)))
		return false;
	for (n = json_first(nodes); n != NULL; n = n->next)
		if (!hand_key(n, sink) ||
		    (deeper > 0 && !hand_keys(n, deeper - 1, sink)))
			return false;
	return true;
}

static enum etcd2_kind take_read(
    const cJSON *node, const struct etcd2_sink *sink)
{
	return hand_key(node, sink) && hand_keys(node, 1, sink) ? ETCD2_NODES
								: ETCD2_BAD;
}

static enum etcd2_kind take_event(const cJSON *node, bool deleted,
    const struct etcd2_sink *sink, struct etcd2_answer *out)
{
	struct etcd2_kv kv = {.deleted = deleted};

	if (!take_node(node, &kv))
		return ETCD2_BAD;
	out->modified = kv.modified;
	if (deleted)
		sink->kv(sink->arg, &kv);
	else if (!hand_key(node, sink))
		return ETCD2_BAD;
	return ETCD2_EVENT;
}

static enum etcd2_kind take_error(const cJSON *doc, struct etcd2_answer *out)
{
	etcd_text_cut(json_str(doc, "message"), out->text, sizeof(out->text));
	etcd_text_cut(json_str(doc, "cause"), out->cause, sizeof(out->cause));
	switch (json_i64(doc, "errorCode")) {
	case KEY_NOT_FOUND:
		return ETCD2_ABSENT;
	case UNAUTHORIZED:
		return ETCD2_DENIED;
	case INDEX_CLEARED:
		return ETCD2_CLEARED;
	case 0:
		return ETCD2_BAD;
	default:
		return ETCD2_ERROR;
	}
}

struct etcd2_answer etcd2_decode(
    struct slice body, const struct etcd2_sink *sink)
{
	static const char *const sets[] = {
	    "set", "create", "update", "compareAndSwap", NULL};
	static const char *const dels[] = {
	    "delete", "expire", "compareAndDelete", NULL};
	struct etcd2_answer out = {.kind = ETCD2_BAD};
	cJSON *doc = json_parse(body);
	const cJSON *node = json_get(doc, "node");
	struct slice action = json_str(doc, "action");

	assert(sink != NULL && sink->kv != NULL);
	if (json_get(doc, "errorCode") != NULL)
		out.kind = take_error(doc, &out);
	else if (is_slice_eq(action, "get"))
		out.kind = take_read(node, sink);
	else if (is_word(action, sets))
		out.kind = take_event(node, false, sink, &out);
	else if (is_word(action, dels))
		out.kind = take_event(node, true, sink, &out);
	cJSON_Delete(doc);
	return out;
}

uint64_t etcd2_cluster_id(struct slice s)
{
	static const char digit[] = "0123456789abcdef0123456789ABCDEF";
	uint64_t n = 0;
	size_t i;

	if (s.len > 16)
		return 0;
	for (i = 0; i < s.len; i++) {
		const char *at = memchr(digit, s.p[i], sizeof(digit) - 1);

		if (at == NULL)
			return 0;
		n = n << 4 | ((uint64_t)(at - digit) & 15);
	}
	return n;
}

/* The number before the first dot; *s is what is behind it. */
static bool take_part(struct slice *s, unsigned *out)
{
	const unsigned char *dot =
	    s->len > 0 ? memchr(s->p, '.', s->len) : NULL;
	uint64_t n;

	if (dot == NULL ||
	    !num_u64(slice_of(s->p, (size_t)(dot - s->p)), 0, 999, &n))
		return false;
	*out = (unsigned)n;
	*s = slice_skip(*s, (size_t)(dot - s->p) + 1);
	return true;
}

bool etcd_version_decode(struct slice body, struct etcd_version *out)
{
	cJSON *doc = json_parse(body);
	struct slice s = json_str(doc, "etcdserver");
	bool ok;

	assert(out != NULL);
	memset(out, 0, sizeof(*out));
	etcd_text_cut(s, out->text, sizeof(out->text));
	ok = take_part(&s, &out->major) && take_part(&s, &out->minor) &&
	    out->major > 0;
	cJSON_Delete(doc);
	return ok;
}
