/*
 * sse.c - see sse.h. Called by `events --follow`.
 *
 * Of the fields only data counts: each event's JSON holds the others.
 */
#include "sse.h"

#include <assert.h>
#include <string.h>

static void take_data(struct sse *s, const char *p, size_t len)
{
	if (len > 0 && p[0] == ' ') {
		p++;
		len--;
	}
	/* Several lines of data are one text, with line feeds between. */
	if (s->has_data && s->data_len < sizeof(s->data))
		s->data[s->data_len++] = '\n';
	s->has_data = true;
	if (len > sizeof(s->data) - s->data_len) {
		s->data_long = true;
		return;
	}
	memcpy(s->data + s->data_len, p, len);
	s->data_len += len;
}

/* The line is whole. Gives: does it end an event that has data? */
static bool end_line(struct sse *s, struct slice *data)
{
	static const char field[] = "data:";
	bool ends = s->line_len == 0 && !s->line_long && s->has_data;
	bool whole = ends && !s->data_long;

	if (s->line_long)
		s->data_long = true;
	else if (s->line_len >= sizeof(field) - 1 &&
	    memcmp(s->line, field, sizeof(field) - 1) == 0)
		take_data(s, s->line + sizeof(field) - 1,
		    s->line_len - (sizeof(field) - 1));
	if (s->line_len == 0 && !s->line_long) {
		*data = slice_of(s->data, whole ? s->data_len : 0);
		s->has_data = s->data_long = false;
		s->data_len = 0;
	}
	s->line_len = 0;
	s->line_long = false;
	return whole;
}

bool sse_next(struct sse *s, struct slice *in, struct slice *data)
{
	assert(s != NULL && in != NULL && data != NULL);
	while (in->len > 0) {
		char c = (char)in->p[0];
		bool ends = c == '\r' || (c == '\n' && !s->was_cr);

		*in = slice_skip(*in, 1);
		if (c == '\n' && s->was_cr) {
			s->was_cr = false; /* the second half of \r\n */
			continue;
		}
		s->was_cr = c == '\r';
		if (ends) {
			if (end_line(s, data))
				return true;
		} else if (s->line_len < sizeof(s->line)) {
			s->line[s->line_len++] = c;
		} else {
			s->line_long = true;
		}
	}
	return false;
}
