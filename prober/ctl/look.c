/*
 * look.c - see look.h.
 */
#include "look.h"

#include "json.h"

const char *look_text(const cJSON *o, const char *key, const char *otherwise)
{
	const cJSON *v = json_get(o, key);

	return cJSON_IsString(v) && v->valuestring != NULL ? v->valuestring
							   : otherwise;
}

double look_num(const cJSON *o, const char *key)
{
	const cJSON *v = json_get(o, key);

	return cJSON_IsNumber(v) ? v->valuedouble : -1;
}

bool look_true(const cJSON *o, const char *key)
{
	return cJSON_IsTrue(json_get(o, key));
}

int look_n(const cJSON *o, const char *key)
{
	const cJSON *v = json_get(o, key);

	return cJSON_IsArray(v) ? cJSON_GetArraySize(v) : 0;
}
