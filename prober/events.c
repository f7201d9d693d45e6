/*
 * events.c - see events.h. Filled by whoever logs a change, read by the HTTP
 * side: as a list, and as a stream.
 */
#include "events.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 6

/* Its strings lie behind it. */
struct kept {
	struct event e;
	char text[];
};

struct events {
	uint64_t last;
	struct kept *ring[EVENTS_KEPT];
	void (*woken)(void *arg);
	void *arg;
};

struct events *events_new(void)
{
	return calloc(1, sizeof(struct events));
}

void events_free(struct events *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		free(e->ring[i]);
	free(e);
}

void events_on_put(struct events *e, void (*woken)(void *arg), void *arg)
{
	assert(e != NULL);
	e->woken = woken;
	e->arg = arg;
}

struct event event_of(enum event_type type, int64_t at_ms)
{
	assert(type > EVENT_NONE && type < EVENT_N);
	return (struct event){.type = type,
	    .at_ms = at_ms,
	    .dcs_ms = EVENTS_AGE_NONE,
	    .rest_ms = EVENTS_AGE_NONE,
	    .sql_ms = EVENTS_AGE_NONE,
	    .oldest_ms = EVENTS_AGE_NONE};
}

static void words_of(struct event *e, const char **word[static WORDS])
{
	const char **all[WORDS] = {
	    &e->cluster, &e->member, &e->from, &e->to, &e->proof, &e->text};

	memcpy(word, all, sizeof(all));
}

/* With its NUL; cut, if it is too long, between two characters of UTF-8. */
static size_t room_of(const char *s)
{
	size_t n;

	if (s == NULL)
		return 0;
	n = strnlen(s, EVENTS_TEXT - 1);
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return n + 1;
}

static struct kept *keep(const struct event *one)
{
	struct event e = *one;
	const char **word[WORDS];
	struct kept *k;
	size_t size = 0;
	char *at;

	words_of(&e, word);
	for (size_t i = 0; i < WORDS; i++)
		size += room_of(*word[i]);
	k = malloc(sizeof(*k) + size);
	if (k == NULL)
		return NULL;
	at = k->text;
	for (size_t i = 0; i < WORDS; i++) {
		size_t room = room_of(*word[i]);

		if (room == 0)
			continue;
		memcpy(at, *word[i], room - 1);
		at[room - 1] = '\0';
		*word[i] = at;
		at += room;
	}
	k->e = e;
	return k;
}

uint64_t events_put(struct events *e, const struct event *one)
{
	struct kept **place;

	assert(e != NULL && one != NULL && one->type > EVENT_NONE &&
	    one->type < EVENT_N);
	place = &e->ring[++e->last % EVENTS_KEPT];
	free(*place);
	*place = keep(one);
	if (*place != NULL)
		(*place)->e.id = e->last;
	if (e->woken != NULL)
		e->woken(e->arg);
	return e->last;
}

uint64_t events_last(const struct events *e)
{
	assert(e != NULL);
	return e->last;
}

bool events_next(const struct events *e, uint64_t after, struct event *one)
{
	uint64_t id = after + 1;

	assert(e != NULL && one != NULL);
	if (after >= e->last)
		return false;
	if (e->last > EVENTS_KEPT && id <= e->last - EVENTS_KEPT)
		id = e->last - EVENTS_KEPT + 1;
	for (; id <= e->last; id++) {
		const struct kept *k = e->ring[id % EVENTS_KEPT];

		if (k == NULL)
			continue;
		*one = k->e;
		return true;
	}
	return false;
}

const char *event_type_name(enum event_type t)
{
	static const char *const name[EVENT_N] = {
	    [EVENT_NONE] = "none",
	    [EVENT_WRITE] = "write",
	    [EVENT_READ] = "read",
	    [EVENT_MEMBER] = "member",
	    [EVENT_SOURCE] = "source",
	    [EVENT_READ_ONLY] = "read_only",
	    [EVENT_DCS] = "dcs",
	    [EVENT_CONTROL] = "control",
	    [EVENT_OBSERVE] = "observe",
	    [EVENT_HAPROXY] = "haproxy",
	    [EVENT_REPORT] = "report",
	};

	assert(t < EVENT_N && name[t] != NULL);
	return name[t];
}
