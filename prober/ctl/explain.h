/*
 * explain.h - `explain connect`, beside cmd_explain.c.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "ctl.h"

int explain_connect(struct ctl *ctl, const struct args *args);

#endif
