/*
 * look.h - what stands in a JSON document, with a word for what does not.
 */
#ifndef LOOK_H
#define LOOK_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/* Gives: the string, or `otherwise` where there is none, or null. */
const char *look_text(const cJSON *o, const char *key, const char *otherwise);
/* Gives: the number, or -1. */
double look_num(const cJSON *o, const char *key);
bool look_true(const cJSON *o, const char *key);
/* Gives: the cluster of that name in /topology, or NULL. */
const cJSON *look_cluster(const cJSON *topology, const char *name);

#endif
