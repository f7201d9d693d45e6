/*
 * cmd_status.c - `patroutectl status`.
 */
#include "ctl.h"
#include "status.h"

static int run(struct ctl *ctl, const struct args *args)
{
	cJSON *doc = ctl_topology(ctl);
	bool good;

	(void)args;
	if (doc == NULL)
		return CTL_FAILED;
	if (ctl->json) {
		good = is_status_good(doc);
		ctl_print_json(ctl, doc);
	} else {
		good = status_show(&ctl->out, doc);
	}
	cJSON_Delete(doc);
	return good ? CTL_OK : CTL_NO;
}

const struct command cmd_status = {
    .name = "status",
    .operands = "",
    .text = "who gets writes and reads, and why not",
    .more = "Ages are those of each source's last good answer. The exit "
	    "status is 0 if every cluster shown has a usable verdict and "
	    "somebody to write to (a standby cluster needs nobody), else 1.",
    .run = run,
};
