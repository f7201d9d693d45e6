/*
 * words.h - the table of commands for those that are no people: the man page
 * is made of it, and a shell completes by it.
 */
#ifndef WORDS_H
#define WORDS_H

#include "ctl.h"

/* What may stand beside --print-words. */
extern const struct args_option words_own[];

/* The commands and their options as man page source. */
void words_man(FILE *out, const struct command *const *commands);

/*
 * Those that may stand next, a line each: of no command (NULL) the commands,
 * of one its options and what its operand may be, members included where a
 * prober answers.
 */
void words_of(struct ctl *ctl, const struct command *const *commands,
    const struct command *c);

#endif
