/*
 * main.c - patroute-spoa: tells HAProxy where each new connection belongs.
 *
 * Options, configuration, sockets, privileges, loop: in this order, and why is
 * said where it matters.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "ping.h"
#include "process.h"

#define CONF_DEFAULT "/etc/patroute/patroute.conf"
/* HAProxy 3.2 opens one connection for each held stream of a burst. */
#define FILES_WANTED 32768

enum job {
	JOB_RUN = 0,
	JOB_CHECK,
	JOB_PING,
	JOB_DEEP
};

static void usage(FILE *out)
{
	(void)fputs("usage: patroute-spoa [-c FILE] [--check | --ping | "
		    "--deep]\n"
		    "       patroute-spoa -v | -h\n"
		    "\n"
		    "  -c FILE    configuration, default " CONF_DEFAULT "\n"
		    "  --check    check the configuration and exit\n"
		    "  --ping     ask the running agent, as HAProxy does\n"
		    "  --deep     the same, and have it decide\n"
		    "  -v         say the version\n",
	    out);
}

/* Gives: the job; for those that end here, exits. */
static enum job read_options(int argc, char **argv, const char **conf)
{
	static const struct option options[] = {
	    {"check", no_argument, NULL, 'k'},
	    {"ping", no_argument, NULL, 'p'},
	    {"deep", no_argument, NULL, 'd'},
	    {"version", no_argument, NULL, 'v'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	enum job job = JOB_RUN;
	int c;

	while ((c = getopt_long(argc, argv, "c:vh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			*conf = optarg;
			break;
		case 'k':
			job = JOB_CHECK;
			break;
		case 'p':
			job = JOB_PING;
			break;
		case 'd':
			job = JOB_DEEP;
			break;
		case 'v':
			(void)puts("patroute-spoa " PATROUTE_VERSION);
			exit(0);
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		usage(stderr);
		exit(2);
	}
	return job;
}

/* Gives: the exit status: 0 it answers, 1 it does not, 2 cannot be asked. */
static int ping(const struct conf *conf, bool deep)
{
	const char *name = deep ? "--deep" : "--ping", *wrong;

	if (!ping_is_possible(conf)) {
		(void)fprintf(stderr,
		    "patroute-spoa: %s: agent.listen has only tls:, expected "
		    "unix: or tcp: too\n",
		    name);
		return 2;
	}
	wrong = ping_agent(conf, deep);
	if (wrong == NULL)
		return 0;
	(void)fprintf(stderr, "patroute-spoa: %s: %s\n", name, wrong);
	return 1;
}

int main(int argc, char **argv)
{
	const char *path = CONF_DEFAULT;
	enum job job = read_options(argc, argv, &path);
	struct conf_err err;
	struct conf *conf;
	struct app *app;
	uint32_t files;

	log_init("patroute-spoa", LOG_LVL_INFO);
	conf = conf_load(path, &err);
	if (conf == NULL && (job == JOB_PING || job == JOB_DEEP)) {
		(void)fprintf(stderr, "patroute-spoa: %s\n", err.text);
		return 2;
	}
	if (conf == NULL)
		fatal("%s", err.text);
	if (job != JOB_RUN) {
		int rc = job == JOB_CHECK ? 0 : ping(conf, job == JOB_DEEP);

		conf_free(conf);
		return rc;
	}
	log_set_level(conf->agent.log_level);
	/* A peer that goes while we write is an error of that write only. */
	(void)sigaction(
	    SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	app = calloc(1, sizeof(*app));
	if (app == NULL)
		fatal("cannot start: %s", strerror(errno));
	app->conf = conf;
	app->conf_path = path;
	files = process_files(FILES_WANTED);
	/* Root may make sockets in /run; what serves them need not be root. */
	listeners_make(conf, path, &app->listeners);
	process_drop(conf, path);
	if (!app_begin(app, files))
		fatal("cannot start: no memory or no event loop");
	log_info("ready listeners=%u clusters=%u conns_max=%u",
	    app->listeners.n, conf->cluster_n, app->conns.max);
	process_notify("READY=1");
	app_run(app);
	log_info("stop decisions=%llu",
	    (unsigned long long)app->agent.stats.decisions);
	app_end(app);
	free(app);
	return 0;
}
