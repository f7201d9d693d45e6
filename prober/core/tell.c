/*
 * tell.c - see tell.h. Called by cluster.c with what it gives to evidence.
 */
#include "tell.h"

#include <assert.h>
#include <string.h>

/* OK; or what keeps one that lives from telling; or NONE: no word on that. */
static enum ev_rc standing(enum ev_rc rc)
{
	switch (rc) {
	case EV_RC_OK:
	case EV_RC_AUTH:
	case EV_RC_BUSY:
	case EV_RC_TLS:
	case EV_RC_PARSE:
	case EV_RC_LIMIT:
		return rc;
	case EV_RC_NONE:
	case EV_RC_REFUSED:
	case EV_RC_STOPPING:
	case EV_RC_STARTING:
	case EV_RC_TIMEOUT:
	case EV_RC_LOST:
	case EV_RC_LOCAL:
		return EV_RC_NONE;
	case EV_RC_N:
		break;
	}
	assert(false && "not a word");
	return EV_RC_NONE;
}

bool is_tell_due(
    const struct tell *t, const struct ev_item *item, enum ev_rc *was)
{
	enum ev_rc now;

	assert(t != NULL && item != NULL && was != NULL);
	assert(item->member < LIM_MEMBERS && item->src <= EV_SQL);
	*was = t->said[item->member][item->src];
	if (*was == EV_RC_NONE)
		*was = EV_RC_OK;
	now = standing(item->rc);
	return now != EV_RC_NONE && now != *was;
}

void tell_said(struct tell *t, const struct ev_item *item)
{
	assert(t != NULL && item != NULL);
	assert(item->member < LIM_MEMBERS && item->src <= EV_SQL);
	t->said[item->member][item->src] = item->rc;
}

void tell_forget(struct tell *t, int member)
{
	assert(t != NULL && member >= 0 && member < LIM_MEMBERS);
	memset(t->said[member], 0, sizeof(t->said[member]));
	t->read_only[member] = false;
	t->here[member] = false;
}
