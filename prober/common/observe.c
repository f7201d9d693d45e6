/*
 * observe.c - see observe.h. Called by the agent for each connection that is
 * observed, and by the prober after each judgement.
 */
#include "observe.h"

#include <assert.h>

enum observe_kind observe_kind_of(const struct intent *it)
{
	assert(it != NULL);
	switch ((enum intent_want)it->want) {
	case INTENT_REPLICA:
	case INTENT_SYNC:
		return OBSERVE_READ;
	case INTENT_ANY:
		return OBSERVE_ANY;
	case INTENT_NONE:
	case INTENT_PRIMARY:
		break;
	}
	return OBSERVE_WRITE;
}

const char *observe_kind_name(enum observe_kind k)
{
	static const char *const name[OBSERVE_KINDS] = {
	    [OBSERVE_WRITE] = "write",
	    [OBSERVE_READ] = "read",
	    [OBSERVE_ANY] = "any",
	};

	assert(k < OBSERVE_KINDS);
	return name[k];
}

static uint32_t with_flags(const struct snapshot *s, unsigned flags)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < s->n; i++)
		if ((s->m[i].flags & flags) != 0)
			mask |= UINT32_C(1) << i;
	return mask;
}

uint32_t observe_classic(const struct snapshot *s, enum observe_kind k)
{
	assert(s != NULL && s->n <= LIM_MEMBERS);
	switch (k) {
	case OBSERVE_WRITE:
		return with_flags(s, SNAP_F_CLASSIC_WRITE);
	case OBSERVE_READ:
		return with_flags(s, SNAP_F_CLASSIC_READ);
	case OBSERVE_ANY:
		return with_flags(
		    s, SNAP_F_CLASSIC_WRITE | SNAP_F_CLASSIC_READ);
	case OBSERVE_KINDS:
		break;
	}
	assert(false && "not a kind");
	return 0;
}

static uint32_t target_of(const struct snapshot *s)
{
	return s->write >= 0 ? UINT32_C(1) << s->write : 0;
}

bool is_observe_same(
    const struct snapshot *s, enum observe_kind k, const struct decision *d)
{
	uint32_t classic = observe_classic(s, k), right, chosen;

	assert(d != NULL);
	if (d->kind != ROUTE_TO)
		return classic == 0; /* it would refuse, too */
	assert(d->member >= 0 && d->member < s->n);
	chosen = UINT32_C(1) << d->member;
	right = chosen;
	if (d->action == ROUTE_ACT_READ)
		right |= with_flags(s, SNAP_F_READ);
	if (k == OBSERVE_ANY)
		right |= target_of(s);
	return (classic & chosen) != 0 && (classic & ~right) == 0;
}

bool is_observe_right(const struct snapshot *s, enum observe_kind k)
{
	if (k == OBSERVE_ANY)
		return true;
	return observe_classic(s, k) ==
	    (k == OBSERVE_WRITE ? target_of(s) : with_flags(s, SNAP_F_READ));
}
