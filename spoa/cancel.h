/*
 * cancel.h - a CancelRequest, passed to every member of its cluster.
 *
 * Only the server that knows the key acts on it, and none answers, so nobody
 * has to know where the session is. Owns: the connections to the members,
 * bounded in number and in time. Blocks on nothing.
 */
#ifndef CANCEL_H
#define CANCEL_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "lim.h"
#include "slice.h"
#include "snapshot.h"

#define CANCEL_JOBS 64
#define CANCEL_MS 1000
/* Length, code, process id and a key of 4 to 256 bytes (protocol 3.2). */
#define CANCEL_PACKET_MIN 16
#define CANCEL_PACKET_MAX 268

struct cancels;

struct cancel_job {
	struct cancels *cancels;
	bool is_busy;
	uint32_t tag; /* the desk's place of whoever asked */
	uint32_t open;
	ev_timer deadline;
	ev_io io[LIM_MEMBERS]; /* fd -1: none */
	size_t len;
	unsigned char packet[CANCEL_PACKET_MAX];
};

struct cancels {
	struct ev_loop *loop;
	uint32_t open, max; /* descriptors */
	/* Every member has closed, or the time is over. */
	void (*done_cb)(void *arg, uint32_t tag);
	void *arg;
	struct cancel_job job[CANCEL_JOBS];
};

void cancels_init(struct cancels *cs, struct ev_loop *loop, uint32_t max);
void cancels_free(struct cancels *cs);

/*
 * Begins to pass `packet` on. Needs: packet.len <= CANCEL_PACKET_MAX.
 * Gives: false, and done_cb is not called, if there is nobody to pass it to or
 * no room; else true, and done_cb comes with `tag`, though not before return.
 */
bool cancel_start(struct cancels *cs, const struct snapshot *snap,
    struct slice packet, uint32_t tag) __attribute__((warn_unused_result));

#endif
