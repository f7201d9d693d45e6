/*
 * orders_file.h - the orders of this host alone, over restarts.
 *
 * One JSON file, replaced as a whole. Who was ordered for an hour is ordered
 * for what is left of it: by the monotonic clock as long as the machine was
 * not booted since, else by the wall clock, and never for longer than when it
 * was written. Not synced to disk: what a crash of the machine loses, expires.
 */
#ifndef ORDERS_FILE_H
#define ORDERS_FILE_H

#include <stdbool.h>

#include "orders.h"

struct app;

/* Of each cluster into its orders. A file that is not there, or broken, is
   none; the log says the latter. */
void orders_file_load(struct app *app);

/* All clusters' own. Gives: false, errno set, if it could not be written. */
bool orders_file_save(const struct app *app)
    __attribute__((warn_unused_result));

#endif
