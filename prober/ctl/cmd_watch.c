/*
 * cmd_watch.c - `patroutectl watch`: the status again and again.
 */
#include <poll.h>

#include "ctl.h"
#include "status.h"

#define SECOND_US 1000000

static const struct args_option options[] = {
    {ARGS_DURATION, "interval", 'n', "DURATION", "how often, default 1s",
	SECOND_US / 10, 3600LL * SECOND_US},
    {ARGS_NUMBER, "count", 'C', "N", "how many times, default: for ever", 1,
	1000000000},
    {.kind = ARGS_END},
};

static int show_once(struct ctl *ctl)
{
	cJSON *doc = ctl_topology(ctl);
	int rc = doc == NULL      ? CTL_FAILED
	    : is_status_good(doc) ? CTL_OK
				  : CTL_NO;

	if (doc != NULL && ctl->json) {
		ctl_print_json(ctl, doc);
	} else if (doc != NULL) {
		out_home(&ctl->out);
		(void)status_show(&ctl->out, doc);
	}
	(void)fflush(ctl->out.file);
	cJSON_Delete(doc);
	return rc;
}

static int run(struct ctl *ctl, const struct args *args)
{
	int ms = (int)(args_number(args, "interval", SECOND_US) / 1000);
	int64_t left = args_number(args, "count", -1);
	int rc = show_once(ctl);

	while (left != 1 && !ferror(ctl->out.file)) {
		(void)poll(NULL, 0, ms);
		rc = show_once(ctl);
		left -= left > 0 ? 1 : 0;
	}
	return rc;
}

const struct command cmd_watch = {
    .name = "watch",
    .operands = "",
    .text = "the status, refreshed",
    .more = "A prober that cannot be asked is asked again. With --json each "
	    "document is a line. `events --follow` shows what changes instead.",
    .options = options,
    .run = run,
};
