/*
 * explain_connect.c - what becomes of a connection, by the agent's own
 * functions: startup_parse() and route_decide().
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "explain.h"

static bool fetch(struct ctl *ctl, const char *cluster, struct snapshot *snap)
{
	char url[LIM_TEXT];
	struct ctl_http_got got;
	struct ctl_http_ask q = {.socket = ctl_socket(ctl),
	    .url = url,
	    .accept = "application/octet-stream",
	    .timeout = dur_ms(5000)};
	bool good = false;

	(void)snprintf(url, sizeof(url), "http://prober/snapshot/%s", cluster);
	if (!ctl_http_ask(ctl->http, &q, &got))
		(void)ctl_fail(ctl, "%s: %s", q.socket, got.why);
	else if (got.status != 200)
		(void)ctl_fail(ctl,
		    "/snapshot/%s: status %ld, expected 200: this prober has "
		    "no such cluster, or no verdict for it yet",
		    cluster, got.status);
	else if (!snap_decode(slice_of(got.body, got.len), snap))
		(void)ctl_fail(ctl,
		    "/snapshot/%s: not a snapshot of this version", cluster);
	else
		good = true;
	ctl_http_done(&got);
	return good;
}

static const char *want_name(uint8_t want)
{
	switch ((enum intent_want)want) {
	case INTENT_PRIMARY:
		return "primary";
	case INTENT_REPLICA:
		return "replica";
	case INTENT_SYNC:
		return "sync";
	case INTENT_ANY:
		return "any";
	case INTENT_NONE:
		break;
	}
	return "none";
}

struct found {
	const struct conf_listen *listen;
	const char *cluster;
	struct intent it;
	struct decision d;
	const struct snapshot *snap;
	bool understood;
};

static const struct snap_member *member_of(const struct found *f)
{
	return f->d.member >= 0 ? &f->snap->m[f->d.member] : NULL;
}

static void print(struct ctl *ctl, const struct found *f)
{
	static const char *const kind[] = {[ROUTE_REFUSE] = "refuse",
	    [ROUTE_TO] = "route",
	    [ROUTE_WAIT] = "wait"};
	const struct snap_member *m = member_of(f);
	cJSON *o = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(o, "listen", f->listen->name);
	(void)cJSON_AddStringToObject(o, "cluster", f->cluster);
	(void)cJSON_AddStringToObject(o, "asks_for", want_name(f->it.want));
	(void)cJSON_AddBoolToObject(
	    o, "chosen_by_startup", (f->it.flags & INTENT_F_OPTIONS) != 0);
	(void)cJSON_AddBoolToObject(o, "understood", f->understood);
	(void)cJSON_AddStringToObject(o, "outcome", kind[f->d.kind]);
	(void)cJSON_AddStringToObject(
	    o, "action", route_action_name((enum route_action)f->d.action));
	if (m != NULL) {
		(void)cJSON_AddStringToObject(o, "member", m->name);
		(void)cJSON_AddStringToObject(o, "server", m->server);
	} else {
		(void)cJSON_AddNullToObject(o, "member");
		(void)cJSON_AddNullToObject(o, "server");
	}
	(void)cJSON_AddStringToObject(
	    o, "why", snap_why_name((enum snap_why)f->d.why));
	(void)cJSON_AddStringToObject(
	    o, "why_text", snap_why_text((enum snap_why)f->d.why));
	(void)cJSON_AddNumberToObject(
	    o, "hold_timeout_ms", (double)dur_to_ms(f->listen->hold_timeout));
	ctl_print_json(ctl, o);
	cJSON_Delete(o);
}

static void show(struct ctl *ctl, const struct found *f)
{
	struct out *o = &ctl->out;
	const struct snap_member *m = member_of(f);
	const char *why = snap_why_text((enum snap_why)f->d.why);

	assert(f->snap != NULL);
	out_line(o, "port %u is listener %s of cluster %s, target %s",
	    (unsigned)f->listen->port, f->listen->name, f->cluster,
	    want_name((uint8_t)f->listen->target));
	if ((f->it.flags & INTENT_F_TLS) != 0)
		out_line(o, "%s",
		    "it asks for TLS first: only the port and a direct TLS "
		    "server name can be read");
	else if (!f->understood)
		out_line(o, "%s",
		    "its packet is not understood: the listener's target "
		    "counts");
	else if (!f->listen->startup_options)
		out_line(o, "%s",
		    "the listener does not read options "
		    "(startup_options = false)");
	out_line(o, "so it asks for: %s%s", want_name(f->it.want),
	    (f->it.flags & INTENT_F_OPTIONS) != 0 ? " (by its own options)"
						  : "");
	switch (f->d.kind) {
	case ROUTE_TO:
		out_part(o, OUT_GOOD, "→ %s", m != NULL ? m->server : "?");
		out_line(o, " (%s), action %s: %s", m != NULL ? m->name : "?",
		    route_action_name((enum route_action)f->d.action), why);
		break;
	case ROUTE_WAIT:
		out_part(o, OUT_WARN, "→ it waits");
		out_line(o, " for at most %lld ms, then it is refused: %s",
		    (long long)dur_to_ms(f->listen->hold_timeout), why);
		break;
	case ROUTE_REFUSE:
		out_part(o, OUT_BAD, "→ it is refused at once");
		out_line(o, ": %s", why);
		break;
	}
	if (f->snap->planned)
		out_line(o, "%s", "a planned switchover is under way");
}

int explain_connect(struct ctl *ctl, const struct args *args)
{
	const struct conf *conf = ctl_conf(ctl);
	const struct ask ask = {.user = args_text(args, "user"),
	    .database = args_text(args, "database"),
	    .options = args_text(args, "options"),
	    .application_name = args_text(args, "application-name"),
	    .sni = args_text(args, "sni"),
	    .tls = is_arg(args, "tls"),
	    .replication = is_arg(args, "replication")};
	int64_t port = args_number(args, "port", 0);
	struct rr rr = {0};
	struct snapshot snap;
	struct found f = {.snap = &snap};
	int listen;

	if (conf == NULL)
		return CTL_FAILED;
	listen = conf_listen_by_port(conf, (uint16_t)port);
	if (port == 0 || listen < 0)
		return ctl_fail(ctl,
		    "explain connect: --port %lld is no listener's, expected "
		    "a port of a `listen` section of %s",
		    (long long)port, ctl->conf_path);
	f.listen = &conf->listen[listen];
	f.cluster = conf->cluster[f.listen->cluster].name;
	f.understood = ask_intent(&ask, conf, (uint16_t)listen, &f.it);
	if (!fetch(ctl, f.cluster, &snap))
		return CTL_FAILED;
	f.d = route_decide(&snap, &f.it, &rr);
	if (ctl->json)
		print(ctl, &f);
	else
		show(ctl, &f);
	return f.d.kind == ROUTE_TO ? CTL_OK : CTL_NO;
}
