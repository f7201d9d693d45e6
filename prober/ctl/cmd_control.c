/*
 * cmd_control.c - orders: drain, undrain, force, unforce, hold, resume,
 * observe. The prober judges them, keeps them, and says until when and where
 * they are in force.
 */
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "look.h"

#define SECOND_US 1000000LL
#define DAY_US (86400 * SECOND_US)

static const struct args_option for_and_why[] = {
    {ARGS_DURATION, "for", '\0', "DURATION", "how long it is in force",
	SECOND_US, 7 * DAY_US},
    {ARGS_TEXT, "reason", 'r', "TEXT", "why, for whoever sees it", 0, 0},
    {ARGS_FLAG, "here", '\0', NULL, "on this host alone, not in etcd", 0, 0},
    {.kind = ARGS_END},
};

static const struct args_option why[] = {
    {ARGS_TEXT, "reason", 'r', "TEXT", "why, for whoever sees it", 0, 0},
    {ARGS_FLAG, "here", '\0', NULL, "on this host alone, not in etcd", 0, 0},
    {.kind = ARGS_END},
};

/* user@host: who sits at the keyboard, not whom sudo made of them. */
static void who_asks(char *buf, size_t size)
{
	const char *sudo = geteuid() == 0 ? getenv("SUDO_USER") : NULL;
	const struct passwd *pw = getpwuid(geteuid());
	char host[HOST_NAME_MAX + 1] = "";

	if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
		(void)snprintf(host, sizeof(host), "localhost");
	(void)snprintf(buf, size, "%s@%s",
	    sudo != NULL && sudo[0] != '\0' ? sudo
		: pw != NULL                ? pw->pw_name
					    : "?",
	    host);
}

/* --cluster's, or the only one that the prober has. */
static bool name_cluster(struct ctl *ctl, cJSON *order)
{
	cJSON *doc = ctl_topology(ctl);
	const cJSON *c = doc != NULL ? ctl_one_cluster(ctl, doc) : NULL;

	if (c != NULL)
		(void)cJSON_AddStringToObject(
		    order, "cluster", look_text(c, "name", ""));
	cJSON_Delete(doc);
	return c != NULL;
}

static int send_order(struct ctl *ctl, const cJSON *order)
{
	long status = 0;
	cJSON *answer = ctl_post(ctl, "/control", order, &status);
	bool ok = answer != NULL && status == 200 && look_true(answer, "ok");

	if (answer == NULL)
		return CTL_FAILED;
	if (ctl->json) {
		ctl_print_json(ctl, answer);
	} else if (ok) {
		out_line(&ctl->out, "%s", look_text(answer, "text", "done"));
	} else {
		(void)ctl_fail(ctl, "%s",
		    look_text(answer, "text", "the prober gave no reason"));
	}
	cJSON_Delete(answer);
	return ok ? CTL_OK : CTL_NO;
}

struct order {
	const char *verb, *member;
	int64_t for_us; /* 0: none */
	const char *reason;
	bool here;
};

static int give(struct ctl *ctl, const struct order *order)
{
	char by[256];
	cJSON *o = cJSON_CreateObject();
	int64_t for_s = order->for_us / SECOND_US;
	int rc = CTL_FAILED;

	who_asks(by, sizeof(by));
	if (name_cluster(ctl, o)) {
		(void)cJSON_AddStringToObject(o, "verb", order->verb);
		if (order->member != NULL)
			(void)cJSON_AddStringToObject(
			    o, "member", order->member);
		if (for_s > 0)
			(void)cJSON_AddNumberToObject(
			    o, "for_s", (double)for_s);
		if (order->reason != NULL)
			(void)cJSON_AddStringToObject(
			    o, "reason", order->reason);
		(void)cJSON_AddStringToObject(o, "by", by);
		if (order->here)
			(void)cJSON_AddStringToObject(o, "where", "host");
		rc = send_order(ctl, o);
	}
	cJSON_Delete(o);
	return rc;
}

