/*
 * who.c - the question every connection asks, and its answer.
 */
#include "meter.h"

#include "answers.h"
#include "clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_made_of(const char *s, const char *chars)
{
	size_t n = strlen(s);

	return n > 0 && n < METER_NAME && strspn(s, chars) == n;
}

#define PLAIN \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

bool is_word(const char *s)
{
	return is_made_of(s, PLAIN);
}

bool is_label(const char *s)
{
	return is_made_of(s, PLAIN " ");
}

void who_query(const struct meter *m, enum kind kind, const char *label,
    int64_t seq, char sql[static METER_SQL])
{
	int n;

	assert(is_label(label) && is_word(m->table) && is_word(m->run));
	if (kind == KIND_WRITE)
		n = snprintf(sql, METER_SQL,
		    ANSWERS_ASK
		    ";INSERT INTO %s(run,label,seq,node,txid) VALUES("
		    "'%s','%s',%" PRId64
		    ",inet_server_addr(),txid_current()) RETURNING txid",
		    m->table, m->run, label, seq);
	else
		n = snprintf(sql, METER_SQL, ANSWERS_ASK);
	assert(n > 0 && n < METER_SQL);
	(void)n;
}

void who_row(struct who *w, const struct pgw_msg *row)
{
	char text[48];
	char rec[4];

	if (w->at_ns == 0) {
		w->at_ns = clock_now_ns();
		if (pgw_column(row, 0, text, sizeof(text)))
			(void)snprintf(w->addr, sizeof(w->addr), "%.*s",
			    (int)strcspn(text, "/"), text);
		if (pgw_column(row, 1, rec, sizeof(rec)))
			w->in_recovery = rec[0] == 't';
		return;
	}
	if (pgw_column(row, 0, text, sizeof(text)))
		w->txid = strtoll(text, NULL, 10);
}
