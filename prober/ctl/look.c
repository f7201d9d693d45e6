/*
 * look.c - see look.h.
 */
#include "look.h"

#include <string.h>

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

const cJSON *look_cluster(const cJSON *topology, const char *name)
{
	const cJSON *c = json_first(json_get(topology, "clusters"));

	while (c != NULL && strcmp(look_text(c, "name", ""), name) != 0)
		c = c->next;
	return c;
}
