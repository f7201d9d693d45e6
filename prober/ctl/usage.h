/*
 * usage.h - `patroutectl help`, and the options that every command has.
 */
#ifndef USAGE_H
#define USAGE_H

#include "ctl.h"

extern const struct args_option usage_common[];

/* Needs: commands end with NULL. */
void usage_all(struct out *o, const struct command *const *commands);
void usage_command(struct out *o, const struct command *c);

#endif
