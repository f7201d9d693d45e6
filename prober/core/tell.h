/*
 * tell.h - which words of a source are worth a line in the log.
 *
 * A verdict that stands on less than before, because PostgreSQL lives and will
 * not be asked, does not change: without a line nobody would look.
 */
#ifndef TELL_H
#define TELL_H

#include <stdbool.h>

#include "ev_item.h"
#include "mono.h"
#include "observe.h"

/* Per cluster: what was said last. Zeroed: nothing. */
struct tell {
	enum ev_rc said[LIM_MEMBERS][EV_SQL + 1]; /* by source */
	bool read_only[LIM_MEMBERS];
	bool here[LIM_MEMBERS];
	bool dcs; /* it is heard */
	/* The classic way does not what is decided; by observe_kind. */
	bool differs[OBSERVE_KINDS];
	struct mono differs_at[OBSERVE_KINDS];
	uint64_t differed[OBSERVE_KINDS]; /* connections, when it began */
};

/*
 * A member that answers and yet does not tell: wrong password, no connection
 * left, TLS, nonsense. What is silent, refused or lost stands in the verdict's
 * lines, and is no change here.
 * Needs: item->member < LIM_MEMBERS.
 * Gives: true if this is to be said, and in *was what it was: again and again
 * until tell_said(), for a log may have no room for it yet.
 */
bool is_tell_due(
    const struct tell *t, const struct ev_item *item, enum ev_rc *was);
void tell_said(struct tell *t, const struct ev_item *item);

/* Another member has this place now. */
void tell_forget(struct tell *t, int member);

#endif
