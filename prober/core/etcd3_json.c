/*
 * etcd3_json.c - see etcd3_json.h. Called by the etcd3_*.c edges.
 */
#include <assert.h>
#include <string.h>

#include "etcd3_json.h"
#include "etcd_text.h"
#include "json.h"

/* The value of one character of base64, -1 if it is none. */
static int base64_value(char c)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c != '\0' ? strchr(set, c) : NULL;

	return p != NULL ? (int)(p - set) : -1;
}

/* In place: three bytes never take more room than their four characters. */
static bool base64_decode(char *text, struct slice *out)
{
	size_t len = strlen(text), pad = 0, used = 0, i;
	uint32_t bits = 0;

	if (len % 4 != 0)
		return false;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	for (i = 0; i < len - pad; i++) {
		int v = base64_value(text[i]);

		if (v == -1)
			return false;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 == 0)
			continue;
		text[used++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
	}
	*out = slice_of(text, used);
	return true;
}

/* An absent field is the empty string (proto3). */
static bool take_bytes(const cJSON *kv, const char *key, struct slice *out)
{
	cJSON *v = cJSON_GetObjectItemCaseSensitive(kv, key);
	static const unsigned char empty = 0;

	*out = slice_of(&empty, 0);
	if (v == NULL)
		return true;
	return cJSON_IsString(v) && base64_decode(v->valuestring, out);
}

/* kv: what stands around the key is filled in already. */
static bool take_kv(
    const cJSON *o, struct etcd3_kv kv, const struct etcd3_sink *sink)
{
	if (!cJSON_IsObject(o) || !take_bytes(o, "key", &kv.key) ||
	    !take_bytes(o, "value", &kv.value) || kv.key.len == 0)
		return false;
	kv.mod_revision = json_i64(o, "mod_revision");
	kv.created = !kv.deleted && json_i64(o, "version") == 1;
	if (kv.mod_revision == 0)
		return false;
	sink->kv(sink->arg, &kv);
	return true;
}

static bool take_head(const cJSON *doc, struct etcd3_head *out)
{
	const cJSON *head = json_get(doc, "header");

	out->cluster_id = json_u64(head, "cluster_id");
	out->revision = json_i64(head, "revision");
	return out->cluster_id != 0 && out->revision > 0;
}

/* Each key of one range of a read. */
static bool take_keys(const cJSON *range, const struct etcd3_sink *sink)
{
	const cJSON *kvs = json_get(range, "kvs"), *kv;
	bool ok = cJSON_IsObject(range) && !is_json_true(range, "more") &&
	    (kvs == NULL || cJSON_IsArray(kvs));

	for (kv = json_first(kvs); ok && kv != NULL; kv = kv->next)
		ok = take_kv(kv, (struct etcd3_kv){0}, sink);
	/* A read that was cut short is no whole read. */
	return ok &&
	    (uint64_t)cJSON_GetArraySize(kvs) == json_u64(range, "count");
}

bool etcd3_range(
    struct slice body, const struct etcd3_sink *sink, struct etcd3_head *head)
{
	cJSON *doc = json_parse(body);
	bool ok;

	assert(sink != NULL && head != NULL);
	ok = take_head(doc, head) && take_keys(doc, sink);
	cJSON_Delete(doc);
	return ok;
}

/* The ranges of a txn's answer. Gives: NULL unless there are `n`. */
static const cJSON *take_txn(
    const cJSON *doc, size_t n, struct etcd3_head *head)
{
	const cJSON *responses = json_get(doc, "responses");

	if (!take_head(doc, head) || !is_json_true(doc, "succeeded") ||
	    (size_t)cJSON_GetArraySize(responses) != n)
		return NULL;
	return json_first(responses);
}

static bool take_beat(const cJSON *response, struct etcd3_beat *out)
{
	const cJSON *range = json_get(response, "response_range");
	const cJSON *kvs = json_get(range, "kvs");

	out->count = json_u64(range, "count");
	out->top_revision =
	    json_i64(cJSON_GetArrayItem(kvs, 0), "mod_revision");
	return range != NULL && (out->count > 0) == (out->top_revision > 0);
}

