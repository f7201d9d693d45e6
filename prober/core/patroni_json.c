/*
 * patroni_json.c - see patroni_json.h.
 */
#include <assert.h>
#include <string.h>

#include "json.h"
#include "num.h"
#include "patroni_json.h"

#define WEIGHT_DEFAULT 100
#define WEIGHT_MAX 256 /* HAProxy's */

/*
 * "promoted" (a promotion was begun) is left out: it is no word on whether
 * the server left recovery.
 */
enum ev_role patroni_role(struct slice word)
{
	static const struct {
		const char *word;
		enum ev_role role;
	} roles[] = {
	    {"master", EV_ROLE_PRIMARY}, /* up to 3.x */
	    {"primary", EV_ROLE_PRIMARY},
	    {"replica", EV_ROLE_REPLICA},
	    {"sync_standby", EV_ROLE_REPLICA}, /* in GET /cluster */
	    {"quorum_standby", EV_ROLE_REPLICA},
	    {"standby_leader", EV_ROLE_STANDBY_LEADER},
	    {"demoted", EV_ROLE_DEMOTED},
	    {"uninitialized", EV_ROLE_UNINITIALIZED},
	};
	size_t i;

	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (is_slice_eq(word, roles[i].word))
			return roles[i].role;
	}
	return EV_ROLE_NONE;
}

/* Words of postgresql/misc.py (4.x), and literals of 3.x, the same ones. */
enum ev_state patroni_state(struct slice word)
{
	static const struct {
		const char *word;
		enum ev_state state;
	} states[] = {
	    {"running", EV_STATE_RUNNING},
	    {"streaming", EV_STATE_STREAMING},
	    {"in archive recovery", EV_STATE_ARCHIVE_RECOVERY},
	    {"starting", EV_STATE_STARTING},
	    {"restarting", EV_STATE_STARTING},
	    {"stopping", EV_STATE_STOPPING},
	    {"stopped", EV_STATE_STOPPED},
	    {"start failed", EV_STATE_STOPPED},
	    {"crashed", EV_STATE_CRASHED},
	    {"creating replica", EV_STATE_OTHER},
	    {"initializing new cluster", EV_STATE_OTHER},
	    {"initdb failed", EV_STATE_OTHER},
	    {"running custom bootstrap script", EV_STATE_OTHER},
	    {"custom bootstrap failed", EV_STATE_OTHER},
	};
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (is_slice_eq(word, states[i].word))
			return states[i].state;
	}
	return EV_STATE_NONE;
}

/* Whatever is no weight is as if it were not there: only a 0 drains. */
static uint16_t weight_of(const cJSON *tag)
{
	double d = cJSON_IsNumber(tag) ? tag->valuedouble : -1;

	if (d > WEIGHT_MAX)
		return WEIGHT_MAX;
	if (!(d >= 0) || d != (uint16_t)d)
		return WEIGHT_DEFAULT;
	return (uint16_t)d;
}

void patroni_tags(const struct cJSON *tags, struct ev_dcs_member *m)
{
	m->noloadbalance = is_json_true(tags, "noloadbalance");
	m->nofailover = is_json_true(tags, "nofailover");
	m->weight = weight_of(json_get(tags, "patroute_weight"));
}

/* The number up to the next dot, 0 if it is none. */
static unsigned take_number(struct slice *s)
{
	size_t len = 0;
	uint64_t n;

	while (len < s->len && s->p[len] >= '0' && s->p[len] <= '9')
		len++;
	if (!num_u64(slice_of(s->p, len), 0, 9999, &n))
		n = 0;
	*s = slice_skip(*s, len < s->len ? len + 1 : len);
	return (unsigned)n;
}

/* From 3.0.4 on a replica that streams says so: its silence is an answer. */
static bool is_telling_replication(const cJSON *doc)
{
	struct slice v = json_str(json_get(doc, "patroni"), "version");
	unsigned major = take_number(&v), minor = take_number(&v);
	unsigned patch = take_number(&v);

	if (major != 3 || minor != 0)
		return major > 3 || (major == 3 && minor > 0);
	return patch >= 4;
}

static void fill_replication(const cJSON *doc, struct ev_rest *out)
{
	struct slice word = json_str(doc, "replication_state");

	if (out->role == EV_ROLE_PRIMARY || out->state != EV_STATE_RUNNING)
		return;
	if (word.len > 0) {
		enum ev_state state = patroni_state(word);

		out->streaming_known = true;
		out->streaming = state == EV_STATE_STREAMING;
		if (state == EV_STATE_STREAMING ||
		    state == EV_STATE_ARCHIVE_RECOVERY)
			out->state = state;
	} else {
		out->streaming_known = is_telling_replication(doc);
	}
}

static void fill_wal(const cJSON *doc, struct ev_rest *out)
{
	const cJSON *xlog = json_get(doc, "xlog");
	int64_t tli = json_i64(doc, "timeline");

	out->tli = tli <= UINT32_MAX ? (uint32_t)tli : 0;
	if (json_get(xlog, "location") != NULL) {
		out->lsn = json_u64(xlog, "location");
		return;
	}
	out->lsn = json_u64(xlog, "replayed_location");
	out->receive_lsn = json_u64(xlog, "received_location");
}

bool patroni_json_status(struct slice body, struct ev_rest *out)
{
	cJSON *doc = json_parse(body);
	bool ok = json_str(doc, "state").len > 0;

	assert(out != NULL);
	memset(out, 0, sizeof(*out));
	if (ok) {
		out->role = patroni_role(json_str(doc, "role"));
		out->state = patroni_state(json_str(doc, "state"));
		out->standby_cluster = out->role == EV_ROLE_STANDBY_LEADER;
		fill_replication(doc, out);
		fill_wal(doc, out);
		out->pause = is_json_true(doc, "pause");
		out->failsafe = is_json_true(doc, "failsafe_mode_is_active");
		out->noloadbalance =
		    is_json_true(json_get(doc, "tags"), "noloadbalance");
		out->sync = is_json_true(doc, "sync_standby") ||
		    is_json_true(doc, "quorum_standby");
		out->pending_restart = is_json_true(doc, "pending_restart");
		out->sysid = json_u64(doc, "database_system_identifier");
	}
	cJSON_Delete(doc);
	return ok;
}
