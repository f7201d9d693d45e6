/*
 * cmd_explain.c - `patroutectl explain MEMBER` and `explain connect`.
 */
#include <string.h>

#include "ctl.h"
#include "explain.h"
#include "json.h"
#include "look.h"
#include "rules.h"

static const struct args_option options[] = {
    {ARGS_NUMBER, "port", 'p', "PORT", "connect: HAProxy's port", 1, 65535},
    {ARGS_TEXT, "options", 'o', "TEXT",
	"connect: libpq's options, \"-c patroute.target=primary\"", 0, 0},
    {ARGS_TEXT, "user", 'U', "NAME", "connect: the role", 0, 0},
    {ARGS_TEXT, "database", 'd', "NAME", "connect: the database", 0, 0},
    {ARGS_TEXT, "application-name", 'a', "NAME", "connect: application_name", 0,
	0},
    {ARGS_TEXT, "sni", '\0', "NAME", "connect: direct TLS to this host name", 0,
	0},
    {ARGS_FLAG, "tls", '\0', NULL,
	"connect: asks for TLS first, as libpq does by default", 0, 0},
    {ARGS_FLAG, "replication", '\0', NULL, "connect: a replication connection",
	0, 0},
    {.kind = ARGS_END},
};

static const char *mark_name(enum rule_mark m)
{
	return m == RULE_HOLDS ? "yes" : m == RULE_BREAKS ? "no" : "-";
}

static void show_rules(struct ctl *ctl, const struct rules *r, bool of_reads)
{
	static const enum out_paint paint[] = {[RULE_SAID] = OUT_DIM,
	    [RULE_HOLDS] = OUT_GOOD,
	    [RULE_BREAKS] = OUT_BAD};

	out_part(&ctl->out, OUT_BOLD, of_reads ? "Reads" : "Writes");
	out_line(&ctl->out, "%s", "");
	for (unsigned i = 0; i < r->n; i++) {
		if (r->rule[i].of_reads != of_reads)
			continue;
		out_part(&ctl->out, paint[r->rule[i].mark], "  %-3s ",
		    mark_name(r->rule[i].mark));
		out_line(&ctl->out, "%s", r->rule[i].text);
	}
}

static void print_rules(struct ctl *ctl, const cJSON *cluster, const cJSON *m,
    bool serves, const struct rules *r)
{
	cJSON *doc = cJSON_CreateObject(), *list;

	(void)cJSON_AddStringToObject(
	    doc, "cluster", look_text(cluster, "name", ""));
	(void)cJSON_AddStringToObject(doc, "member", look_text(m, "name", ""));
	(void)cJSON_AddBoolToObject(doc, "serves", serves);
	(void)cJSON_AddStringToObject(doc, "why", look_text(m, "why", ""));
	list = cJSON_AddArrayToObject(doc, "rules");
	for (unsigned i = 0; i < r->n; i++) {
		cJSON *o = cJSON_CreateObject();

		(void)cJSON_AddItemToArray(list, o);
		(void)cJSON_AddStringToObject(
		    o, "of", r->rule[i].of_reads ? "reads" : "writes");
		if (r->rule[i].mark == RULE_SAID)
			(void)cJSON_AddNullToObject(o, "holds");
		else
			(void)cJSON_AddBoolToObject(
			    o, "holds", r->rule[i].mark == RULE_HOLDS);
		(void)cJSON_AddStringToObject(o, "text", r->rule[i].text);
	}
	ctl_print_json(ctl, doc);
	cJSON_Delete(doc);
}

static int explain_member(struct ctl *ctl, const char *name)
{
	cJSON *doc = ctl_topology(ctl);
	const cJSON *c = doc != NULL ? ctl_one_cluster(ctl, doc) : NULL;
	const cJSON *m = c != NULL ? ctl_member(ctl, c, name) : NULL;
	int rc = CTL_FAILED;

	if (m != NULL) {
		struct rules r;
		bool serves = look_true(m, "read") ||
		    strcmp(look_text(c, "write", ""), name) == 0;

		rules_of(c, m, ctl_conf_cluster(ctl, c), &r);
		if (ctl->json) {
			print_rules(ctl, c, m, serves, &r);
		} else {
			show_rules(ctl, &r, false);
			show_rules(ctl, &r, true);
		}
		rc = serves ? CTL_OK : CTL_NO;
	}
	cJSON_Delete(doc);
	return rc;
}

static int run(struct ctl *ctl, const struct args *args)
{
	if (strcmp(args->operand[0], "connect") == 0)
		return explain_connect(ctl, args);
	return explain_member(ctl, args->operand[0]);
}

const struct command cmd_explain = {
    .name = "explain",
    .operands = "MEMBER|connect",
    .least = 1,
    .most = 1,
    .text = "why a member serves or not; where a connection would go",
    .more = "`explain MEMBER` goes through the rules of writes and of reads "
	    "with what is known of it; the exit status is 0 if it serves. "
	    "`explain connect --port PORT` builds the packet that an "
	    "application would send and decides for it as the agent does, by "
	    "the prober's present snapshot; 0 if it is routed.",
    .options = options,
    .run = run,
};
