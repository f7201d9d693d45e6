/*
 * conf_print.c - the key table as an example file and as man page source.
 */
#include "conf_int.h"

#define WIDTH 72

/* Breaks `text` into lines of at most WIDTH bytes, each behind `lead`. */
static void print_wrapped(FILE *out, const char *lead, const char *text)
{
	while (*text != '\0') {
		size_t n = strlen(text), cut = n;

		if (n > WIDTH) {
			cut = WIDTH;
			while (cut > 0 && text[cut] != ' ')
				cut--;
			if (cut == 0)
				cut = WIDTH;
		}
		(void)fprintf(out, "%s%.*s\n", lead, (int)cut, text);
		text += cut;
		while (*text == ' ')
			text++;
	}
}

static const struct conf_example *find_example(
    const char *section, const char *title, const char *name)
{
	const struct conf_example *e = conf_example_table();

	for (; e->section != NULL; e++) {
		if (strcmp(e->section, section) == 0 &&
		    (title == NULL || strcmp(e->title, title) == 0) &&
		    (name == NULL || strcmp(e->name, name) == 0))
			return e;
	}
	return NULL;
}

/* A value that libconfuse takes bare stands bare. */
static bool needs_quotes(const char *value)
{
	return strpbrk(value, "/:,=*") != NULL;
}

/* `first` explains every key, later sections only say what they set. */
static void print_keys(
    FILE *out, const char *section, const char *title, bool first)
{
	const char *in = section[0] != '\0' ? "\t" : "";
	const struct conf_key *k = conf_key_table();

	for (; k->section != NULL; k++) {
		const struct conf_example *e = title != NULL
		    ? find_example(section, title, k->name)
		    : NULL;
		char lead[8], want[CONF_EXPECTED], text[CONF_EXPECTED + 2];

		if (strcmp(k->section, section) != 0 || (!first && e == NULL))
			continue;
		(void)snprintf(lead, sizeof(lead), "%s# ", in);
		if (first) {
			print_wrapped(out, lead, k->help);
			(void)snprintf(
			    text, sizeof(text), "(%s)", conf_expected(k, want));
			print_wrapped(out, lead, text);
		}
		if (e != NULL)
			(void)fprintf(
			    out, "%s%s = %s\n", in, k->name, e->value);
		else if (k->def != NULL)
			(void)fprintf(out,
			    needs_quotes(k->def) ? "%s# %s = \"%s\"\n"
						 : "%s# %s = %s\n",
			    in, k->name, k->def);
		else
			(void)fprintf(out, "%s# %s =\n", in, k->name);
	}
}

static void print_titled(FILE *out, const char *section)
{
	const struct conf_example *e = conf_example_table();
	const char *title = NULL;

	for (; e->section != NULL; e++) {
		bool first = title == NULL;

		if (strcmp(e->section, section) != 0 ||
		    (!first && strcmp(e->title, title) == 0))
			continue;
		title = e->title;
		(void)fprintf(
		    out, "%s%s %s {\n", first ? "" : "\n", section, title);
		print_keys(out, section, title, first);
		(void)fprintf(out, "}\n");
	}
}

void conf_print_example(FILE *out)
{
	const struct conf_section *s = conf_section_table();

	assert(out != NULL);
	print_wrapped(out, "# ",
	    "patroute.conf: one file for both programs. Commented lines show "
	    "the defaults. Check it with `patroute-prober --check`.");
	for (; s->name != NULL; s++) {
		(void)fprintf(out, "\n");
		print_wrapped(out, "# ", s->help);
		if (s->title != NULL) {
			print_titled(out, s->name);
			continue;
		}
		if (s->name[0] != '\0')
			(void)fprintf(out, "%s {\n", s->name);
		print_keys(out, s->name, NULL, true);
		if (s->name[0] != '\0')
			(void)fprintf(out, "}\n");
	}
}

void conf_print_vip(const struct conf *c, FILE *out)
{
	const struct conf_vip *v = &c->vip;

	assert(c != NULL && out != NULL);
	if (v->address[0] != '\0')
		(void)fprintf(out, "address=%s\nprefix=%u\nnic=%s\n",
		    v->address, (unsigned)v->prefix, v->nic);
	for (unsigned i = 0; i < v->host_n; i++)
		(void)fprintf(out, "%s%s", i == 0 ? "hosts=" : " ", v->host[i]);
	if (v->host_n > 0)
		(void)fprintf(out, "\n");
}

/* roff reads a leading dot or quote, a backslash and a bare minus. */
static void print_roff(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		(void)fprintf(out, "\\&");
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			(void)fprintf(out, "\\e");
		else if (*text == '-')
			(void)fprintf(out, "\\-");
		else
			(void)fputc(*text, out);
	}
}

static void print_man_key(FILE *out, const struct conf_key *k)
{
	char want[CONF_EXPECTED];

	(void)fprintf(out, ".TP\n.B %s\n", k->name);
	print_roff(out, k->help);
	(void)fprintf(out, "\n.br\nExpects ");
	print_roff(out, conf_expected(k, want));
	(void)fprintf(out, is_conf_list(k) ? "; a list in braces." : ".");
	if (k->required)
		(void)fprintf(out, " Required.");
	if (k->def != NULL) {
		(void)fprintf(out, " Default: ");
		print_roff(out, k->def);
		(void)fprintf(out, ".");
	}
	(void)fprintf(
	    out, "%s\n", k->reloadable ? "" : " A change needs a restart.");
}

void conf_print_man(FILE *out)
{
	const struct conf_section *s = conf_section_table();
	const struct conf_key *k;

	assert(out != NULL);
	for (; s->name != NULL; s++) {
		if (s->name[0] == '\0')
			(void)fprintf(out, ".SS Top level\n");
		else
			(void)fprintf(out, ".SS %s%s%s { }\n", s->name,
			    s->title != NULL ? " " : "",
			    s->title != NULL ? s->title : "");
		print_roff(out, s->help);
		(void)fprintf(out, "\n");
		for (k = conf_key_table(); k->section != NULL; k++) {
			if (strcmp(k->section, s->name) == 0)
				print_man_key(out, k);
		}
	}
}
