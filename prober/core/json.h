/*
 * json.h - cJSON behind the bounds that hostile input needs.
 *
 * Depth is limited before cJSON sees a byte, trailing bytes are an error, and
 * getters of a member that is absent or of another type give the caller's
 * "unknown". Pure but for cJSON's allocation.
 */
#ifndef JSON_H
#define JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

/*
 * Gives: the document (end it with cJSON_Delete()), or NULL if it is not one
 * JSON value of at most LIM_JSON_DEPTH levels, or memory is out.
 */
cJSON *json_parse(struct slice text) __attribute__((warn_unused_result));

/* Gives: the first element of an array, NULL if a is none or is empty. */
const cJSON *json_first(const cJSON *a);

/* Gives: an object's member, NULL if o is no object or has none. */
const cJSON *json_get(const cJSON *o, const char *key);

/* Gives: the string's bytes, an empty slice with p NULL if it is none. */
struct slice json_str(const cJSON *o, const char *key);

/*
 * A whole number, or one in a string (etcd's int64), 0..INT64_MAX. A number
 * above 2^53 has lost digits in cJSON and counts as absent.
 * Gives: 0 if absent, negative, broken or no number.
 */
int64_t json_i64(const cJSON *o, const char *key);

/* A 64-bit identifier in a string, 0 if absent. */
uint64_t json_u64(const cJSON *o, const char *key);

/*
 * Truth as Patroni's parse_bool() has it: true, a number that is not 0, or
 * "true", "yes", "on", "1". An absent or broken value is false.
 */
bool is_json_true(const cJSON *o, const char *key);

#endif
