/*
 * cmd_events.c - `patroutectl events`: what changed, and what changes now.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"
#include "json.h"
#include "look.h"
#include "sse.h"
#include "status.h"

#define SECOND_US 1000000LL
#define AGAIN_MS 1000

static const struct args_option options[] = {
    {ARGS_FLAG, "follow", 'f', NULL, "stay, and show what comes", 0, 0},
    {ARGS_TEXT, "since", '\0', "WHEN",
	"a duration (10min, 1h) or an instant (2026-11-21T19:00:00Z)", 0, 0},
    {ARGS_NUMBER, "lines", 'n', "N", "only the last N", 0, 100000},
    {ARGS_NUMBER, "count", 'C', "N", "with --follow: end after N of them", 1,
	1000000000},
    {.kind = ARGS_END},
};

struct view {
	struct ctl *ctl;
	char since[40];   /* ISO 8601, "" for all */
	double last;      /* id of the latest one shown or passed over */
	char boot_id[40]; /* of the prober whose ids these are */
	int64_t left;     /* how many more to show, -1: any */
	struct sse sse;
};

static enum out_paint paint_of(const char *type)
{
	if (strcmp(type, "write") == 0 || strcmp(type, "read_only") == 0)
		return OUT_BOLD;
	if (strcmp(type, "control") == 0 || strcmp(type, "observe") == 0)
		return OUT_WARN;
	return OUT_PLAIN;
}

static void show(struct view *v, const cJSON *e)
{
	struct out *o = &v->ctl->out;
	char clock[STATUS_CLOCK];
	const char *at = look_text(e, "at", "?");
	const char *type = look_text(e, "type", "?");

	if (v->ctl->json) {
		ctl_print_json(v->ctl, e);
		return;
	}
	out_part(o, OUT_DIM, "%.10s %s  ", at, status_clock(at, clock));
	out_part(o, OUT_PLAIN, "%-10s ", look_text(e, "cluster", "-"));
	out_part(o, paint_of(type), "%-9s ", type);
	out_line(o, "%s", look_text(e, "text", ""));
}

/* Does it count? ISO instants of one zone compare as text. */
static bool is_wanted(const struct view *v, const cJSON *e)
{
	const char *at = look_text(e, "at", "");
	const char *cluster = look_text(e, "cluster", NULL);

	if (v->since[0] != '\0' &&
	    strncmp(at, v->since, strlen("2026-11-21T19:00:00")) < 0)
		return false;
	return v->ctl->only == NULL || cluster == NULL ||
	    strcmp(cluster, v->ctl->only) == 0;
}

/* Gives: may it go on? */
static bool one(struct view *v, const cJSON *e)
{
	double id = look_num(e, "id");

	if (id <= v->last)
		return true;
	v->last = id;
	if (!is_wanted(v, e))
		return true;
	show(v, e);
	(void)fflush(v->ctl->out.file);
	v->left -= v->left > 0 ? 1 : 0;
	return v->left != 0 && !ferror(v->ctl->out.file);
}

static bool read_since(struct view *v, const char *text)
{
	struct tm tm;
	int64_t us;
	time_t at;

	if (text == NULL)
		return true;
	if (args_dur(text, 0, 366LL * 86400 * SECOND_US, &us)) {
		struct timespec now;

		(void)clock_gettime(CLOCK_REALTIME, &now);
		at = now.tv_sec - (time_t)(us / SECOND_US);
		return gmtime_r(&at, &tm) != NULL &&
		    strftime(v->since, sizeof(v->since), "%Y-%m-%dT%H:%M:%S",
			&tm) > 0;
	}
	memset(&tm, 0, sizeof(tm));
	if (strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return false;
	(void)snprintf(v->since, sizeof(v->since), "%.19s", text);
	return true;
}

/* Those that are kept, oldest first. `lines` < 0: all of them. */
static bool list(struct view *v, int64_t lines)
{
	cJSON *doc = ctl_get(v->ctl, "/events");
	const cJSON *e = json_first(json_get(doc, "events"));
	const char *boot = look_text(doc, "boot_id", "");
	int64_t n = 0;

	if (doc == NULL)
		return false;
	if (strcmp(boot, v->boot_id) != 0)
		v->last = 0; /* another start of the prober counts anew */
	(void)snprintf(v->boot_id, sizeof(v->boot_id), "%s", boot);
	for (const cJSON *i = e; i != NULL; i = i->next)
		n += is_wanted(v, i) ? 1 : 0;
	for (; e != NULL; e = e->next) {
		if (is_wanted(v, e) && lines >= 0 && n-- > lines)
			v->last = look_num(e, "id");
		else if (!one(v, e))
			break;
	}
	cJSON_Delete(doc);
	return true;
}

static bool piece_cb(void *arg, struct slice piece)
{
	struct view *v = arg;
	struct slice data;
	bool on = true;

	while (on && sse_next(&v->sse, &piece, &data)) {
		cJSON *e = json_parse(data);

		if (e != NULL)
			on = one(v, e);
		cJSON_Delete(e);
	}
	return on;
}

/* One stream, to its end. */
static bool follow_once(struct view *v)
{
	char url[LIM_TEXT];
	struct ctl_http_got got;
	const struct ctl_http_ask q = {.socket = ctl_socket(v->ctl),
	    .url = url,
	    .accept = "text/event-stream",
	    .piece = piece_cb,
	    .arg = v};
	bool good;

	memset(&v->sse, 0, sizeof(v->sse));
	(void)snprintf(
	    url, sizeof(url), "http://prober/events?after=%.0f", v->last);
	good = ctl_http_ask(v->ctl->http, &q, &got) && got.status == 200;
	ctl_http_done(&got);
	return good;
}

static int follow(struct view *v)
{
	while (v->left != 0 && !ferror(v->ctl->out.file)) {
		(void)follow_once(v);
		if (v->left == 0)
			break;
		/* The prober restarts, or is away: from where we were. */
		(void)poll(NULL, 0, AGAIN_MS);
		(void)list(v, -1);
	}
	return CTL_OK;
}

static int run(struct ctl *ctl, const struct args *args)
{
	bool on = is_arg(args, "follow");
	int64_t lines =
	    args_number(args, "lines", on && !is_arg(args, "since") ? 10 : -1);
	struct view *v = calloc(1, sizeof(*v));
	int rc;

	if (v == NULL)
		return ctl_fail(ctl, "out of memory");
	v->ctl = ctl;
	v->left = -1;
	if (!read_since(v, args_text(args, "since"))) {
		rc = ctl_fail(ctl,
		    "events: --since %s is not possible, expected a duration "
		    "as 10min or an instant as 2026-11-21T19:00:00Z",
		    args_text(args, "since"));
	} else if (!list(v, lines)) {
		rc = CTL_FAILED;
	} else if (on) {
		v->left = args_number(args, "count", -1);
		rc = follow(v);
	} else {
		rc = CTL_OK;
	}
	free(v);
	return rc;
}

const struct command cmd_events = {
    .name = "events",
    .operands = "",
    .text = "what changed: verdicts, members, sources, orders",
    .more = "The prober keeps the last 1,000. With --json each event is a "
	    "line. An instant is in UTC.",
    .options = options,
    .run = run,
};
