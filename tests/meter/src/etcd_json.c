/*
 * etcd_json.c - what the watch asks and what it is told, as JSON.
 */
#include "etcd_json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <openssl/evp.h>

/* Both ends of "everything that starts with prefix", in base64. */
static bool prefix_range(const char *prefix, char *key, char *end, size_t size)
{
	unsigned char last[ETCD_KEY];
	size_t n = strlen(prefix);

	/* Four characters for three bytes, and a NUL. */
	if (n == 0 || n >= sizeof(last) || (n + 2) / 3 * 4 >= size)
		return false;
	memcpy(last, prefix, n + 1);
	last[n - 1]++;
	EVP_EncodeBlock(
	    (unsigned char *)key, (const unsigned char *)prefix, (int)n);
	EVP_EncodeBlock((unsigned char *)end, last, (int)n);
	return true;
}

bool etcd_range_request(const char *prefix, char *out, size_t size)
{
	char key[ETCD_KEY * 2], end[ETCD_KEY * 2];
	int n;

	if (!prefix_range(prefix, key, end, sizeof(key)))
		return false;
	n = snprintf(
	    out, size, "{\"key\":\"%s\",\"range_end\":\"%s\"}", key, end);
	return n > 0 && (size_t)n < size;
}

bool etcd_watch_request(
    const char *prefix, int64_t from, char *out, size_t size)
{
	char key[ETCD_KEY * 2], end[ETCD_KEY * 2];
	int n;

	if (!prefix_range(prefix, key, end, sizeof(key)))
		return false;
	n = snprintf(out, size,
	    "{\"create_request\":{\"key\":\"%s\",\"range_end\":\"%s\","
	    "\"start_revision\":\"%" PRId64 "\"}}",
	    key, end, from);
	return n > 0 && (size_t)n < size;
}

static const char *text_at(const cJSON *o, const char *name)
{
	const char *s =
	    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

	return s == NULL ? "" : s;
}

static bool is_true(const cJSON *o, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, name)) != 0;
}

/* A base64 value, cut to what fits, with a NUL behind it. */
static void decode(const char *text, char *out, size_t size)
{
	unsigned char block[4];
	size_t at = 0;
	size_t len = strlen(text);

	for (size_t i = 0; len - i >= 4 && at + 3 < size; i += 4) {
		int n =
		    EVP_DecodeBlock(block, (const unsigned char *)text + i, 4);

		if (n != 3)
			break;
		n -= (text[i + 3] == '=') + (text[i + 2] == '=');
		memcpy(out + at, block, (size_t)n);
		at += (size_t)n;
	}
	out[at] = '\0';
}

static void read_header(const cJSON *header, struct etcd_answer *a)
{
	a->cluster_id = strtoull(text_at(header, "cluster_id"), NULL, 10);
	a->revision = strtoll(text_at(header, "revision"), NULL, 10);
}

static void read_kv(const cJSON *kv, bool deleted, struct etcd_answer *a)
{
	struct etcd_event *e;

	if (a->n == ETCD_EVENTS || kv == NULL)
		return;
	e = &a->ev[a->n++];
	e->deleted = deleted;
	e->revision = strtoll(text_at(kv, "mod_revision"), NULL, 10);
	decode(text_at(kv, "key"), e->key, sizeof(e->key));
	decode(text_at(kv, "value"), e->value, sizeof(e->value));
}

static cJSON *parse(const char *text, size_t len, struct etcd_answer *a)
{
	assert(text != NULL && a != NULL);
	a->cluster_id = 0;
	a->revision = 0;
	a->canceled = false;
	a->compacted = false;
	a->error[0] = '\0';
	a->n = 0;
	return cJSON_ParseWithLength(text, len);
}

bool etcd_range_parse(const char *text, size_t len, struct etcd_answer *a)
{
	cJSON *root = parse(text, len, a);
	const cJSON *header, *kv;

	header = cJSON_GetObjectItemCaseSensitive(root, "header");
	if (header != NULL)
		read_header(header, a);
	cJSON_ArrayForEach(kv, cJSON_GetObjectItemCaseSensitive(root, "kvs"))
	    read_kv(kv, false, a);
	cJSON_Delete(root);
	return header != NULL && a->revision > 0;
}

bool etcd_watch_parse(const char *text, size_t len, struct etcd_answer *a)
{
	cJSON *root = parse(text, len, a);
	const cJSON *result = cJSON_GetObjectItemCaseSensitive(root, "result");
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
	const cJSON *ev;
	bool ok = result != NULL || error != NULL;

	read_header(cJSON_GetObjectItemCaseSensitive(result, "header"), a);
	a->canceled = error != NULL || is_true(result, "canceled");
	a->compacted = text_at(result, "compact_revision")[0] != '\0';
	if (a->canceled)
		(void)snprintf(a->error, sizeof(a->error), "%s",
		    error != NULL ? text_at(error, "message")
				  : text_at(result, "cancel_reason"));
	cJSON_ArrayForEach(
	    ev, cJSON_GetObjectItemCaseSensitive(result, "events"))
	{
		const char *type = text_at(ev, "type");

		read_kv(cJSON_GetObjectItemCaseSensitive(ev, "kv"),
		    strcmp(type, "DELETE") == 0, a);
	}
	cJSON_Delete(root);
	return ok;
}
