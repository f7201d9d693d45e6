/*
 * conf_scan.c - a pass over the text before libconfuse sees it; conf_int.h.
 *
 * libconfuse 3.3 takes the end of the file for a missing `}`, skips bytes that
 * fit nowhere, puts environment variables into values, and counts the line of a
 * one-line comment more than once. What is left to it here is plain.
 */
#include "conf_int.h"

#define DEPTH_MAX 4

struct scan {
	const struct conf_src *src;
	char *p;
	int line;
	unsigned depth;
	int opened[DEPTH_MAX]; /* the line of each open brace */
};

/* A comment becomes blanks; its newlines stay. False: it never ends. */
static bool blank_comment(struct scan *s)
{
	bool block = s->p[1] == '*' && s->p[0] == '/';
	int from = s->line;

	if (!block) {
		for (; *s->p != '\0' && *s->p != '\n'; s->p++)
			*s->p = ' ';
		return true;
	}
	s->p[0] = s->p[1] = ' ';
	for (; *s->p != '\0'; s->p++) {
		if (s->p[0] == '*' && s->p[1] == '/') {
			s->p[0] = s->p[1] = ' ';
			return true;
		}
		if (*s->p == '\n')
			s->line++;
		else
			*s->p = ' ';
	}
	return conf_fail(s->src, from,
	    "a comment starts here and never ends, expected its */");
}

static bool skip_string(struct scan *s)
{
	char quote = *s->p++;
	int from = s->line;

	for (; *s->p != '\0'; s->p++) {
		if (*s->p == quote) {
			s->p++;
			return true;
		}
		if (*s->p == '\n')
			return conf_fail(s->src, from,
			    "a string is not closed on its line, expected %c",
			    quote);
		if (s->p[0] == '$' && s->p[1] == '{')
			return conf_fail(s->src, s->line,
			    "${ stands in a string, expected a plain value: "
			    "environment variables are not read");
		if (*s->p == '\\' && s->p[1] != '\0' && s->p[1] != '\n')
			s->p++;
	}
	return conf_fail(s->src, from,
	    "a string is not closed at the end of the file, expected %c",
	    quote);
}

static bool take_brace(struct scan *s)
{
	if (*s->p == '{') {
		if (s->depth == DEPTH_MAX)
			return conf_fail(s->src, s->line,
			    "braces nest more than %d deep, expected a section "
			    "or a list",
			    DEPTH_MAX);
		s->opened[s->depth++] = s->line;
	} else if (s->depth-- == 0) {
		return conf_fail(s->src, s->line,
		    "} closes nothing, expected a section or a list before it");
	}
	s->p++;
	return true;
}

static bool take_plain(struct scan *s)
{
	unsigned char c = (unsigned char)*s->p;

	if (c == '*' || c == '$')
		return conf_fail(s->src, s->line,
		    "%c stands outside a string, expected it in quotes", c);
	if (c == '\n')
		s->line++;
	s->p++;
	return true;
}

static bool scan_one(struct scan *s)
{
	switch (*s->p) {
	case '"':
	case '\'':
		return skip_string(s);
	case '{':
	case '}':
		return take_brace(s);
	case '#':
		return blank_comment(s);
	case '/':
		if (s->p[1] == '/' || s->p[1] == '*')
			return blank_comment(s);
		return take_plain(s);
	default:
		return take_plain(s);
	}
}

static bool has_only_text(const struct conf_src *src, const char *text)
{
	int line = 1;

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			line++;
		else if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
			return conf_fail(src, line,
			    "byte 0x%02x is no text, expected a text file", c);
	}
	return true;
}

bool conf_scan(const struct conf_src *src, char *text)
{
	struct scan s = {.src = src, .p = text, .line = 1};

	assert(src != NULL && text != NULL);
	if (!has_only_text(src, text))
		return false;
	while (*s.p != '\0') {
		if (!scan_one(&s))
			return false;
	}
	if (s.depth > 0)
		return conf_fail(src, s.opened[s.depth - 1],
		    "{ is never closed, expected } before the end of the file");
	return true;
}
