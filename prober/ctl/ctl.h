/*
 * ctl.h - what every command of patroutectl has in its hands.
 *
 * A command is a file: its table of options, its sentence, and run(), which
 * asks the prober, says what it heard on ctl->out, and gives the exit status.
 */
#ifndef CTL_H
#define CTL_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "args.h"
#include "conf.h"
#include "ctl_http.h"
#include "out.h"

/* The exit status. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_NO = 1,     /* the answer is no, not found, or unhealthy */
	CTL_FAILED = 2, /* wrong usage, or it cannot be asked */
};

struct ctl {
	const char *conf_path;
	const char *socket; /* -s; NULL: the configuration's */
	const char *only;   /* --cluster; NULL: each */
	bool json;
	struct conf *conf; /* once ctl_conf() has been called */
	struct ctl_http *http;
	struct out out;
};

struct command {
	const char *name;
	const char *operands; /* "MEMBER|classic", "" for none */
	unsigned least, most; /* how many of them */
	const char *text;     /* what it does, for the list of commands */
	const char *more;     /* what `help NAME` adds, NULL: nothing */
	const struct args_option *options; /* NULL: the common ones alone */
	int (*run)(struct ctl *ctl, const struct args *args);
};

extern const struct command cmd_status, cmd_watch, cmd_explain, cmd_events,
    cmd_report, cmd_drain, cmd_undrain, cmd_force, cmd_unforce, cmd_hold,
    cmd_resume, cmd_observe, cmd_who, cmd_render, cmd_doctor, cmd_init;

/* "patroutectl: …" on standard error, cleaned. Gives: CTL_FAILED. */
int ctl_fail(const struct ctl *ctl, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The configuration, read once. Gives: NULL, and it has been said why.
 */
const struct conf *ctl_conf(struct ctl *ctl);

/*
 * What it says of a cluster of /topology, where this user may read it. Gives:
 * NULL, and nothing has been said.
 */
const struct conf_cluster *ctl_conf_cluster(struct ctl *ctl, const cJSON *c);

/* The prober's socket: -s, the configuration's, or else the default. */
const char *ctl_socket(struct ctl *ctl);

/*
 * Asks this host's prober for a JSON document. Gives: NULL, and it has been
 * said why; otherwise cJSON_Delete() ends it.
 */
cJSON *ctl_get(struct ctl *ctl, const char *path)
    __attribute__((warn_unused_result));

/* The same, with a body to POST; *status is the answer's. */
cJSON *ctl_post(struct ctl *ctl, const char *path, const cJSON *body,
    long *status) __attribute__((warn_unused_result));

/* /topology, with nothing but --cluster's in it, if that was given. */
cJSON *ctl_topology(struct ctl *ctl) __attribute__((warn_unused_result));

/*
 * The one cluster that a command is about: --cluster's, or the only one there
 * is. Gives: NULL, and it has been said what to add.
 */
const cJSON *ctl_one_cluster(struct ctl *ctl, const cJSON *topology)
    __attribute__((warn_unused_result));

/* The member of that cluster, NULL, and it has been said who there is. */
const cJSON *ctl_member(
    struct ctl *ctl, const cJSON *cluster, const char *name);

/* A document on standard output, as --json wants it. */
void ctl_print_json(struct ctl *ctl, const cJSON *doc);

#endif
