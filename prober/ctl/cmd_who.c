/*
 * cmd_who.c - `patroutectl who PID`: a backend's process id → the application.
 *
 * Its server sees HAProxy's address and source port; HAProxy knows who is on
 * the other end of that session.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "look.h"
#include "num.h"
#include "who.h"

static const struct args_option options[] = {
    {ARGS_TEXT, "member", 'm', "NAME", "whose process it is, default: each's",
	0, 0},
    {ARGS_TEXT, "conninfo", '\0', "TEXT",
	"libpq's: as whom to ask, \"user=postgres\"; default: the probe's role",
	0, 0},
    {.kind = ARGS_END},
};

struct job {
	struct ctl *ctl;
	const struct conf *conf;
	const struct conf_cluster *cluster;
	const char *conninfo;
	int64_t pid;
	unsigned found; /* members that have it */
	bool failed;    /* one of them could not be asked, or not seen */
	bool named;     /* an application's address was said */
	cJSON *list;    /* --json */
};

static cJSON *add_at(cJSON *o, const char *key, const struct sess_at *at)
{
	cJSON *a = cJSON_AddObjectToObject(o, key);

	(void)cJSON_AddStringToObject(a, "address", at->addr);
	(void)cJSON_AddNumberToObject(a, "port", at->port);
	return a;
}

static void print(struct job *j, const char *member, const struct who *w,
    const struct who_session *s)
{
	static const char *const found[] = {[WHO_NOBODY] = "nobody",
	    [WHO_FAILED] = "failed",
	    [WHO_HIDDEN] = "hidden",
	    [WHO_LOCAL] = "local",
	    [WHO_CLIENT] = "client"};
	cJSON *o = cJSON_CreateObject();

	(void)cJSON_AddItemToArray(j->list, o);
	(void)cJSON_AddStringToObject(o, "member", member);
	(void)cJSON_AddStringToObject(o, "found", found[w->found]);
	(void)cJSON_AddStringToObject(o, "user", w->user);
	(void)cJSON_AddStringToObject(o, "database", w->database);
	(void)cJSON_AddStringToObject(o, "application_name", w->application);
	(void)cJSON_AddStringToObject(o, "state", w->state);
	if (w->found == WHO_FAILED)
		(void)cJSON_AddStringToObject(o, "why", w->why);
	if (w->found == WHO_CLIENT)
		(void)add_at(o, "client", &w->client);
	if (!s->found)
		return;
	(void)add_at(o, "application", &s->sess.from);
	(void)add_at(o, "to", &s->sess.to);
	(void)cJSON_AddStringToObject(o, "listener", s->sess.listener);
	(void)cJSON_AddStringToObject(o, "backend", s->sess.backend);
	(void)cJSON_AddStringToObject(o, "server", s->sess.server);
	(void)cJSON_AddStringToObject(o, "session", s->sess.id);
	(void)cJSON_AddBoolToObject(o, "old_process", s->old);
}

static void show_session(
    struct job *j, const struct who *w, const struct who_session *s)
{
	struct out *o = &j->ctl->out;

	if (s->found) {
		out_part(o, OUT_GOOD, "  application  %s:%u", s->sess.from.addr,
		    (unsigned)s->sess.from.port);
		out_line(o, "  to %s:%u (listener %s), since %s",
		    s->sess.to.addr, (unsigned)s->sess.to.port,
		    s->sess.listener, s->sess.since);
		out_line(o, "  HAProxy      %s/%s, session %s%s",
		    s->sess.backend, s->sess.server, s->sess.id,
		    s->old ? ", in a process that a reload left" : "");
	} else if (!is_who_here(w->client.addr)) {
		out_line(o,
		    "  It comes from %s, which is no address of this host: if "
		    "that is a load balancer, ask there: patroutectl who %lld",
		    w->client.addr, (long long)j->pid);
	} else if (s->why != NULL) {
		out_line(o, "  HAProxy could not be asked: %s", s->why);
	} else {
		out_line(o, "%s",
		    "  No session of HAProxy here has that port: it ended "
		    "meanwhile, or somebody on this host connects without "
		    "HAProxy.");
	}
}

