/*
 * doctor.c - the list of findings, and what several rules share.
 */
#include "doctor.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void doctor_say(struct doctor *d, enum doctor_level level, const char *todo,
    const char *fmt, ...)
{
	struct doctor_finding *f;
	va_list ap;

	assert(d != NULL && d->found != NULL && d->area != NULL);
	if (d->n == DOCTOR_MAX)
		return;
	f = &d->found[d->n++];
	f->level = level;
	f->area = d->area;
	f->todo = todo;
	(void)snprintf(f->cluster, sizeof(f->cluster), "%s",
	    d->cluster != NULL ? d->cluster : "");
	va_start(ap, fmt);
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

int doctor_version(const char *text)
{
	int part[3] = {0, 0, 0}, n = 0;
	bool digit = false;

	assert(text != NULL);
	for (; n < 3; text++) {
		if (*text >= '0' && *text <= '9' && part[n] < 100) {
			part[n] = part[n] * 10 + (*text - '0');
			digit = true;
		} else if (*text == '.' && digit) {
			n++;
			digit = false;
		} else {
			break;
		}
	}
	if (part[0] == 0 || part[0] > 99 || part[1] > 99 || part[2] > 99 ||
	    (n == 0 && !digit))
		return 0;
	return part[0] * 10000 + part[1] * 100 + part[2];
}
