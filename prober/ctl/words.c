/*
 * words.c - see words.h.
 */
#include "words.h"

#include <assert.h>
#include <string.h>

#include "conf_int.h"
#include "json.h"
#include "look.h"
#include "usage.h"

const struct args_option words_own[] = {
    {ARGS_FLAG, "print-words", '\0', NULL, "", 0, 0},
    {ARGS_TEXT, "config", 'c', "FILE", "", 0, 0},
    {ARGS_TEXT, "socket", 's', "PATH", "", 0, 0},
    {.kind = ARGS_END},
};

/* Text of a man page: no line begins a request, no `-` is a hyphen. */
static void put_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '-' || *text == '\\')
			(void)fprintf(out, *text == '-' ? "\\-" : "\\e");
		else if (*text == '.' || *text == '\'')
			(void)fprintf(out, "\\&%c", *text);
		else
			(void)fputc(*text, out);
	}
}

static void man_option(FILE *out, const struct args_option *o)
{
	(void)fputs(".TP\n.B ", out);
	if (o->letter != '\0')
		(void)fprintf(out, "\\-%c, ", o->letter);
	put_text(out, "--");
	put_text(out, o->name);
	if (o->value != NULL) {
		(void)fputs(" \\fI", out);
		put_text(out, o->value);
		(void)fputs("\\fR", out);
	}
	(void)fputc('\n', out);
	put_text(out, o->help);
	(void)fputs(".\n", out);
}

static void man_options(FILE *out, const struct args_option *o)
{
	for (; o != NULL && o->kind != ARGS_END; o++)
		man_option(out, o);
}

void words_man(FILE *out, const struct command *const *commands)
{
	assert(out != NULL && commands != NULL);
	(void)fputs(".SH COMMANDS\n", out);
	for (; *commands != NULL; commands++) {
		const struct command *c = *commands;

		(void)fprintf(out, ".SS %s \\fI", c->name);
		put_text(out, c->operands);
		(void)fputs("\\fR\n", out);
		put_text(out, c->text);
		(void)fputs(".\n", out);
		if (c->more != NULL) {
			put_text(out, c->more);
			(void)fputc('\n', out);
		}
		man_options(out, c->options);
	}
	(void)fputs(".SH OPTIONS\nEvery command has these, behind its name or "
		    "before it.\n",
	    out);
	man_options(out, usage_common);
}

/* They stand on a command line next: none that a shell would read. */
static void put_members(struct ctl *ctl)
{
	cJSON *doc = ctl_topology(ctl);

	for (const cJSON *c = json_first(json_get(doc, "clusters")); c != NULL;
	     c = c->next)
		for (const cJSON *m = json_first(json_get(c, "members"));
		     m != NULL; m = m->next)
			if (is_conf_label(json_str(m, "name")))
				out_line(
				    &ctl->out, "%s", look_text(m, "name", ""));
	cJSON_Delete(doc);
}

/* "MEMBER|classic", "[last|N]": what is not in capitals stands as it is. */
static void put_operands(struct ctl *ctl, const char *operands)
{
	static const char ends[] = "|[] ";

	while (*operands != '\0') {
		size_t n = strcspn(operands, ends);

		if (n == 6 && strncmp(operands, "MEMBER", 6) == 0)
			put_members(ctl);
		else if (n > 0 && operands[0] >= 'a')
			out_line(&ctl->out, "%.*s", (int)n, operands);
		operands += n;
		operands += strspn(operands, ends);
	}
}

void words_of(struct ctl *ctl, const struct command *const *commands,
    const struct command *c)
{
	assert(ctl != NULL && commands != NULL);
	if (c == NULL) {
		out_line(&ctl->out, "help");
		for (; *commands != NULL; commands++)
			out_line(&ctl->out, "%s", (*commands)->name);
		return;
	}
	for (const struct args_option *o = c->options;
	     o != NULL && o->kind != ARGS_END; o++)
		out_line(&ctl->out, "--%s", o->name);
	for (const struct args_option *o = usage_common; o->kind != ARGS_END;
	     o++)
		out_line(&ctl->out, "--%s", o->name);
	put_operands(ctl, c->operands);
}
