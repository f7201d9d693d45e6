/*
 * events_json.c - see events_json.h. Called by api_events.c.
 */
#include "events_json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "jsonout.h"

static void put_str(FILE *f, bool *first, const char *key, const char *s)
{
	if (s == NULL)
		return;
	jsonout_key(f, first, key);
	jsonout_str(f, s);
}

static void put_age(FILE *f, bool *first, const char *key, int64_t ms)
{
	if (ms == EVENTS_AGE_NONE)
		return;
	jsonout_key(f, first, key);
	(void)fprintf(f, "%" PRId64, ms);
}

static void put_evidence(FILE *f, bool *first, const struct event *e)
{
	bool inner = true;

	if (e->dcs_ms == EVENTS_AGE_NONE && e->rest_ms == EVENTS_AGE_NONE &&
	    e->sql_ms == EVENTS_AGE_NONE && e->oldest_ms == EVENTS_AGE_NONE)
		return;
	jsonout_key(f, first, "evidence");
	(void)fputc('{', f);
	put_age(f, &inner, "dcs_ms", e->dcs_ms);
	put_age(f, &inner, "rest_ms", e->rest_ms);
	put_age(f, &inner, "sql_ms", e->sql_ms);
	put_age(f, &inner, "oldest_ms", e->oldest_ms);
	(void)fputc('}', f);
}

void events_json_one(FILE *f, const struct event *e)
{
	char at[JSONOUT_TIME];
	bool first = false;

	assert(f != NULL && e != NULL);
	(void)fprintf(f, "{\"id\":%" PRIu64, e->id);
	put_str(f, &first, "at", jsonout_time(e->at_ms, at));
	put_str(f, &first, "cluster", e->cluster);
	put_str(f, &first, "type", event_type_name(e->type));
	put_str(f, &first, "member", e->member);
	put_str(f, &first, "from", e->from);
	put_str(f, &first, "to", e->to);
	if (e->why != SNAP_WHY_NONE) {
		put_str(f, &first, "why", snap_why_name(e->why));
		put_str(f, &first, "why_text", snap_why_text(e->why));
	}
	if (e->step != 0) {
		jsonout_key(f, &first, "step");
		(void)fprintf(f, "%u", e->step);
	}
	put_str(f, &first, "proof", e->proof);
	put_evidence(f, &first, e);
	put_str(f, &first, "text", e->text);
	(void)fputc('}', f);
}

bool is_event_of(const struct event *e, const char *cluster)
{
	assert(e != NULL);
	return cluster == NULL || e->cluster == NULL ||
	    strcmp(e->cluster, cluster) == 0;
}

char *events_json_all(const struct events *e, uint64_t boot_id, uint64_t after,
    const char *cluster)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	struct event one;
	const char *comma = "";
	bool bad;

	assert(e != NULL);
	if (f == NULL)
		return NULL;
	(void)fprintf(f,
	    "{\"boot_id\":\"%" PRIx64 "\",\"last\":%" PRIu64 ",\"events\":[",
	    boot_id, events_last(e));
	for (; events_next(e, after, &one); after = one.id) {
		if (!is_event_of(&one, cluster))
			continue;
		(void)fputs(comma, f);
		events_json_one(f, &one);
		comma = ",\n";
	}
	(void)fputs("]}\n", f);
	bad = ferror(f) != 0;
	if (fclose(f) != 0 || bad) {
		free(text);
		return NULL;
	}
	return text;
}
