/*
 * usage.c - see usage.h.
 */
#include "usage.h"

#include <assert.h>
#include <string.h>

#define WIDTH 76

const struct args_option usage_common[] = {
    {ARGS_TEXT, "cluster", '\0', "NAME", "of several clusters this one alone",
	0, 0},
    {ARGS_FLAG, "json", '\0', NULL, "the machine's form of the answer", 0, 0},
    {ARGS_TEXT, "config", 'c', "FILE",
	"the configuration, default /etc/patroute/patroute.conf", 0, 0},
    {ARGS_TEXT, "socket", 's', "PATH",
	"the prober's HTTP socket, default prober.http_socket", 0, 0},
    {ARGS_FLAG, "help", 'h', NULL, "this text", 0, 0},
    {.kind = ARGS_END},
};

/* Words up to the width of a page. */
static void show_text(struct out *o, const char *text)
{
	while (text[0] != '\0') {
		size_t n = strlen(text), cut = n;

		if (n > WIDTH)
			for (cut = WIDTH; cut > 0 && text[cut] != ' ';)
				cut--;
		if (cut == 0)
			cut = n;
		out_line(o, "%.*s", (int)cut, text);
		text += cut;
		text += strspn(text, " ");
	}
}

static void show_option(struct out *o, const struct args_option *a)
{
	char left[64];

	(void)snprintf(left, sizeof(left), "%c%c%s --%s%s%s",
	    a->letter != '\0' ? '-' : ' ', a->letter != '\0' ? a->letter : ' ',
	    a->letter != '\0' ? "," : " ", a->name, a->value != NULL ? " " : "",
	    a->value != NULL ? a->value : "");
	out_line(o, "  %-30s %s", left, a->help);
}

void usage_all(struct out *o, const struct command *const *commands)
{
	assert(commands != NULL);
	out_line(o, "%s", "usage: patroutectl COMMAND [options] …");
	out_line(o, "%s", "       patroutectl help COMMAND");
	out_line(o, "%s", "       patroutectl --version");
	out_line(o, "%s", "");
	for (; *commands != NULL; commands++) {
		const struct command *c = *commands;
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%s%s", c->name,
		    c->operands[0] != '\0' ? " " : "", c->operands);
		out_line(o, "  %-26s %s", left, c->text);
	}
	out_line(o, "%s", "");
	for (const struct args_option *a = usage_common; a->kind != ARGS_END;
	     a++)
		show_option(o, a);
	out_line(o, "%s", "");
	show_text(o,
	    "The exit status is 0 if all is well, 1 if the answer is "
	    "no or something is unhealthy, 2 if the command was not "
	    "understood or nobody could be asked.");
}

void usage_command(struct out *o, const struct command *c)
{
	assert(c != NULL);
	out_line(o, "usage: patroutectl %s [options]%s%s", c->name,
	    c->operands[0] != '\0' ? " " : "", c->operands);
	out_line(o, "%s", "");
	show_text(o, c->text);
	if (c->more != NULL) {
		out_line(o, "%s", "");
		show_text(o, c->more);
	}
	out_line(o, "%s", "");
	for (const struct args_option *a = c->options;
	     a != NULL && a->kind != ARGS_END; a++)
		show_option(o, a);
	for (const struct args_option *a = usage_common; a->kind != ARGS_END;
	     a++)
		show_option(o, a);
}
