/*
 * hapask.h - one command to one of HAProxy's sockets; blocks, bounded in time.
 */
#ifndef HAPASK_H
#define HAPASK_H

#include <stdbool.h>

#include "slice.h"

#define HAPASK_LINE 4096

/*
 * Hands each line of the answer up, without its end and cut at HAPASK_LINE;
 * line() gives false to hear no more of them.
 * Gives: NULL, or why there is no whole answer.
 */
const char *hapask(const char *path, const char *command,
    bool (*line)(void *arg, struct slice line), void *arg)
    __attribute__((warn_unused_result));

#endif