bool etcd3_beat(struct slice body, struct etcd3_head *head,
    struct etcd3_beat *beat, size_t n)
{
	cJSON *doc = json_parse(body);
	const cJSON *r;
	size_t i = 0;
	bool ok;

	assert(head != NULL && beat != NULL && n > 0);
	r = take_txn(doc, n, head);
	ok = r != NULL;
	for (; ok && r != NULL; r = r->next)
		ok = take_beat(r, &beat[i++]);
	cJSON_Delete(doc);
	return ok;
}

bool etcd3_read(
    struct slice body, const struct etcd3_sink *sink, struct etcd3_read *out)
{
	cJSON *doc = json_parse(body);
	const cJSON *r, *range;
	unsigned i;
	bool ok;

	assert(sink != NULL && out != NULL);
	memset(out, 0, sizeof(*out));
	r = take_txn(doc, ETCD3_READ_OPS, &out->head);
	ok = r != NULL;
	for (i = 0; ok && r != NULL; r = r->next, i++) {
		range = json_get(r, "response_range");
		if (i < ETCD3_PARTS)
			out->count[i] = json_u64(range, "count");
		else if (i == ETCD3_PARTS)
			out->history = json_i64(
			    json_first(json_get(range, "kvs")), "mod_revision");
		else
			ok = take_keys(range, sink);
		ok = ok && cJSON_IsObject(range);
	}
	cJSON_Delete(doc);
	return ok;
}

/* Which range of the answer is looked at. */
struct orders_at {
	const struct etcd3_orders_sink *sink;
	size_t at;
};

static void orders_kv_cb(void *arg, const struct etcd3_kv *kv)
{
	const struct orders_at *o = arg;

	o->sink->kv(o->sink->arg, o->at, kv->key, kv->value);
}

bool etcd3_orders(
    struct slice body, size_t n, const struct etcd3_orders_sink *sink)
{
	struct orders_at o = {.sink = sink};
	const struct etcd3_sink each = {.kv = orders_kv_cb, .arg = &o};
	cJSON *doc = json_parse(body);
	struct etcd3_head head;
	const cJSON *r, *kv;
	bool ok;

	assert(sink != NULL && n > 0);
	r = take_txn(doc, n, &head);
	ok = r != NULL;
	for (; ok && r != NULL; r = r->next, o.at++) {
		const cJSON *range = json_get(r, "response_range");

		ok = cJSON_IsObject(range);
		/* More than were asked for are no orders of ours. */
		for (kv = json_first(json_get(range, "kvs")); ok && kv != NULL;
		     kv = kv->next)
			ok = take_kv(kv, (struct etcd3_kv){0}, &each);
	}
	cJSON_Delete(doc);
	return ok;
}

bool etcd3_lease(struct slice body, char lease[static ETCD3_LEASE])
{
	cJSON *doc = json_parse(body);
	struct slice s = json_str(doc, "ID");
	bool ok = slice_copy(s, lease, ETCD3_LEASE) && s.len > 0;

	for (size_t i = 0; ok && i < s.len; i++)
		ok = s.p[i] >= '0' && s.p[i] <= '9';
	if (!ok)
		lease[0] = '\0';
	cJSON_Delete(doc);
	return ok;
}

bool is_etcd3_deleted(struct slice body)
{
	cJSON *doc = json_parse(body);
	bool deleted = json_i64(doc, "deleted") > 0;

	cJSON_Delete(doc);
	return deleted;
}

bool etcd3_token(struct slice body, char *token, size_t size)
{
	cJSON *doc = json_parse(body);
	struct slice s = json_str(doc, "token");
	bool ok;
	size_t i;

	assert(token != NULL && size > 0);
	ok = slice_copy(s, token, size) && s.len > 0;
	/* It goes into a header line. */
	for (i = 0; ok && i < s.len; i++)
		ok = s.p[i] > ' ' && s.p[i] < 0x7f;
	if (!ok)
		token[0] = '\0';
	cJSON_Delete(doc);
	return ok;
}

