/*
 * place.h - one rendered file: as it is now, as it is to be, and put in place.
 */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "lim.h"

struct place {
	const char *path;
	char *next;           /* what it is to be; heap, ours to free */
	char *now;            /* what it is, NULL: there is none */
	char tried[LIM_TEXT]; /* where the new text lies to be tried */
	bool is_changed;
	bool is_edited; /* by somebody else than us, after the last time */
};

/* Reads what is there. Gives: NULL, or why not, in one sentence of `why`. */
bool place_read(struct place *p, char why[static LIM_TEXT])
    __attribute__((warn_unused_result));
void place_done(struct place *p);

/* Writes the new text to FOLDER/NAME. */
bool place_try(struct place *p, const char *folder, const char *name)
    __attribute__((warn_unused_result));

/*
 * A file beside it, NAME.unread: HAProxy may not have read what stands there.
 * Of the instant between the file and HAProxy's reload nothing else remains.
 */
bool is_place_unread(const struct place *p);
bool place_mark_unread(const struct place *p, char why[static LIM_TEXT])
    __attribute__((warn_unused_result));
void place_mark_read(const struct place *p);

/*
 * Puts the new text where the old was, in one step; owner and mode stay, a
 * symbolic link too. Gives: false and *why, with the old file untouched.
 */
bool place_put(const struct place *p, char why[static LIM_TEXT])
    __attribute__((warn_unused_result));

#endif
