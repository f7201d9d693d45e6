/*
 * sink.h - where the probes of members say what they found.
 */
#ifndef SINK_H
#define SINK_H

#include "ev_item.h"

/*
 * `item` is called from the loop with one whole answer; it may ask the same
 * probe again, or change its target, but not free it.
 */
struct sink {
	void (*item)(void *arg, const struct ev_item *item);
	void *arg;
};

#endif
