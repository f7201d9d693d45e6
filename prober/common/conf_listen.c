/*
 * conf_listen.c - listeners found, and what each asks for; see conf.h.
 */
#include <assert.h>

#include "conf.h"

int conf_listen_by_name(const struct conf *c, struct slice name)
{
	assert(c != NULL);
	for (int i = 0; i < c->listen_n; i++) {
		if (is_slice_eq(name, c->listen[i].name))
			return i;
	}
	return -1;
}

int conf_listen_by_port(const struct conf *c, uint16_t port)
{
	assert(c != NULL);
	for (int i = 0; i < c->listen_n; i++) {
		if (c->listen[i].port == port)
			return i;
	}
	return -1;
}

struct intent conf_listen_intent(const struct conf *c, uint16_t listen)
{
	const struct conf_listen *l;
	unsigned flags = 0;

	assert(c != NULL && listen < c->listen_n);
	l = &c->listen[listen];
	if (l->fallback == SNAP_FALLBACK_PRIMARY)
		flags |= INTENT_F_FALLBACK;
	if (l->startup_options)
		flags |= INTENT_F_CHOOSE;
	return (struct intent){.listen = listen,
	    .want = (uint8_t)l->target,
	    .flags = (uint8_t)flags,
	    .max_lag_bytes = l->max_lag.bytes,
	    .max_lag_ms = l->max_lag.ms};
}