static void show(struct job *j, const char *member, const struct who *w,
    const struct who_session *s)
{
	struct out *o = &j->ctl->out;

	if (w->found == WHO_NOBODY)
		return;
	if (w->found == WHO_FAILED) {
		(void)ctl_fail(j->ctl, "%s: %s", member, w->why);
		return;
	}
	out_part(o, OUT_BOLD, "%s, process %lld", member, (long long)j->pid);
	out_line(o, ": user %s, database %s, application_name %s%s%s%s",
	    w->user[0] != '\0' ? w->user : "-",
	    w->database[0] != '\0' ? w->database : "-",
	    w->application[0] != '\0' ? w->application : "-",
	    w->state[0] != '\0' ? ", " : "", w->state,
	    w->found == WHO_LOCAL ? ", not over TCP" : "");
	if (w->found == WHO_HIDDEN)
		out_line(o, "%s",
		    "  This role may not see whose it is: grant it pg_monitor "
		    "(GRANT pg_monitor TO …), or name another with "
		    "--conninfo.");
	if (w->found != WHO_CLIENT)
		return;
	out_line(o, "  server sees  %s:%u", w->client.addr,
	    (unsigned)w->client.port);
	show_session(j, w, s);
}

/* Where HAProxy's sessions with it end. */
static struct sess_at server_of(const struct job *j, const cJSON *m)
{
	const cJSON *front = json_get(m, "front");
	const cJSON *in = look_text(front, "address", NULL) != NULL ? front : m;
	struct sess_at at = {.port = (uint16_t)json_i64(in, "port")};

	if (j->cluster != NULL && j->cluster->hap.server_port != 0)
		at.port = j->cluster->hap.server_port;
	(void)snprintf(
	    at.addr, sizeof(at.addr), "%s", look_text(in, "address", ""));
	return at;
}

static void ask_member(struct job *j, const cJSON *m)
{
	const char *name = look_text(m, "name", "?");
	struct who_member of = {.conf = j->cluster, .conninfo = j->conninfo};
	struct who_session s = {.found = false};
	struct who w;

	if (!pgask_of(j->cluster, m, &of.at))
		return;
	who_ask(&of, j->pid, &w);
	if (w.found == WHO_CLIENT) {
		struct sess_at server = server_of(j, m);

		who_session(&j->conf->prober, &w.client, &server, &s);
	}
	j->found += w.found >= WHO_HIDDEN ? 1 : 0;
	j->failed = j->failed || w.found == WHO_FAILED;
	j->named = j->named || s.found || w.found == WHO_LOCAL;
	if (j->list != NULL)
		print(j, name, &w, &s);
	else
		show(j, name, &w, &s);
}

static void ask_all(struct job *j, const cJSON *c, const char *only)
{
	const cJSON *m = only != NULL ? ctl_member(j->ctl, c, only)
				      : json_first(json_get(c, "members"));

	if (only != NULL && m == NULL) {
		j->failed = true;
		return;
	}
	for (; m != NULL; m = only != NULL ? NULL : m->next)
		ask_member(j, m);
}

static int verdict(struct job *j)
{
	if (j->list != NULL)
		ctl_print_json(j->ctl, j->list);
	else if (j->found == 0 && !j->failed)
		out_line(&j->ctl->out, "No member has a process %lld.",
		    (long long)j->pid);
	if (j->named)
		return CTL_OK;
	return j->found == 0 && j->failed ? CTL_FAILED : CTL_NO;
}

static int run(struct ctl *ctl, const struct args *args)
{
	struct job j = {.ctl = ctl, .conninfo = args_text(args, "conninfo")};
	uint64_t pid = 0;
	const cJSON *c;
	cJSON *doc;
	int rc = CTL_FAILED;

	if (!num_u64(slice_str(args->operand[0]), 1, INT32_MAX, &pid))
		return ctl_fail(ctl,
		    "who: \"%s\" is not possible, expected a process id",
		    args->operand[0]);
	j.pid = (int64_t)pid;
	j.conf = ctl_conf(ctl);
	doc = j.conf != NULL ? ctl_topology(ctl) : NULL;
	c = doc != NULL ? ctl_one_cluster(ctl, doc) : NULL;
	j.cluster = c != NULL ? ctl_conf_cluster(ctl, c) : NULL;
	if (j.cluster != NULL && j.cluster->probe_user[0] == '\0' &&
	    j.conninfo == NULL) {
		(void)ctl_fail(ctl,
		    "who: there is no probe_user in %s, "
		    "expected --conninfo \"user=…\"",
		    ctl->conf_path);
	} else if (c != NULL) {
		j.list = ctl->json ? cJSON_CreateArray() : NULL;
		ask_all(&j, c, args_text(args, "member"));
		rc = verdict(&j);
	}
	cJSON_Delete(j.list);
	cJSON_Delete(doc);
	return rc;
}

const struct command cmd_who = {
    .name = "who",
    .operands = "PID",
    .least = 1,
    .most = 1,
    .text = "the application behind a backend's process id",
    .more = "Asks pg_stat_activity for the backend's peer, which is HAProxy, "
	    "and HAProxy, old processes too, for the session with that "
	    "source port. The role needs pg_monitor (or pg_read_all_stats).",
    .options = options,
    .run = run,
};
