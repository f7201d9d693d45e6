/*
 * events.h - what has changed, the last EVENTS_KEPT of it.
 *
 * One ring for all clusters. Each event has a number that grows by one, so
 * that a reader who was too slow, or away, knows how many it has missed. No
 * I/O and no clock; an event costs as many bytes as its words.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"
#include "snapshot.h"

#define EVENTS_KEPT 1000
#define EVENTS_TEXT 384 /* of an event's sentence; with NUL */
#define EVENTS_AGE_NONE (-1)

enum event_type {
	EVENT_NONE = 0,
	EVENT_WRITE,     /* another target of the writes, or another reason */
	EVENT_READ,      /* a member is read, or is not any more */
	EVENT_MEMBER,    /* one came, or left */
	EVENT_SOURCE,    /* one that lives tells no more, or again */
	EVENT_READ_ONLY, /* who takes the writes would refuse them */
	EVENT_DCS,
	EVENT_CONTROL, /* an operator's */
	EVENT_OBSERVE,
	EVENT_HAPROXY,
	EVENT_REPORT,
	EVENT_N
};

/* Strings may be NULL: not of this event. */
struct event {
	uint64_t id;
	int64_t at_ms; /* wall clock, since 1970 */
	enum event_type type;
	const char *cluster, *member, *from, *to, *proof, *text;
	enum snap_why why; /* NONE: it says nothing of a reason */
	uint8_t step;      /* of the verdict; 0: none */
	/* Ages of the evidence, EVENTS_AGE_NONE where there is none. */
	int64_t dcs_ms, rest_ms, sql_ms, oldest_ms;
};

struct events;

/* `woken` is called after each event; it may be NULL. */
struct events *events_new(void) __attribute__((warn_unused_result));
void events_free(struct events *e);
void events_on_put(struct events *e, void (*woken)(void *arg), void *arg);

/* An event of this type and instant that says nothing else yet. */
struct event event_of(enum event_type type, int64_t at_ms);

/*
 * Keeps a copy, its text cut at EVENTS_TEXT. Where memory is out the event is
 * lost, its number is not. Gives: its number.
 */
uint64_t events_put(struct events *e, const struct event *one);

/* The newest's number; 0: there was none yet. */
uint64_t events_last(const struct events *e);

/*
 * The first behind `after` that is still here, in *one, whose strings live
 * until the next events_put(). Gives: false if there is none.
 */
bool events_next(const struct events *e, uint64_t after, struct event *one);

/* "write", "read_only" …; never NULL. */
const char *event_type_name(enum event_type t);

#endif
