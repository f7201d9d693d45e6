/*
 * hapload.c - see hapload.h. Source: management.txt of 2.6, 9.4.
 */
#include "hapload.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "hapask.h"
#include "num.h"

#define TRIES 100
#define STEP_MS 100

static bool line_cb(void *arg, struct slice line)
{
	static const char lead[] = "Pid: ";
	uint64_t *pid = arg;

	if (line.len > strlen(lead) && memcmp(line.p, lead, strlen(lead)) == 0)
		return !num_u64(
		    slice_skip(line, strlen(lead)), 1, UINT32_MAX, pid);
	return true;
}

/* Gives: the process that serves, 0: none answers. */
static uint64_t serving(const struct conf *c)
{
	uint64_t pid = 0;

	if (hapask(c->prober.haproxy_socket.path[0], "show info", line_cb,
		&pid) != NULL)
		return 0;
	return pid;
}

static bool nothing_cb(void *arg, struct slice line)
{
	(void)arg, (void)line;
	return true;
}

static bool tell(const char *const *argv, char why[static LIM_TEXT])
{
	struct child ran;
	bool ok;

	child_run(argv, &ran);
	ok = ran.status == 0;
	if (!ok)
		(void)snprintf(why, LIM_TEXT, "%s %s: %.150s", argv[0], argv[1],
		    ran.said != NULL && ran.said[0] != '\0' ? ran.said
							    : "it failed");
	child_done(&ran);
	return ok;
}

/* 2.6 ends the connection without a word: what became of it is seen by who
   serves. */
static bool by_socket(const char *path, char why[static LIM_TEXT])
{
	const char *wrong;

	if (access(path, W_OK) == -1) {
		(void)snprintf(why, LIM_TEXT,
		    "%s: %s, expected HAProxy's master socket (-S)", path,
		    strerrordesc_np(errno));
		return false;
	}
	wrong = hapask(path, "reload", nothing_cb, NULL);
	if (wrong != NULL)
		(void)snprintf(why, LIM_TEXT, " (%.100s: %.50s)", path, wrong);
	return true;
}

static bool order(
    const struct conf *c, const char *revision, char why[static LIM_TEXT])
{
	const char *const systemd[] = {"systemctl", "reload", "haproxy", NULL};
	const char *const pacemaker[] = {"crm_resource", "--resource",
	    c->haproxy.resource, "--set-parameter", "revision",
	    "--parameter-value", revision, NULL};

	switch (c->haproxy.reload) {
	case CONF_RELOAD_SYSTEMD:
		return tell(systemd, why);
	case CONF_RELOAD_PACEMAKER:
		return tell(pacemaker, why);
	case CONF_RELOAD_SOCKET:
		return by_socket(c->prober.haproxy_master_socket.path[0], why);
	}
	assert(false && "no way to reload");
	return false;
}

enum hapload hapload(
    const struct conf *c, const char *revision, char why[static LIM_TEXT])
{
	uint64_t was = serving(c);
	char said[LIM_TEXT] = "";

	why[0] = '\0';
	if (was == 0 && c->haproxy.reload != CONF_RELOAD_PACEMAKER)
		return HAPLOAD_NONE;
	if (!order(c, revision, said)) {
		memcpy(why, said, sizeof(said));
		return HAPLOAD_FAILED;
	}
	if (was == 0)
		return HAPLOAD_GIVEN;
	for (unsigned i = 0; i < TRIES; i++) {
		const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
		uint64_t now = serving(c);

		if (now != 0 && now != was)
			return HAPLOAD_DONE;
		(void)nanosleep(&step, NULL);
	}
	(void)snprintf(why, LIM_TEXT,
	    "process %llu serves still after %d s%.160s, see HAProxy's log",
	    (unsigned long long)was, TRIES * STEP_MS / 1000, said);
	return HAPLOAD_FAILED;
}
