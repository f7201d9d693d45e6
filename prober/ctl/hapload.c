/*
 * hapload.c - see hapload.h. Source: management.txt of 2.6, 9.4.
 */
#include "hapload.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

static bool order(const struct conf *c, char why[static LIM_TEXT])
{
	const char *const systemd[] = {"systemctl", "reload", "haproxy", NULL};

	switch (c->haproxy.reload) {
	case CONF_RELOAD_SYSTEMD:
		return tell(systemd, why);
	case CONF_RELOAD_SOCKET:
		return by_socket(c->prober.haproxy_master_socket.path[0], why);
	}
	assert(false && "no way to reload");
	return false;
}

/* Does this argument name the file, or the folder it is in? */
static bool is_file(const char *word, const char *path)
{
	char folder[LIM_TEXT];
	const char *end = strrchr(path, '/');
	struct stat a, b;

	if (stat(word, &a) == -1)
		return false;
	if (stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		return true;
	(void)snprintf(folder, sizeof(folder), "%.*s",
	    end != NULL ? (int)(end - path) + 1 : 1, end != NULL ? path : ".");
	return stat(folder, &b) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino;
}

/* Does a reload of that process read the file? Its arguments stay what they
   were; where they cannot be seen nothing is said against it. */
static bool is_reading(uint64_t pid, const char *path)
{
	char name[sizeof("/proc//cmdline") + 20], words[4096];
	bool found = false, named = false;
	size_t n;
	FILE *f;

	(void)snprintf(
	    name, sizeof(name), "/proc/%llu/cmdline", (unsigned long long)pid);
	f = fopen(name, "re");
	n = f != NULL ? fread(words, 1, sizeof(words) - 1, f) : 0;
	if (f != NULL)
		(void)fclose(f);
	words[n] = '\0';
	/* Of another namespace of processes it would be somebody else. */
	if (n == sizeof(words) - 1 || strstr(words, "haproxy") == NULL)
		return true;
	for (size_t i = 0; i < n && !found; i += strlen(words + i) + 1) {
		if (strcmp(words + i, "-f") != 0)
			continue;
		i += strlen(words + i) + 1;
		named = true;
		/* What is no whole path is from a folder of its own. */
		found = i >= n || words[i] != '/' || is_file(words + i, path);
	}
	return found || !named;
}

enum hapload hapload(const struct conf *c, char why[static LIM_TEXT])
{
	uint64_t was = serving(c);
	char said[LIM_TEXT] = "";

	why[0] = '\0';
	if (was == 0)
		return HAPLOAD_NONE;
	if (!is_reading(was, c->haproxy.file)) {
		(void)snprintf(why, LIM_TEXT,
		    "HAProxy's process %llu serves from another file, expected "
		    "a restart with this one",
		    (unsigned long long)was);
		return HAPLOAD_FAILED;
	}
	if (!order(c, said)) {
		memcpy(why, said, sizeof(said));
		return HAPLOAD_FAILED;
	}
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
