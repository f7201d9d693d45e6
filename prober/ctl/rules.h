/*
 * rules.h - the rules of writes and reads, one sentence each, for one member.
 *
 * Pure: over a cluster of /topology. The prober has judged already; this says
 * by what, so that the reason can be followed. Foreign text is in the
 * sentences as it came: whoever shows them cleans them.
 */
#ifndef RULES_H
#define RULES_H

#include <cjson/cJSON.h>

#include "conf.h"

#define RULES_MAX 24
#define RULES_TEXT 240

enum rule_mark {
	RULE_SAID = 0, /* neither for nor against it */
	RULE_HOLDS,
	RULE_BREAKS
};

struct rule {
	bool of_reads;
	enum rule_mark mark;
	char text[RULES_TEXT];
};

struct rules {
	unsigned n;
	struct rule rule[RULES_MAX];
};

/* `conf`: the cluster's bounds, NULL where they are not known. */
void rules_of(const cJSON *cluster, const cJSON *member,
    const struct conf_cluster *conf, struct rules *out);

#endif
