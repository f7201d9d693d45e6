/*
 * args.c - options by getopt_long(); see args.h.
 */
#include "args.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lim.h"
#include "num.h"
#include "text.h"

bool args_dur(const char *text, int64_t min_us, int64_t max_us, int64_t *us)
{
	char whole[LIM_NAME];
	struct dur d;
	size_t n;

	assert(text != NULL && us != NULL);
	n = strlen(text);
	/* A minute is "min" in patroute.conf, and "m" to many. */
	if (n > 1 && text[n - 1] == 'm' && n + 2 < sizeof(whole)) {
		(void)snprintf(whole, sizeof(whole), "%sin", text);
		text = whole;
	}
	if (!num_dur(slice_str(text), dur_us(min_us), dur_us(max_us), &d))
		return false;
	*us = d.us;
	return true;
}

static void wrong(struct args *a, const struct args_option *o,
    const char *value, const char *expected)
{
	char clean[96];

	(void)text_clean(slice_str(value), false, clean, sizeof(clean));
	(void)snprintf(a->wrong, sizeof(a->wrong),
	    "--%s: \"%s\" is not possible, expected %s", o->name, clean,
	    expected);
}

static bool store(struct args *a, unsigned i, const char *value)
{
	const struct args_option *o = a->option[i];
	char bounds[96];
	uint64_t n = 0;

	a->value[i] = value != NULL ? value : "";
	switch (o->kind) {
	case ARGS_FLAG:
	case ARGS_TEXT:
		return true;
	case ARGS_NUMBER:
		if (num_u64(slice_str(value), (uint64_t)o->min,
			(uint64_t)o->max, &n)) {
			a->number[i] = (int64_t)n;
			return true;
		}
		(void)snprintf(bounds, sizeof(bounds),
		    "a number from %lld to %lld", (long long)o->min,
		    (long long)o->max);
		wrong(a, o, value, bounds);
		return false;
	case ARGS_DURATION:
		if (args_dur(value, o->min, o->max, &a->number[i]))
			return true;
		(void)snprintf(bounds, sizeof(bounds),
		    "a duration from %llds to %lldd, as 90s, 10min, 1h",
		    (long long)(o->min / 1000000),
		    (long long)(o->max / 86400000000));
		wrong(a, o, value, bounds);
		return false;
	case ARGS_END:
		break;
	}
	assert(false && "no kind of option");
	return false;
}

static void add_table(struct args *a, const struct args_option *o)
{
	for (; o != NULL && o->kind != ARGS_END; o++) {
		assert(a->options < ARGS_OPTIONS);
		a->option[a->options++] = o;
	}
}

/* getopt_long()'s tables. */
static void make_getopt(const struct args *a,
    struct option known[static ARGS_OPTIONS + 1],
    char letters[static 2 * ARGS_OPTIONS + 2])
{
	size_t n = 0;

	letters[n++] = ':'; /* we say what is wrong, not getopt */
	for (unsigned i = 0; i < a->options; i++) {
		const struct args_option *o = a->option[i];
		bool takes = o->kind != ARGS_FLAG;

		known[i] = (struct option){o->name,
		    takes ? required_argument : no_argument, NULL,
		    (int)(256 + i)};
		if (o->letter == '\0')
			continue;
		letters[n++] = o->letter;
		if (takes)
			letters[n++] = ':';
	}
	letters[n] = '\0';
	known[a->options] = (struct option){NULL, 0, NULL, 0};
}

static bool unknown(struct args *a, int c, const char *word)
{
	char clean[96];

	(void)text_clean(slice_str(word), false, clean, sizeof(clean));
	(void)snprintf(a->wrong, sizeof(a->wrong),
	    c == ':' ? "%s: expected a value behind it" : "%s: no such option",
	    clean);
	return false;
}

static unsigned by_letter(const struct args *a, int c)
{
	unsigned i = 0;

	while (i < a->options && a->option[i]->letter != c)
		i++;
	assert(i < a->options);
	return i;
}

bool args_parse(struct args *a, const struct args_option *own,
    const struct args_option *common, int argc, char **argv)
{
	struct option known[ARGS_OPTIONS + 1];
	char letters[2 * ARGS_OPTIONS + 2];
	int c;

	memset(a, 0, sizeof(*a));
	add_table(a, own);
	add_table(a, common);
	make_getopt(a, known, letters);
	optind = 0; /* begin anew: glibc's word for it */
	opterr = 0;
	while ((c = getopt_long(argc, argv, letters, known, NULL)) != -1) {
		unsigned i;

		if (c == '?' || c == ':')
			return unknown(a, c, argv[optind - 1]);
		i = c >= 256 ? (unsigned)(c - 256) : by_letter(a, c);
		if (!store(a, i, optarg))
			return false;
	}
	for (; optind < argc; optind++) {
		if (a->operands == ARGS_OPERANDS) {
			(void)snprintf(a->wrong, sizeof(a->wrong),
			    "more than %d words", ARGS_OPERANDS);
			return false;
		}
		a->operand[a->operands++] = argv[optind];
	}
	return true;
}

static unsigned find(const struct args *a, const char *name)
{
	for (unsigned i = 0; i < a->options; i++)
		if (strcmp(a->option[i]->name, name) == 0)
			return i;
	assert(false && "no such option in the table");
	return 0;
}

bool is_arg(const struct args *a, const char *name)
{
	return a->value[find(a, name)] != NULL;
}

const char *args_text(const struct args *a, const char *name)
{
	return a->value[find(a, name)];
}

int64_t args_number(const struct args *a, const char *name, int64_t otherwise)
{
	unsigned i = find(a, name);

	return a->value[i] != NULL ? a->number[i] : otherwise;
}
