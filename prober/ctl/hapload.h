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
	HAPLOAD_GIVEN,    /* told; it cannot be seen whether it did */
	HAPLOAD_FAILED    /* the same process serves after a while */
};

/*
 * By the way that c->haproxy.reload says; `revision` is what Pacemaker's
 * resource gets. Blocks, for 10 s at most once the way's own command is done.
 */
enum hapload hapload(
    const struct conf *c, const char *revision, char why[static LIM_TEXT]);

#endif
