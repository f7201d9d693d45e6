/*
 * out.c - lines on standard output; see out.h.
 */
#include "out.h"

#include <assert.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

static const char *const paints[OUT_PAINT_N] = {
    [OUT_PLAIN] = "",
    [OUT_BOLD] = "\033[1m",
    [OUT_GOOD] = "\033[32m",
    [OUT_WARN] = "\033[33m",
    [OUT_BAD] = "\033[31m",
    [OUT_DIM] = "\033[2m",
};

void out_init(struct out *o, FILE *file)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	assert(o != NULL && file != NULL);
	o->file = file;
	o->terminal = isatty(fileno(file)) == 1;
	o->colour = o->terminal && (no == NULL || no[0] == '\0') &&
	    term != NULL && strcmp(term, "dumb") != 0;
	o->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

__attribute__((format(printf, 3, 0))) static void say(
    struct out *o, enum out_paint paint, const char *fmt, va_list ap)
{
	char *raw = NULL, *clean = NULL;
	int n = vasprintf(&raw, fmt, ap);

	assert((int)paint >= 0 && paint < OUT_PAINT_N);
	if (n >= 0)
		clean = malloc(TEXT_CLEAN_MAX((size_t)n));
	if (clean != NULL) {
		bool paints_it = o->colour && paint != OUT_PLAIN && n > 0;

		(void)text_clean(slice_of(raw, (size_t)n), o->utf8, clean,
		    TEXT_CLEAN_MAX((size_t)n));
		if (paints_it)
			(void)fputs(paints[paint], o->file);
		(void)fputs(clean, o->file);
		if (paints_it)
			(void)fputs("\033[0m", o->file);
	}
	free(clean);
	free(n >= 0 ? raw : NULL);
}

void out_part(struct out *o, enum out_paint paint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(o, paint, fmt, ap);
	va_end(ap);
}

void out_line(struct out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(o, OUT_PLAIN, fmt, ap);
	va_end(ap);
	(void)fputc('\n', o->file);
}

void out_json(struct out *o, const char *json)
{
	char *ascii = text_json_ascii(slice_str(json));

	if (ascii == NULL)
		return;
	(void)fputs(ascii, o->file);
	(void)fputc('\n', o->file);
	free(ascii);
}

void out_home(struct out *o)
{
	if (o->terminal)
		(void)fputs("\033[H\033[2J", o->file);
}
