/*
 * table.c - tables as `patronictl list` draws them; see out.h.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "out.h"
#include "text.h"

struct cell {
	char text[TABLE_CELL];
	size_t columns;
	enum out_paint paint;
};

struct table {
	const struct table_column *column;
	unsigned columns, rows, next; /* next: cell of the last row */
	bool utf8;
	struct cell *cell[TABLE_ROWS]; /* `columns` of them each */
};

struct table *table_new(
    const struct out *o, const struct table_column *columns, unsigned n)
{
	struct table *t = calloc(1, sizeof(*t));

	assert(o != NULL && columns != NULL && n > 0 && n <= TABLE_COLUMNS);
	if (t == NULL)
		return NULL;
	t->column = columns;
	t->columns = n;
	t->utf8 = o->utf8;
	return t;
}

void table_free(struct table *t)
{
	if (t == NULL)
		return;
	for (unsigned i = 0; i < t->rows; i++)
		free(t->cell[i]);
	free(t);
}

bool table_row(struct table *t)
{
	if (t->rows == TABLE_ROWS)
		return false;
	t->cell[t->rows] = calloc(t->columns, sizeof(struct cell));
	if (t->cell[t->rows] == NULL)
		return false;
	t->rows++;
	t->next = 0;
	return true;
}

void table_cell(struct table *t, enum out_paint paint, const char *fmt, ...)
{
	char raw[TABLE_CELL];
	struct cell *c;
	va_list ap;

	assert(t->rows > 0 && t->next < t->columns);
	c = &t->cell[t->rows - 1][t->next++];
	va_start(ap, fmt);
	(void)vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	c->paint = paint;
	c->columns =
	    text_clean(slice_str(raw), t->utf8, c->text, sizeof(c->text));
}

/* Gives: how wide it is to be drawn, 0: not at all. */
static size_t width(const struct table *t, unsigned column)
{
	const char *head = t->column[column].head;
	size_t most = 0;

	for (unsigned i = 0; i < t->rows; i++)
		if (t->cell[i][column].columns > most)
			most = t->cell[i][column].columns;
	if (most == 0 && t->column[column].optional)
		return 0;
	return most > strlen(head) ? most : strlen(head);
}

enum edge {
	EDGE_TOP = 0,
	EDGE_MIDDLE,
	EDGE_BOTTOM
};

static void draw_edge(struct out *o, const struct table *t, enum edge edge)
{
	static const char *const corner[][3] = {
	    {"┌", "┬", "┐"}, {"├", "┼", "┤"}, {"└", "┴", "┘"}};
	bool first = true;

	for (unsigned i = 0; i < t->columns; i++) {
		size_t w = width(t, i);

		if (w == 0)
			continue;
		(void)fputs(
		    !t->utf8 ? "+" : corner[edge][first ? 0 : 1], o->file);
		first = false;
		for (size_t k = 0; k < w + 2; k++)
			(void)fputs(t->utf8 ? "─" : "-", o->file);
	}
	(void)fputs(!t->utf8 ? "+\n" : corner[edge][2], o->file);
	if (t->utf8)
		(void)fputc('\n', o->file);
}

static void draw_cell(
    struct out *o, size_t wide, bool right, const struct cell *c)
{
	size_t pad = wide - c->columns;

	for (size_t k = 0; right && k < pad; k++)
		(void)fputc(' ', o->file);
	out_part(o, c->paint, "%s", c->text);
	for (size_t k = 0; !right && k < pad; k++)
		(void)fputc(' ', o->file);
}

static void draw_row(
    struct out *o, const struct table *t, const struct cell *row)
{
	const char *bar = t->utf8 ? "│" : "|";

	for (unsigned i = 0; i < t->columns; i++) {
		size_t w = width(t, i);

		if (w == 0)
			continue;
		(void)fprintf(o->file, "%s ", bar);
		draw_cell(o, w, t->column[i].right, &row[i]);
		(void)fputc(' ', o->file);
	}
	(void)fprintf(o->file, "%s\n", bar);
}

void table_print(struct out *o, const struct table *t)
{
	struct cell head[TABLE_COLUMNS] = {{.columns = 0}};

	assert(o != NULL && t != NULL);
	for (unsigned i = 0; i < t->columns; i++) {
		head[i].paint = OUT_BOLD;
		head[i].columns = text_clean(slice_str(t->column[i].head),
		    t->utf8, head[i].text, TABLE_CELL);
	}
	draw_edge(o, t, EDGE_TOP);
	draw_row(o, t, head);
	draw_edge(o, t, EDGE_MIDDLE);
	for (unsigned i = 0; i < t->rows; i++)
		draw_row(o, t, t->cell[i]);
	draw_edge(o, t, EDGE_BOTTOM);
}
