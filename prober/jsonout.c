/*
 * jsonout.c - see jsonout.h. Called by who writes events and reports.
 */
#include "jsonout.h"

#include <assert.h>
#include <time.h>

void jsonout_str(FILE *f, const char *s)
{
	if (s == NULL) {
		(void)fputs("null", f);
		return;
	}
	(void)fputc('"', f);
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			(void)fprintf(f, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			(void)fprintf(f, "\\u%04x", c);
		else
			(void)fputc(c, f);
	}
	(void)fputc('"', f);
}

void jsonout_key(FILE *f, bool *first, const char *key)
{
	assert(first != NULL && key != NULL);
	(void)fprintf(f, "%s\"%s\":", *first ? "" : ",", key);
	*first = false;
}

const char *jsonout_time(int64_t at_ms, char buf[static JSONOUT_TIME])
{
	time_t s = (time_t)(at_ms / 1000);
	struct tm tm;
	size_t n = 0;

	if (gmtime_r(&s, &tm) != NULL)
		n = strftime(buf, JSONOUT_TIME, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(buf + n, JSONOUT_TIME - n, ".%03dZ",
	    (int)((at_ms % 1000 + 1000) % 1000));
	return buf;
}