struct etcd3_error etcd3_error(struct slice body)
{
	cJSON *doc = json_parse(body);
	struct slice s = json_str(doc, "message");
	struct etcd3_error out = {.code = ETCD3_CODE_NONE};

	if (s.len == 0)
		s = json_str(doc, "error");
	etcd_text_cut(s, out.text, sizeof(out.text));
	/* OLD_AUTH has no code of its own. */
	if (json_i64(doc, "code") == ETCD3_CODE_TOKEN ||
	    is_slice_eq(s, "etcdserver: revision of auth store is old"))
		out.code = ETCD3_CODE_TOKEN;
	else if (json_i64(doc, "code") == ETCD3_CODE_DENIED)
		out.code = ETCD3_CODE_DENIED;
	else if (is_slice_eq(s, "etcdserver: authentication is not enabled"))
		out.code = ETCD3_CODE_NO_AUTH;
	cJSON_Delete(doc);
	return out;
}

static bool take_events(
    const cJSON *events, int64_t watch_id, const struct etcd3_sink *sink)
{
	const cJSON *e;

	for (e = json_first(events); e != NULL; e = e->next) {
		struct slice type = json_str(e, "type");
		struct etcd3_kv kv = {.watch_id = watch_id};

		kv.deleted = is_slice_eq(type, "DELETE");
		if (!kv.deleted && type.len > 0 && !is_slice_eq(type, "PUT"))
			return false;
		if (!take_kv(json_get(e, "kv"), kv, sink))
			return false;
	}
	return true;
}

static enum etcd3_kind take_result(
    const cJSON *result, const struct etcd3_sink *sink, struct etcd3_watch *out)
{
	const cJSON *events = json_get(result, "events");
	bool headed = take_head(result, &out->head);

	out->watch_id = json_i64(result, "watch_id");
	if (json_i64(result, "compact_revision") > 0)
		return ETCD3_COMPACTED;
	if (is_json_true(result, "canceled")) {
		etcd_text_cut(json_str(result, "cancel_reason"), out->text,
		    sizeof(out->text));
		return ETCD3_CANCELED;
	}
	if (!headed)
		return ETCD3_BAD;
	if (is_json_true(result, "created"))
		return ETCD3_CREATED;
	if (events == NULL)
		return ETCD3_PROGRESS;
	if (!cJSON_IsArray(events) || !take_events(events, out->watch_id, sink))
		return ETCD3_BAD;
	return ETCD3_EVENTS;
}

struct etcd3_watch etcd3_watch_line(
    struct slice line, const struct etcd3_sink *sink)
{
	cJSON *doc = json_parse(line);
	const cJSON *error = json_get(doc, "error");
	const cJSON *result = json_get(doc, "result");
	struct etcd3_watch out = {.kind = ETCD3_BAD};

	assert(sink != NULL);
	if (error != NULL) {
		out.kind = ETCD3_ERROR;
		etcd_text_cut(
		    json_str(error, "message"), out.text, sizeof(out.text));
	} else if (cJSON_IsObject(result)) {
		out.kind = take_result(result, sink, &out);
	}
	cJSON_Delete(doc);
	return out;
}

enum etcd3_cut etcd3_lines_next(
    struct etcd3_lines *l, struct slice *in, struct slice *line)
{
	assert(l != NULL && l->buf != NULL && in != NULL && line != NULL);
	if (l->handed_out)
		l->used = 0;
	l->handed_out = false;
	while (in->len > 0) {
		const unsigned char *end = memchr(in->p, '\n', in->len);
		size_t len = end != NULL ? (size_t)(end - in->p) : in->len;

		if (len > l->size - l->used)
			return ETCD3_CUT_LONG;
		memcpy(l->buf + l->used, in->p, len);
		l->used += len;
		*in = slice_skip(*in, end != NULL ? len + 1 : len);
		if (end == NULL || l->used == 0)
			continue;
		l->handed_out = true;
		*line = slice_of(l->buf, l->used);
		return ETCD3_CUT_LINE;
	}
	return ETCD3_CUT_NONE;
}
