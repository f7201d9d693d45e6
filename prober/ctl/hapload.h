/*
 * hapload.h - a running HAProxy reads its files again.
 */
#ifndef HAPLOAD_H
#define HAPLOAD_H

#include <stdbool.h>

#include "conf.h"

enum hapload {
	HAPLOAD_NONE = 0, /* HAProxy does not run */
	HAPLOAD_DONE,     /* another process serves now */
	HAPLOAD_FAILED    /* the same does after a while, or with other files */
};

/*
 * By the way that c->haproxy.reload says.
 * Gives: HAPLOAD_FAILED and `why`. Blocks, for 10 s at most once the way's own
 * command is done.
 */
enum hapload hapload(const struct conf *c, char why[static LIM_TEXT])
    __attribute__((warn_unused_result));

#endif
