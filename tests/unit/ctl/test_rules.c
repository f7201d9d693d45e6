/*
 * Each rule's sentence, and that the document may hold anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "rules.h"

static const char cluster_of[] =
    "{\"name\":\"main\",\"write\":\"node1\",\"why\":\"leader\","
    "\"usable\":true,\"dcs\":{\"configured\":true,\"synced\":true,"
    "\"leader\":\"node1\",\"leader_age_ms\":12000},\"members\":["
    "{\"name\":\"node1\",\"timeline\":5,\"server\":\"s1\",\"why\":\"leader\","
    "\"evidence\":{\"rest\":{\"rc\":\"ok\",\"ok_age_ms\":5,\"role\":"
    "\"primary\"},\"sql\":{\"rc\":\"ok\",\"ok_age_ms\":4,"
    "\"in_recovery\":false}}},"
    "{\"name\":\"node2\",\"timeline\":4,\"server\":null,\"why\":\"%s\","
    "\"read\":false,\"lag_bytes\":20000000,\"lag_ms\":null,"
    "\"evidence\":{\"rest\":{\"rc\":\"timeout\",\"ok_age_ms\":9000},"
    "\"sql\":{\"rc\":\"ok\",\"ok_age_ms\":4,\"in_recovery\":true}}}]}";

struct found {
	cJSON *doc;
	struct rules r;
};

static void judge(struct found *f, int member, const char *why)
{
	struct conf_cluster conf = {.max_lag = {16 << 20, UINT32_MAX}};
	char text[sizeof(cluster_of) + 32];

	(void)snprintf(text, sizeof(text), cluster_of, why);
	f->doc = cJSON_Parse(text);
	assert_non_null(f->doc);
	rules_of(f->doc,
	    cJSON_GetArrayItem(cJSON_GetObjectItem(f->doc, "members"), member),
	    &conf, &f->r);
	cJSON_Delete(f->doc);
}

static bool says(const struct found *f, enum rule_mark mark, const char *text)
{
	for (unsigned i = 0; i < f->r.n; i++)
		if (strstr(f->r.rule[i].text, text) != NULL)
			return f->r.rule[i].mark == mark;
	return false;
}

static void a_leader(void **state)
{
	struct found f;

	(void)state;
	judge(&f, 0, "replica");
	assert_true(says(&f, RULE_HOLDS, "leader key in etcd names node1"));
	assert_true(says(&f, RULE_HOLDS, "PostgreSQL says that it is out of"));
	assert_true(says(&f, RULE_HOLDS, "So it gets writes"));
	assert_true(says(&f, RULE_BREAKS, "It leads"));
}

static void a_unfit(void **state)
{
	struct found f;

	(void)state;
	judge(&f, 1, "lag-bytes");
	assert_true(says(&f, RULE_BREAKS, "leader key in etcd names node1"));
	assert_true(says(&f, RULE_BREAKS, "does not answer (timeout)"));
	assert_true(says(&f, RULE_BREAKS, "It lags 19.1 MB; up to 16.0 MB"));
	assert_true(says(&f, RULE_BREAKS, "HAProxy here has no server"));
	assert_true(says(&f, RULE_SAID, "node1 on the higher 5"));
	assert_true(says(&f, RULE_BREAKS, "So it gets no reads: it lags by"));
	judge(&f, 1, "noloadbalance");
	assert_true(says(&f, RULE_BREAKS, "It has the tag noloadbalance"));
	judge(&f, 1, "takes-key");
	assert_true(says(&f, RULE_BREAKS, "It takes the leader key"));
	judge(&f, 1, "of-a-later-version");
	assert_true(says(&f, RULE_BREAKS, "no reads: of-a-later-version"));
}

/* No key of the document is taken for granted. */
static void a_empty(void **state)
{
	cJSON *o = cJSON_CreateObject();
	struct rules r;

	(void)state;
	rules_of(o, o, NULL, &r);
	assert_true(r.n > 5 && r.n <= RULES_MAX);
	rules_of(NULL, NULL, NULL, &r);
	assert_true(r.n > 5 && r.n <= RULES_MAX);
	cJSON_Delete(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_leader),
	    cmocka_unit_test(a_unfit),
	    cmocka_unit_test(a_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
