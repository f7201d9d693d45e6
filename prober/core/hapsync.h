/*
 * hapsync.h - what to tell HAProxy so that its servers agree with the verdict.
 *
 * Pure: HAProxy's own words (`show stat`) come in, Runtime API commands go out.
 * Names come from the configuration or the DCS: a name that is not
 * [A-Za-z0-9._-] is never put into a command.
 */
#ifndef HAPSYNC_H
#define HAPSYNC_H

#include <stdbool.h>

#include "hapview.h"
#include "lim.h"
#include "snapshot.h"

struct hap_cmds {
	unsigned n;
	char line[LIM_HAP_CMDS][LIM_HAP_CMD];
	bool joined[LIM_HAP_CMDS]; /* to the line before: both or neither */
};

/*
 * Gives: how many of the commands, with a separator between two of them, stand
 * in so many bytes, if what is joined stays together.
 */
unsigned hap_fit(const struct hap_cmds *cmds, size_t bytes);

/*
 * Do the sessions of a former leader in that backend end with a move? Not those
 * of the classic way while it is only observed: its own checks rule there.
 */
bool is_hap_closed(const struct snapshot *snap, enum hap_backend b);

/*
 * The commands that move the leader from the server `from_server` (NULL or "":
 * none) to the snapshot's write target, in design's order, and close the
 * sessions that were placed on `from_server` as leader. To be called on
 * positive evidence only (is_verdict_against()), once the agents have seen the
 * snapshot; the `shutdown` lines are to be repeated after 20 to 50 ms.
 */
void hap_move(
    const struct snapshot *snap, const char *from_server, struct hap_cmds *out);

/*
 * The commands that repair what `view` shows to differ from the snapshot:
 * never `health down`, nothing on MAINT or DRAIN (an operator's), and what is
 * dead is left to the checks. Gives: false, and no command, if the view is of
 * another snapshot, whose members may stand elsewhere.
 */
bool hap_repair(const struct snapshot *snap, const struct hap_view *view,
    struct hap_cmds *out);

/*
 * What a check of BACKEND/SERVER is answered: 200 belongs here, 404 healthy
 * but not for this role, 503 dead or unknown.
 */
int hap_check_code(
    const struct snapshot *snap, enum hap_backend b, const char *server);

/* Why, for the stats page: printable ASCII of ours, no word from outside. */
void hap_check_why(
    const struct snapshot *snap, const char *server, char out[static LIM_TEXT]);

#endif
