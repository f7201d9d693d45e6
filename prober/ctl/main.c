/*
 * main.c - patroutectl: asks this host's prober, and steers it.
 *
 * A table of commands; each is a file of its own (cmd_*.c).
 */
#include <curl/curl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "usage.h"
#include "words.h"

#define CONF_PATH "/etc/patroute/patroute.conf"

static const struct command *const commands[] = {
    &cmd_status,
    &cmd_watch,
    &cmd_explain,
    &cmd_events,
    &cmd_report,
    &cmd_drain,
    &cmd_undrain,
    &cmd_force,
    &cmd_unforce,
    &cmd_hold,
    &cmd_resume,
    &cmd_observe,
    &cmd_who,
    &cmd_render,
    &cmd_doctor,
    &cmd_init,
    NULL,
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; commands[i] != NULL; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int unknown(const struct ctl *ctl, const char *name)
{
	(void)ctl_fail(ctl,
	    "%s: no such command, `patroutectl help` lists "
	    "them",
	    name);
	return CTL_FAILED;
}

static int help(struct ctl *ctl, const char *name)
{
	const struct command *c;

	if (name == NULL) {
		usage_all(&ctl->out, commands);
		return CTL_OK;
	}
	c = find(name);
	if (c == NULL)
		return unknown(ctl, name);
	usage_command(&ctl->out, c);
	return CTL_OK;
}

static int run(struct ctl *ctl, const struct command *c, int argc, char **argv)
{
	struct args a;

	if (!args_parse(&a, c->options, usage_common, argc, argv))
		return ctl_fail(ctl, "%s: %s", c->name, a.wrong);
	if (is_arg(&a, "help"))
		return help(ctl, c->name);
	if (is_arg(&a, "config"))
		ctl->conf_path = args_text(&a, "config");
	if (is_arg(&a, "socket"))
		ctl->socket = args_text(&a, "socket");
	if (is_arg(&a, "cluster"))
		ctl->only = args_text(&a, "cluster");
	ctl->json = ctl->json || is_arg(&a, "json");
	if (a.operands < c->least || a.operands > c->most)
		return ctl_fail(ctl, "usage: patroutectl %s [options]%s%s",
		    c->name, c->operands[0] != '\0' ? " " : "", c->operands);
	return c->run(ctl, &a);
}

/* Options that stand before the command's name. Gives: where it stands. */
static int first_word(int argc, char **argv)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
		bool takes = strcmp(argv[i], "-c") == 0 ||
		    strcmp(argv[i], "-s") == 0 ||
		    strcmp(argv[i], "--config") == 0 ||
		    strcmp(argv[i], "--socket") == 0 ||
		    strcmp(argv[i], "--cluster") == 0;

		i += takes ? 2 : 1;
	}
	return i < argc ? i : argc;
}

/* The command's name goes to the front: the rest are its options. */
static void rotate(char **argv, int at)
{
	char *name = argv[at];

	for (; at > 1; at--)
		argv[at] = argv[at - 1];
	argv[1] = name;
}

/* One of the words before the command's name, or instead of it. */
static bool has(int argc, char **argv, const char *word)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], word) == 0)
			return true;
	return false;
}

/* `argv` up to the command: which prober knows the members. */
static int print_words(struct ctl *ctl, const char *name, int argc, char **argv)
{
	const struct command *c = name != NULL ? find(name) : NULL;
	struct args a;

	if (args_parse(&a, NULL, words_own, argc, argv)) {
		ctl->socket = args_text(&a, "socket");
		if (is_arg(&a, "config"))
			ctl->conf_path = args_text(&a, "config");
	}
	if (name == NULL || c != NULL)
		words_of(ctl, commands, c);
	return CTL_OK;
}

/* What needs no prober. Gives: -1 if it is something else. */
static int talk(struct ctl *ctl, int argc, char **argv, int at)
{
	const char *name = at < argc ? argv[at] : NULL;

	if (has(at, argv, "--print-words"))
		return print_words(ctl, name, at, argv);
	if (name != NULL && strcmp(name, "help") == 0)
		return help(ctl, at + 1 < argc ? argv[at + 1] : NULL);
	if (name != NULL)
		return find(name) != NULL ? -1 : unknown(ctl, name);
	if (has(argc, argv, "--version") || has(argc, argv, "-v")) {
		out_line(&ctl->out, "patroutectl %s", PATROUTE_VERSION);
		return CTL_OK;
	}
	if (has(argc, argv, "--print-man")) {
		words_man(stdout, commands);
		return CTL_OK;
	}
	if (has(argc, argv, "--help") || has(argc, argv, "-h"))
		return help(ctl, NULL);
	if (argc > 1)
		return unknown(ctl, argv[1]);
	(void)help(ctl, NULL);
	return CTL_FAILED;
}

int main(int argc, char **argv)
{
	struct ctl ctl = {.conf_path = CONF_PATH};
	int at = first_word(argc, argv), rc;

	/* Characters alone: numbers stay as JSON and scripts have them. */
	(void)setlocale(LC_CTYPE, "");
	out_init(&ctl.out, stdout);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return ctl_fail(&ctl, "cannot start libcurl");
	ctl.http = ctl_http_new();
	if (ctl.http == NULL)
		return ctl_fail(&ctl, "cannot start libcurl");
	rc = talk(&ctl, argc, argv, at);
	if (rc == -1) {
		const struct command *c = find(argv[at]);

		rotate(argv, at);
		rc = run(&ctl, c, argc - 1, argv + 1);
	}
	ctl_http_free(ctl.http);
	conf_free(ctl.conf);
	curl_global_cleanup();
	if (fflush(stdout) != 0 || ferror(stdout))
		return CTL_FAILED;
	return rc;
}
