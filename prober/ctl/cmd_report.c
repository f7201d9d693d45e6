/*
 * cmd_report.c - `patroutectl report`: the changes of leader, measured.
 */
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "look.h"
#include "num.h"
#include "status.h"
#include "text.h"

static const struct table_column columns[] = {{"Report", true, false},
    {"Cluster", false, false}, {"At", false, false}, {"From", false, false},
    {"To", false, false}, {"Planned", false, false}, {"Writable", true, false},
    {"Routed", true, false}, {"First connection", true, false},
    {"Held", true, false}, {"Longest", true, false}, {"Cut", true, false}};

static void cell_ms(struct table *t, const cJSON *r, const char *key)
{
	char text[TEXT_DUR];

	table_cell(t, OUT_PLAIN, "%s", text_dur(look_num(r, key), text));
}

static void cell_n(struct table *t, const cJSON *r, const char *key)
{
	double n = look_num(r, key);

	table_cell(t, OUT_PLAIN, n < 0 ? "-" : "%.0f", n);
}

static void add_row(struct table *t, const cJSON *r)
{
	const cJSON *held = json_get(r, "held");
	const char *at = look_text(r, "at", "?");
	char clock[STATUS_CLOCK];

	if (!table_row(t))
		return;
	table_cell(t, OUT_BOLD, "%.0f", look_num(r, "id"));
	table_cell(t, OUT_PLAIN, "%s", look_text(r, "cluster", "?"));
	table_cell(t, OUT_PLAIN, "%.10s %s", at, status_clock(at, clock));
	table_cell(t, OUT_PLAIN, "%s", look_text(r, "from", "-"));
	table_cell(t, OUT_PLAIN, "%s", look_text(r, "to", "-"));
	table_cell(t, OUT_PLAIN, "%s", look_true(r, "planned") ? "yes" : "no");
	cell_ms(t, r, "writable_ms");
	cell_ms(t, r, "routed_ms");
	cell_ms(t, r, "first_connection_ms");
	cell_n(t, held, "count");
	cell_ms(t, held, "longest_ms");
	cell_n(t, r, "sessions_closed");
}

static int show_list(struct ctl *ctl)
{
	cJSON *doc = ctl_get(ctl, "/reports");
	const cJSON *r = json_first(json_get(doc, "reports"));
	struct table *t = NULL;

	if (doc == NULL)
		return CTL_FAILED;
	if (ctl->json) {
		ctl_print_json(ctl, doc);
	} else if (r == NULL) {
		out_line(&ctl->out, "%s",
		    "No change of leader since the prober started.");
	} else {
		t = table_new(
		    &ctl->out, columns, sizeof(columns) / sizeof(columns[0]));
	}
	for (; t != NULL && r != NULL; r = r->next)
		if (ctl->only == NULL ||
		    strcmp(look_text(r, "cluster", ""), ctl->only) == 0)
			add_row(t, r);
	if (t != NULL)
		table_print(&ctl->out, t);
	table_free(t);
	cJSON_Delete(doc);
	return CTL_OK;
}

static void line_ms(
    struct ctl *ctl, const cJSON *r, const char *key, const char *what)
{
	char text[TEXT_DUR];
	double ms = look_num(r, key);

	out_line(&ctl->out, "  %-44s %s", what,
	    ms < 0 ? "not seen" : text_dur(ms, text));
}

static void show_classic(struct ctl *ctl, const cJSON *r)
{
	const cJSON *c = json_get(r, "classic");

	if (!cJSON_IsObject(c))
		return;
	out_line(&ctl->out, "%s", "  what the classic way showed meanwhile:");
	for (const cJSON *v = c->child; v != NULL; v = v->next) {
		char text[TEXT_DUR];

		if (cJSON_IsNumber(v) && strstr(v->string, "_ms") != NULL)
			out_line(&ctl->out, "    %-42s %s", v->string,
			    text_dur(v->valuedouble, text));
		else if (cJSON_IsNumber(v))
			out_line(&ctl->out, "    %-42s %.0f", v->string,
			    v->valuedouble);
		else if (cJSON_IsString(v))
			out_line(&ctl->out, "    %-42s %s", v->string,
			    v->valuestring);
	}
}

static void show_one(struct ctl *ctl, const cJSON *r)
{
	struct out *o = &ctl->out;
	const cJSON *held = json_get(r, "held");
	const cJSON *tli = json_first(json_get(r, "timeline"));

	out_part(o, OUT_BOLD, "Report %.0f", look_num(r, "id"));
	out_line(o, "  cluster %s, %s", look_text(r, "cluster", "?"),
	    look_text(r, "at", "?"));
	out_line(o, "%s", look_text(r, "text", ""));
	out_line(o, "  %s from %s to %s",
	    look_true(r, "planned") ? "planned," : "not planned,",
	    look_text(r, "from", "nobody"), look_text(r, "to", "nobody"));
	if (tli != NULL && tli->next != NULL && cJSON_IsNumber(tli) &&
	    cJSON_IsNumber(tli->next))
		out_line(o, "  timeline %.0f, then %.0f", tli->valuedouble,
		    tli->next->valuedouble);
	out_line(o, "%s", "  after the first sign:");
	line_ms(ctl, r, "key_ms", "the leader key moved");
	line_ms(ctl, r, "writable_ms", "the new leader was writable");
	line_ms(ctl, r, "routed_ms", "writes were routed to it");
	line_ms(ctl, r, "seen_ms", "the agents had said so");
	line_ms(
	    ctl, r, "first_connection_ms", "the first connection went there");
	out_line(
	    o, "  %-44s %.0f", "connections held", look_num(held, "count"));
	line_ms(ctl, held, "longest_ms", "the longest of them");
	out_line(
	    o, "  %-44s %.0f", "connections refused", look_num(r, "refused"));
	out_line(o, "  %-44s %.0f", "sessions closed on the old leader",
	    look_num(r, "sessions_closed"));
	show_classic(ctl, r);
}

/* The newest one, or that of a number. */
static const cJSON *find(const cJSON *doc, uint64_t id, bool last)
{
	const cJSON *r = json_first(json_get(doc, "reports"));

	while (r != NULL && !last && (uint64_t)json_i64(r, "id") != id)
		r = r->next;
	return r;
}

static int show_by_name(struct ctl *ctl, const char *which)
{
	bool last = strcmp(which, "last") == 0;
	uint64_t id = 0;
	const cJSON *r;
	cJSON *doc;
	int rc = CTL_OK;

	if (!last && !num_u64(slice_str(which), 0, UINT32_MAX, &id))
		return ctl_fail(ctl,
		    "report: \"%s\" is not possible, expected last or a "
		    "number",
		    which);
	doc = ctl_get(ctl, "/reports");
	if (doc == NULL)
		return CTL_FAILED;
	r = find(doc, id, last);
	if (r == NULL) {
		(void)ctl_fail(ctl,
		    "report %s: there is none, `patroutectl "
		    "report` lists those that are kept",
		    which);
		rc = CTL_NO;
	} else if (ctl->json) {
		ctl_print_json(ctl, r);
	} else {
		show_one(ctl, r);
	}
	cJSON_Delete(doc);
	return rc;
}

static int run(struct ctl *ctl, const struct args *args)
{
	return args->operands == 0 ? show_list(ctl)
				   : show_by_name(ctl, args->operand[0]);
}

const struct command cmd_report = {
    .name = "report",
    .operands = "[last|N]",
    .most = 1,
    .text = "each change of leader: how long what took",
    .more = "Without a word all that are kept (32), newest first.",
    .run = run,
};
