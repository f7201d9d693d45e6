/*
 * main.c - patroute-prober: watches Patroni clusters, tells agents and HAProxy.
 *
 * The order below is the order in which things may fail: the configuration
 * before any side effect, sockets while /run is still ours to write, names
 * resolved by a child that has none of our connections.
 */
#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "app.h"
#include "log.h"
#include "ping.h"
#include "process.h"
#include "resolve.h"

#define PROGRAM "patroute-prober"
#define CONF_PATH "/etc/patroute/patroute.conf"

static void usage(FILE *out)
{
	fprintf(out,
	    "usage: " PROGRAM " [-c FILE] [--check | --ping | --health]\n"
	    "       " PROGRAM " [-c FILE] --print-vip\n"
	    "       " PROGRAM " --print-example | --print-man | -v | -h\n"
	    "  -c FILE          configuration, default " CONF_PATH "\n"
	    "  --check          check it and exit: 0 good, 1 not\n"
	    "  --ping           ask the running prober, as HAProxy does\n"
	    "  --health         ask it how well this host routes; standard\n"
	    "                   input has what members other hosts reach\n"
	    "  --print-vip      its section vip, for a shell\n"
	    "  --print-example  a commented example of it\n"
	    "  --print-man      its keys as man page source\n");
}

struct options {
	const char *conf_path;
	bool check, ping, health, print_vip;
};

/* Gives: the options; does not return where one asks for text only. */
static struct options parse_options(int argc, char **argv)
{
	static const struct option known[] = {{"check", no_argument, NULL, 'n'},
	    {"ping", no_argument, NULL, 'p'},
	    {"health", no_argument, NULL, 'l'},
	    {"print-vip", no_argument, NULL, 'i'},
	    {"print-example", no_argument, NULL, 'e'},
	    {"print-man", no_argument, NULL, 'm'},
	    {"version", no_argument, NULL, 'v'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct options o = {.conf_path = CONF_PATH};
	int c;

	while ((c = getopt_long(argc, argv, "c:vh", known, NULL)) != -1) {
		if (c == 'c')
			o.conf_path = optarg;
		else if (c == 'n')
			o.check = true;
		else if (c == 'p')
			o.ping = true;
		else if (c == 'l')
			o.ping = o.health = true;
		else if (c == 'i')
			o.print_vip = true;
		else if (c == 'e')
			conf_print_example(stdout);
		else if (c == 'm')
			conf_print_man(stdout);
		else if (c == 'v')
			puts(PROGRAM " " PATROUTE_VERSION);
		else
			usage(c == 'h' ? stdout : stderr);
		if (strchr("cnpil", c) == NULL)
			exit(c == '?' ? 2 : 0);
	}
	if (optind < argc) {
		usage(stderr);
		exit(2);
	}
	return o;
}

/* Gives: the exit status: 0 it answers, 1 it does not, 2 cannot be asked. */
static int ping(const struct options *opt)
{
	char others[LIM_HTTP_BODY];
	struct conf_err err;
	struct conf *conf = conf_load(opt->conf_path, &err);
	const char *wrong;
	size_t n = 0;

	if (conf == NULL) {
		fprintf(stderr, PROGRAM ": %s\n", err.text);
		return 2;
	}
	if (opt->health) {
		n = fread(others, 1, sizeof(others), stdin);
		wrong = ping_health(conf, slice_of(others, n), stdout);
	} else {
		wrong = ping_prober(conf);
	}
	conf_free(conf);
	if (wrong == NULL)
		return 0;
	fprintf(stderr, PROGRAM ": --%s: %s\n", opt->health ? "health" : "ping",
	    wrong);
	return 1;
}

int main(int argc, char **argv)
{
	const struct options o = parse_options(argc, argv);
	struct app app = {.magic = APP_MAGIC, .conf_path = o.conf_path};
	struct conf_err err;
	const char *failed;

	log_init(PROGRAM, LOG_LVL_INFO);
	if (o.ping)
		return ping(&o);
	app.conf = conf_load(o.conf_path, &err);
	if (app.conf == NULL)
		fatal("%s", err.text);
	if (o.print_vip)
		conf_print_vip(app.conf, stdout);
	if (o.check || o.print_vip) {
		conf_free(app.conf);
		return 0;
	}
	log_set_level(app.conf->prober.log_level);
	/* A peer that goes while we write is an errno, not the end of us. */
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	daemon_limits(app.conf);
	daemon_listen(app.conf, o.conf_path, &app.socks);
	daemon_drop(app.conf, o.conf_path);
	/* After the drop: resolving names takes no privilege. */
	app.resolve = resolve_new();
	if (app.resolve == NULL)
		fatal("cannot start the resolver: %s", strerror(errno));
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		fatal("cannot start libcurl");
	if (getrandom(&app.boot_id, sizeof(app.boot_id), 0) == -1)
		fatal("getrandom: %s", strerror(errno));
	app.boot_id |= 1; /* not 0 */
	app.started = mono_now();
	app.loop = ev_loop_new(EVFLAG_AUTO);
	if (app.loop == NULL)
		fatal("cannot start the event loop: %s", strerror(errno));
	failed = app_start(&app);
	if (failed != NULL)
		fatal("cannot start %s: out of memory or descriptors, or what "
		      "stands above",
		    failed);
	/* Ready to serve; whether there is a verdict /healthz says. */
	process_notify("READY=1");
	log_info(
	    "ready version=" PATROUTE_VERSION " clusters=%u", app.cluster_n);
	(void)ev_run(app.loop, 0);
	process_notify("STOPPING=1");
	app_stop(&app);
	ev_loop_destroy(app.loop);
	conf_free(app.conf);
	curl_global_cleanup();
	return 0;
}
