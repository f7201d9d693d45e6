/*
 * out.h - what patroutectl shows: lines and tables on standard output.
 *
 * Everything goes through text_clean(): no name, tag or error text from
 * outside can reach the terminal as anything but text. Colours are used only
 * on a terminal, and not where NO_COLOR is set; lines of tables are drawn in
 * UTF-8 where the locale has it, else in ASCII.
 */
#ifndef OUT_H
#define OUT_H

#include <stdbool.h>
#include <stdio.h>

enum out_paint {
	OUT_PLAIN = 0,
	OUT_BOLD,
	OUT_GOOD, /* green */
	OUT_WARN, /* yellow */
	OUT_BAD,  /* red */
	OUT_DIM,
	OUT_PAINT_N
};

struct out {
	FILE *file;
	bool colour, utf8, terminal;
};

/* Of this file, by its terminal, the environment and the locale. */
void out_init(struct out *o, FILE *file);

/* A piece of a line. */
void out_part(struct out *o, enum out_paint paint, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A whole line, or the last piece of one, plain. */
void out_line(struct out *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* JSON on a line of its own, in ASCII. */
void out_json(struct out *o, const char *json);
/* Empties the screen and begins at its top; nothing where it is no terminal. */
void out_home(struct out *o);

#define TABLE_COLUMNS 16
#define TABLE_ROWS 512
#define TABLE_CELL 240 /* bytes of one cell, cleaned */

struct table_column {
	const char *head;
	bool right;    /* numbers */
	bool optional; /* left out where no row has anything in it */
};

struct table;

/* Needs: columns outlive it, at most TABLE_COLUMNS. Gives: NULL: no memory. */
struct table *table_new(
    const struct out *o, const struct table_column *columns, unsigned n);
void table_free(struct table *t);

/* A new row; false if there are TABLE_ROWS, or memory is out. */
bool table_row(struct table *t);
/* The next cell of the row; those that are not set are empty. */
void table_cell(struct table *t, enum out_paint paint, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void table_print(struct out *o, const struct table *t);

#endif
