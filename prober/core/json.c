/*
 * json.c - see json.h. Called by the decoders only.
 *
 * cJSON recurses once a level and stops at 1,000 of them; a document that
 * reaches the bound is turned away before that.
 */
#include <assert.h>
#include <strings.h>

#include "json.h"
#include "lim.h"
#include "num.h"

#define EXACT 9007199254740992.0 /* 2^53: above it a double skips integers */

/* Brackets outside of strings nest at most LIM_JSON_DEPTH deep. */
static bool is_shallow(struct slice s)
{
	bool in_string = false;
	unsigned depth = 0;
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (in_string) {
			if (s.p[i] == '\\')
				i++;
			else if (s.p[i] == '"')
				in_string = false;
			continue;
		}
		if (s.p[i] == '"')
			in_string = true;
		else if (s.p[i] == '{' || s.p[i] == '[')
			depth++;
		else if ((s.p[i] == '}' || s.p[i] == ']') && depth > 0)
			depth--;
		if (depth > LIM_JSON_DEPTH)
			return false;
	}
	return true;
}

static bool is_blank(const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p != ' ' && *p != '\t' && *p != '\r' && *p != '\n')
			return false;
	}
	return true;
}

cJSON *json_parse(struct slice text)
{
	const char *begin = (const char *)text.p, *end = NULL;
	cJSON *doc;

	if (text.len == 0 || !is_shallow(text))
		return NULL;
	doc = cJSON_ParseWithLengthOpts(begin, text.len, &end, false);
	if (doc == NULL)
		return NULL;
	if (!is_blank(end, begin + text.len)) {
		cJSON_Delete(doc);
		return NULL;
	}
	return doc;
}

const cJSON *json_get(const cJSON *o, const char *key)
{
	assert(key != NULL);
	return cJSON_IsObject(o) ? cJSON_GetObjectItemCaseSensitive(o, key)
				 : NULL;
}

const cJSON *json_first(const cJSON *a)
{
	return cJSON_IsArray(a) ? a->child : NULL;
}

struct slice json_str(const cJSON *o, const char *key)
{
	const cJSON *v = json_get(o, key);

	if (!cJSON_IsString(v) || v->valuestring == NULL)
		return (struct slice){NULL, 0};
	return slice_str(v->valuestring);
}

uint64_t json_u64(const cJSON *o, const char *key)
{
	const cJSON *v = json_get(o, key);
	uint64_t n = 0;

	if (cJSON_IsString(v)) {
		if (!num_u64(json_str(o, key), 0, UINT64_MAX, &n))
			return 0;
		return n;
	}
	/* Written so that a NaN falls out too. */
	if (!cJSON_IsNumber(v) ||
	    !(v->valuedouble >= 0 && v->valuedouble <= EXACT))
		return 0;
	n = (uint64_t)v->valuedouble;
	return (double)n >= v->valuedouble ? n : 0;
}

int64_t json_i64(const cJSON *o, const char *key)
{
	uint64_t n = json_u64(o, key);

	return n <= INT64_MAX ? (int64_t)n : 0;
}

bool is_json_true(const cJSON *o, const char *key)
{
	static const char *const yes[] = {"true", "yes", "on", "1"};
	const cJSON *v = json_get(o, key);
	size_t i;

	if (cJSON_IsNumber(v))
		return v->valuedouble < 0 || v->valuedouble > 0;
	if (!cJSON_IsString(v))
		return cJSON_IsTrue(v);
	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcasecmp(v->valuestring, yes[i]) == 0)
			return true;
	}
	return false;
}
