/*
 * status.c - see status.h. Everything here is for people; --json has the
 * document itself.
 */
#include "status.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "look.h"
#include "snapshot.h"
#include "text.h"

#define DEFAULT_WEIGHT 100

const char *status_why(const char *name)
{
	assert(name != NULL);
	for (int i = 0; i < SNAP_WHY_N; i++)
		if (strcmp(snap_why_name((enum snap_why)i), name) == 0)
			return snap_why_text((enum snap_why)i);
	return name; /* a newer prober's */
}

const char *status_clock(const char *iso, char buf[static STATUS_CLOCK])
{
	struct tm tm = {0};
	const char *end = strptime(iso, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t at = end != NULL ? timegm(&tm) : -1;

	if (at == -1 || localtime_r(&at, &tm) == NULL ||
	    strftime(buf, STATUS_CLOCK, "%H:%M:%S", &tm) == 0)
		(void)snprintf(buf, STATUS_CLOCK, "%s", iso);
	return buf;
}

/* One order in force: what, who, why, until when. */
static void show_order(struct out *o, const char *what, const cJSON *order)
{
	char clock[STATUS_CLOCK], left[TEXT_DUR];
	const char *until = look_text(order, "until", NULL);
	const char *reason = look_text(order, "reason", "");
	const char *member = look_text(order, "member", "");

	if (!cJSON_IsObject(order))
		return;
	out_part(o, OUT_PLAIN, "  order   ");
	out_part(
	    o, OUT_WARN, "%s%s%s", what, member[0] != '\0' ? " " : "", member);
	out_part(o, OUT_PLAIN, " by %s", look_text(order, "by", "somebody"));
	if (until != NULL)
		out_part(o, OUT_PLAIN, " until %s (%s left)",
		    status_clock(until, clock),
		    text_dur(look_num(order, "left_ms"), left));
	out_part(o, OUT_PLAIN, ", %s",
	    strcmp(look_text(order, "where", ""), "etcd") == 0
		? "on every host (etcd)"
		: "on this host only");
	out_line(o, "%s%s", reason[0] != '\0' ? ": " : "", reason);
}

static void show_orders(struct out *o, const cJSON *cluster)
{
	const cJSON *control = json_get(cluster, "control");

	show_order(o, "hold", json_get(control, "hold"));
	show_order(o, "force", json_get(control, "force"));
	show_order(o, "observe", json_get(control, "observe"));
	for (const cJSON *d = json_first(json_get(control, "drains"));
	     d != NULL; d = d->next)
		show_order(o, "drain", d);
}

static bool is_cluster_good(const cJSON *c)
{
	return look_true(c, "usable") &&
	    (look_text(c, "write", NULL) != NULL ||
		strcmp(look_text(c, "why", ""), "standby-cluster") == 0);
}

bool is_status_good(const cJSON *topology)
{
	const cJSON *c = json_first(json_get(topology, "clusters"));

	if (c == NULL)
		return false;
	for (; c != NULL; c = c->next)
		if (!is_cluster_good(c))
			return false;
	return true;
}

static void show_title(struct out *o, const cJSON *c)
{
	const char *mode = look_text(c, "mode", "live");
	const cJSON *seen = json_get(c, "observe");

	out_part(o, OUT_BOLD, "Cluster %s", look_text(c, "name", "?"));
	out_part(o, OUT_PLAIN, "  scope %s  mode ", look_text(c, "scope", "?"));
	out_part(
	    o, strcmp(mode, "live") == 0 ? OUT_GOOD : OUT_WARN, "%s", mode);
	if (strcmp(mode, "observe") == 0 &&
	    cJSON_IsNumber(json_get(seen, "same")))
		out_part(o, OUT_PLAIN,
		    " (decided as the classic way %.0f, otherwise %.0f)",
		    look_num(seen, "same"), look_num(seen, "differs"));
	out_line(o, "%s", "");
}

static void show_verdict(struct out *o, const cJSON *c)
{
	char since[TEXT_DUR], age[TEXT_DUR];
	const char *write = look_text(c, "write", NULL);

	out_part(o, OUT_PLAIN, "  writes  ");
	out_part(o, is_cluster_good(c) ? OUT_GOOD : OUT_BAD, "%s",
	    write != NULL ? write : "nobody");
	out_part(o, OUT_PLAIN, ": %s",
	    look_text(c, "why_text", look_text(c, "why", "?")));
	out_part(o, OUT_PLAIN, " (step %.0f, proof %s, for %s)",
	    look_num(c, "step"), look_text(c, "proof", "none"),
	    text_dur(look_num(c, "since_ms"), since));
	if (look_true(c, "usable"))
		out_line(o, ", evidence %s old",
		    text_dur(look_num(c, "evidence_age_ms"), age));
	else
		out_line(o, "%s",
		    ", no usable verdict: HAProxy goes its "
		    "classic way");
	if (look_true(c, "planned"))
		out_line(o, "%s",
		    "  switchover  a planned one is under way: "
		    "new writes wait");
	else if (look_true(c, "transition"))
		out_line(o, "%s", "  transition  the leader is lost or moving");
}

static void show_dcs(struct out *o, const cJSON *c)
{
	static const struct {
		const char *key, *text;
	} flags[] = {{"pause", "Patroni is paused"},
	    {"standby_cluster", "standby cluster"},
	    {"failsafe_mode", "failsafe mode"},
	    {"sync_mode", "synchronous mode"},
	    {"failover_due", "a failover or switchover is asked for"}};
	const cJSON *d = json_get(c, "dcs");
	char age[TEXT_DUR];

	out_part(o, OUT_PLAIN, "  dcs     ");
	if (!look_true(d, "configured"))
		out_part(o, OUT_PLAIN, "none configured, members from %s",
		    look_text(d, "members_from", "?"));
	else
		out_part(o, look_true(d, "synced") ? OUT_PLAIN : OUT_WARN,
		    "etcd %s, heard %s ago, leader key %s",
		    look_text(d, "api", "?"),
		    text_dur(look_num(d, "age_ms"), age),
		    look_text(d, "leader", "held by nobody"));
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (look_true(d, flags[i].key))
			out_part(o, OUT_WARN, ", %s", flags[i].text);
	out_line(o, "%s", "");
}

/* The age of one source's last good answer, or what it answers instead. */
static void cell_source(struct table *t, const cJSON *m, const char *source)
{
	const cJSON *s = json_get(json_get(m, "evidence"), source);
	const char *rc = look_text(s, "rc", "none");
	double age = look_num(s, "ok_age_ms");
	char text[TEXT_DUR];

	if (strcmp(rc, "ok") == 0)
		table_cell(t, OUT_PLAIN, "%s", text_dur(age, text));
	else if (strcmp(rc, "none") == 0)
		table_cell(t, OUT_DIM, "-");
	else
		table_cell(t, OUT_WARN, "%s", rc);
}

static void cell_lag(struct table *t, const cJSON *m, bool is_write)
{
	char text[TEXT_DUR];
	double bytes = look_num(m, "lag_bytes"), ms = look_num(m, "lag_ms");

	_Static_assert(TEXT_SIZE <= TEXT_DUR, "one buffer does for both");
	if (is_write) {
		table_cell(t, OUT_PLAIN, "%s", "");
		table_cell(t, OUT_PLAIN, "%s", "");
		return;
	}
	table_cell(t, OUT_PLAIN, "%s",
	    bytes < 0 ? "unknown" : text_bytes(bytes, text));
	table_cell(t, OUT_PLAIN, "%s", ms < 0 ? "" : text_dur(ms, text));
}

static const struct table_column columns[] = {{"Member", false, false},
    {"Server", false, true}, {"Address", false, true}, {"Role", false, false},
    {"Serves", false, false}, {"Weight", true, true}, {"TL", true, false},
    {"Lag", true, false}, {"Lag time", true, true}, {"DCS", false, false},
    {"REST", true, false}, {"SQL", true, false}, {"Why not", false, true}};

static void add_member(struct table *t, const cJSON *c, const cJSON *m)
{
	const char *name = look_text(m, "name", "?");
	const char *server = look_text(m, "server", "(none)");
	const char *address = look_text(m, "address", "");
	const char *why = look_text(m, "why", "none");
	bool write = strcmp(look_text(c, "write", ""), name) == 0;
	bool read = look_true(m, "read");
	double weight = look_num(m, "weight"), tli = look_num(m, "timeline");
	const cJSON *dcs = json_get(json_get(m, "evidence"), "dcs");

	if (!table_row(t))
		return;
	table_cell(t, OUT_BOLD, "%s", name);
	table_cell(t, OUT_PLAIN, "%s", strcmp(server, name) == 0 ? "" : server);
	table_cell(t, OUT_PLAIN, address[0] != '\0' ? "%s:%.0f" : "%s", address,
	    look_num(m, "port"));
	table_cell(t, OUT_PLAIN, "%s%s", look_text(m, "role", "?"),
	    write && look_true(m, "read_only") ? " (read-only)" : "");
	table_cell(t, write || read ? OUT_GOOD : OUT_WARN, "%s",
	    write      ? "write"
		: read ? "read"
		       : "none");
	if (read && (weight < DEFAULT_WEIGHT || weight > DEFAULT_WEIGHT))
		table_cell(t, OUT_PLAIN, "%.0f", weight);
	else
		table_cell(t, OUT_PLAIN, "%s", "");
	table_cell(t, OUT_PLAIN, tli > 0 ? "%.0f" : "?", tli);
	cell_lag(t, m, write);
	table_cell(t, OUT_PLAIN, "%s",
	    !cJSON_IsObject(dcs)            ? "-"
		: look_true(dcs, "present") ? "there"
					    : "gone");
	cell_source(t, m, "rest");
	cell_source(t, m, "sql");
	table_cell(t, OUT_PLAIN, "%s", write || read ? "" : status_why(why));
}

static void show_members(struct out *o, const cJSON *c)
{
	struct table *t =
	    table_new(o, columns, sizeof(columns) / sizeof(columns[0]));

	if (t == NULL)
		return;
	for (const cJSON *m = json_first(json_get(c, "members")); m != NULL;
	     m = m->next)
		add_member(t, c, m);
	table_print(o, t);
	table_free(t);
}

static void show_agents(struct out *o, const cJSON *topology)
{
	const cJSON *list = json_get(topology, "agents");
	char text[TEXT_DUR];

	if (json_first(list) == NULL) {
		out_part(o, OUT_BAD, "Agent: none is connected");
		out_line(o, "%s", ", HAProxy balances by the prober's checks");
	}
	for (const cJSON *a = json_first(list); a != NULL; a = a->next) {
		const cJSON *s = json_get(a, "stats");

		out_part(o, OUT_PLAIN, "Agent: %s, connected for %s",
		    look_text(a, "program", "?"),
		    text_dur(look_num(a, "connected_ms"), text));
		if (s != NULL)
			out_part(o, OUT_PLAIN,
			    ", %.0f decisions, %.0f waiting now, %.0f refused",
			    look_num(s, "decisions"), look_num(s, "hold_now"),
			    look_num(s, "refused"));
		out_line(o, "%s", "");
	}
}

static void show_haproxy(struct out *o, const cJSON *topology)
{
	const cJSON *h = json_get(topology, "haproxy");
	double old = look_num(h, "old_processes");
	char text[TEXT_DUR];

	out_part(o, OUT_PLAIN, "HAProxy: ");
	if (!look_true(h, "reachable"))
		out_part(o, OUT_BAD, "its socket does not answer");
	else
		out_part(o, OUT_PLAIN, "process %.0f", look_num(h, "pid"));
	out_part(o, OUT_PLAIN, ", heard %s ago",
	    text_dur(look_num(h, "heard_ms"), text));
	if (old > 0)
		out_part(o, OUT_PLAIN, ", %.0f old processes still serve", old);
	out_line(o, ", servers repaired %.0f times", look_num(h, "repairs"));
}

bool status_show(struct out *o, const cJSON *topology)
{
	assert(o != NULL);
	for (const cJSON *c = json_first(json_get(topology, "clusters"));
	     c != NULL; c = c->next) {
		show_title(o, c);
		show_verdict(o, c);
		show_dcs(o, c);
		show_orders(o, c);
		show_members(o, c);
	}
	show_agents(o, topology);
	show_haproxy(o, topology);
	return is_status_good(topology);
}