static int with_term(struct ctl *ctl, const struct args *a, const char *verb,
    int64_t otherwise_us)
{
	return give(ctl,
	    &(struct order){verb, a->operands > 0 ? a->operand[0] : NULL,
		args_number(a, "for", otherwise_us), args_text(a, "reason"),
		is_arg(a, "here")});
}

static int without_term(struct ctl *ctl, const struct args *a, const char *verb)
{
	return give(ctl,
	    &(struct order){verb, a->operands > 0 ? a->operand[0] : NULL, 0,
		args_text(a, "reason"), is_arg(a, "here")});
}

static int run_drain(struct ctl *ctl, const struct args *a)
{
	return with_term(ctl, a, "drain", 3600 * SECOND_US);
}

static int run_undrain(struct ctl *ctl, const struct args *a)
{
	return without_term(ctl, a, "undrain");
}

static int run_force(struct ctl *ctl, const struct args *a)
{
	return with_term(ctl, a, "force", 600 * SECOND_US);
}

static int run_unforce(struct ctl *ctl, const struct args *a)
{
	return without_term(ctl, a, "unforce");
}

static int run_hold(struct ctl *ctl, const struct args *a)
{
	return with_term(ctl, a, "hold", 60 * SECOND_US);
}

static int run_resume(struct ctl *ctl, const struct args *a)
{
	return without_term(ctl, a, "resume");
}

static int run_observe(struct ctl *ctl, const struct args *a)
{
	const char *word = a->operand[0];
	bool on = strcmp(word, "on") == 0;

	if (!on && strcmp(word, "off") != 0)
		return ctl_fail(ctl,
		    "observe: \"%s\" is not possible, expected on or off",
		    word);
	return give(ctl,
	    &(struct order){on ? "observe" : "live", NULL, 0,
		args_text(a, "reason"), is_arg(a, "here")});
}

const struct command cmd_drain = {
    .name = "drain",
    .operands = "MEMBER",
    .least = 1,
    .most = 1,
    .text = "no new reads on a member",
    .more = "Sessions that are open stay. Of the leader it concerns reads "
	    "only. Without --for it ends after 1h.",
    .options = for_and_why,
    .run = run_drain,
};

const struct command cmd_undrain = {
    .name = "undrain",
    .operands = "MEMBER",
    .least = 1,
    .most = 1,
    .text = "takes a drain back",
    .options = why,
    .run = run_undrain,
};

const struct command cmd_force = {
    .name = "force",
    .operands = "MEMBER|classic",
    .least = 1,
    .most = 1,
    .text = "writes go to this member, or all goes the classic way",
    .more = "Never to a member that is in recovery. `classic` takes the "
	    "decision from patroute: HAProxy asks Patroni itself. Without "
	    "--for it ends after 10min.",
    .options = for_and_why,
    .run = run_force,
};

const struct command cmd_unforce = {
    .name = "unforce",
    .operands = "",
    .text = "takes a force back",
    .options = why,
    .run = run_unforce,
};

const struct command cmd_hold = {
    .name = "hold",
    .operands = "",
    .text = "new writes wait",
    .more = "They wait as while there is no leader, hold_timeout at most "
	    "each, and are let go in order afterwards. Without --for it ends "
	    "after 1min.",
    .options = for_and_why,
    .run = run_hold,
};

const struct command cmd_resume = {
    .name = "resume",
    .operands = "",
    .text = "takes a hold back",
    .options = why,
    .run = run_resume,
};

const struct command cmd_observe = {
    .name = "observe",
    .operands = "on|off",
    .least = 1,
    .most = 1,
    .text = "on: decide and count, but HAProxy routes classic; off: live",
    .more = "It stays until it is changed, and comes before the "
	    "configuration's cluster.observe. No session ends either way.",
    .options = why,
    .run = run_observe,
};
