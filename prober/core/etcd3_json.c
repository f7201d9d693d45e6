/*
 * etcd3_json.c - see etcd3_json.h. Called by etcd.c only.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "etcd3_json.h"
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

bool etcd3_range(
    struct slice body, const struct etcd3_sink *sink, struct etcd3_range *out)
{
	cJSON *doc = json_parse(body);
	const cJSON *kvs = json_get(doc, "kvs"), *kv;
	bool ok;

	assert(sink != NULL && out != NULL);
	memset(out, 0, sizeof(*out));
	ok = take_head(doc, &out->head) && !is_json_true(doc, "more") &&
	    (kvs == NULL || cJSON_IsArray(kvs));
	out->count = json_u64(doc, "count");
	for (kv = json_first(kvs); kv != NULL; kv = kv->next)
		ok = ok && take_kv(kv, (struct etcd3_kv){0}, sink);
	/* A read that was cut short is no whole read. */
	ok = ok && (uint64_t)cJSON_GetArraySize(kvs) == out->count;
	cJSON_Delete(doc);
	return ok;
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
	const cJSON *responses = json_get(doc, "responses"), *r;
	size_t i = 0;
	bool ok;

	assert(head != NULL && beat != NULL);
	ok = take_head(doc, head) && is_json_true(doc, "succeeded") &&
	    (size_t)cJSON_GetArraySize(responses) == n;
	for (r = json_first(responses); ok && r != NULL; r = r->next)
		ok = take_beat(r, &beat[i++]);
	cJSON_Delete(doc);
	return ok;
}

/* For logs: as much of the text as has room. */
static void cut_text(struct slice s, char *buf, size_t size)
{
	size_t len = s.len < size - 1 ? s.len : size - 1;

	if (len > 0)
		memcpy(buf, s.p, len);
	buf[len] = '\0';
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
		cut_text(json_str(result, "cancel_reason"), out->text,
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
		cut_text(
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

static void add_bytes(struct etcd3_text *t, const char *p, size_t len)
{
	assert(t->p != NULL && t->used < t->size);
	/* Always ended by a NUL, so that it is a string at any time. */
	if (len >= t->size - t->used) {
		t->full = true;
		return;
	}
	memcpy(t->p + t->used, p, len);
	t->used += len;
	t->p[t->used] = '\0';
}

static void add(struct etcd3_text *t, const char *s)
{
	add_bytes(t, s, strlen(s));
}

static void add_number(struct etcd3_text *t, int64_t n)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%lld", (long long)n);
	add(t, digits);
}

static void add_base64(struct etcd3_text *t, struct slice s)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789+/=";
	char four[4];
	size_t i;

	for (i = 0; i < s.len; i += 3) {
		size_t left = s.len - i;
		uint32_t v = (uint32_t)s.p[i] << 16;

		if (left > 1)
			v |= (uint32_t)s.p[i + 1] << 8;
		if (left > 2)
			v |= s.p[i + 2];
		four[0] = set[v >> 18];
		four[1] = set[v >> 12 & 63];
		four[2] = set[left > 1 ? v >> 6 & 63 : 64];
		four[3] = set[left > 2 ? v & 63 : 64];
		add_bytes(t, four, sizeof(four));
	}
}

/* "key":…,"range_end":…: every key that begins with the prefix. */
static void add_prefix(struct etcd3_text *t, const char *prefix)
{
	struct slice s = slice_str(prefix);
	unsigned char end[LIM_TEXT];

	assert(s.len > 0 && s.len < sizeof(end) && s.p[s.len - 1] < 0xff);
	memcpy(end, s.p, s.len);
	end[s.len - 1]++;
	add(t, "\"key\":\"");
	add_base64(t, s);
	add(t, "\",\"range_end\":\"");
	add_base64(t, slice_of(end, s.len));
	add(t, "\"");
}

void etcd3_ask_range(struct etcd3_text *t, const char *prefix)
{
	add(t, "{");
	add_prefix(t, prefix);
	add(t, "}");
}

void etcd3_ask_watch(struct etcd3_text *t, const char *prefix, int64_t revision,
    int64_t watch_id)
{
	assert(revision > 0 && watch_id > 0);
	add(t, "{\"create_request\":{");
	add_prefix(t, prefix);
	add(t, ",\"start_revision\":\"");
	add_number(t, revision);
	add(t, "\",\"watch_id\":\"");
	add_number(t, watch_id);
	add(t, "\"}}\n");
}

void etcd3_ask_beat_begin(struct etcd3_text *t)
{
	add(t, "{\"success\":[");
}

void etcd3_ask_beat_add(struct etcd3_text *t, const char *prefix)
{
	if (t->used > 0 && t->p[t->used - 1] == '}')
		add(t, ",");
	add(t, "{\"request_range\":{");
	add_prefix(t, prefix);
	add(t,
	    ",\"limit\":\"1\",\"keys_only\":true,"
	    "\"sort_order\":\"DESCEND\",\"sort_target\":\"MOD\"}}");
}

void etcd3_ask_beat_end(struct etcd3_text *t)
{
	add(t, "]}");
}
