/*
 * main.c - patroute-meter: commands on standard input, the history on
 * standard output, complaints on standard error.
 *
 * One loop, one thread. It measures and never judges: what a history means is
 * said by the functions of measures.py and invariants.py. It shares no code
 * with the programs it measures, so that their mistakes are not its own.
 */
#include "clock.h"
#include "cmd.h"
#include "etcd.h"
#include "members.h"
#include "meter.h"
#include "sessions.h"
#include "targets.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FLUSH_S 0.05
#define DESCRIPTORS 65536

struct app {
	struct meter m;
	struct hist hist;
	ev_io input;
	ev_timer flush, drain;
	ev_signal term, intr;
	int64_t begun_ns;
	size_t len;
	bool stopping;
	int rc;
	char line[CMD_LINE];
};

static void complain(struct app *a, const char *why)
{
	(void)fprintf(stderr, "patroute-meter: %s\n", why);
	if (!a->m.started) {
		a->rc = 2;
		a->stopping = true;
		ev_break(a->m.loop, EVBREAK_ALL);
		return;
	}
	a->rc = 1;
	hist_begin(&a->hist, clock_now_ns(), "error");
	hist_str(&a->hist, "msg", why);
	hist_end(&a->hist);
}

static void begin_stop(struct app *a, int64_t drain_ms)
{
	if (a->stopping)
		return;
	a->stopping = true;
	targets_pause(a->m.targets);
	if (drain_ms == 0) {
		ev_break(a->m.loop, EVBREAK_ALL);
		return;
	}
	ev_timer_set(&a->drain, (double)drain_ms / 1000.0, 0.0);
	ev_timer_start(a->m.loop, &a->drain);
}

static void obey(struct app *a, char *line)
{
	char why[CMD_LINE];
	int64_t drain_ms = 0;

	switch (cmd_run(&a->m, line, why, sizeof(why), &drain_ms)) {
	case CMD_OK:
		return;
	case CMD_BAD:
		complain(a, why);
		return;
	case CMD_STOP:
		begin_stop(a, drain_ms);
		return;
	}
	abort();
}

static void input_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct app *a = ev_userdata(loop);
	ssize_t n = read(w->fd, a->line + a->len, sizeof(a->line) - a->len);
	char *nl;

	(void)revents;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		begin_stop(a, 0);
		return;
	}
	a->len += (size_t)n;
	while (!a->stopping && (nl = memchr(a->line, '\n', a->len)) != NULL) {
		size_t used = (size_t)(nl - a->line) + 1;

		*nl = '\0';
		obey(a, a->line);
		a->len -= used;
		memmove(a->line, a->line + used, a->len);
	}
	if (a->len == sizeof(a->line)) {
		a->len = 0;
		complain(a, "a command line is too long");
	}
	if (a->stopping)
		ev_io_stop(loop, w);
}

static void flush_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct app *a = ev_userdata(loop);

	(void)w;
	(void)revents;
	hist_flush(&a->hist);
	if (a->stopping && targets_inflight(a->m.targets) == 0)
		ev_break(loop, EVBREAK_ALL);
}

static void drain_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static void signal_cb(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	begin_stop(ev_userdata(loop), 0);
}

static void init_watchers(struct app *a)
{
	struct ev_loop *loop = a->m.loop;

	ev_set_userdata(loop, a);
	ev_io_init(&a->input, input_cb, STDIN_FILENO, EV_READ);
	ev_timer_init(&a->flush, flush_cb, FLUSH_S, FLUSH_S);
	ev_timer_init(&a->drain, drain_cb, 0.0, 0.0);
	ev_signal_init(&a->term, signal_cb, SIGTERM);
	ev_signal_init(&a->intr, signal_cb, SIGINT);
	ev_io_start(loop, &a->input);
	ev_timer_start(loop, &a->flush);
	ev_signal_start(loop, &a->term);
	ev_signal_start(loop, &a->intr);
}

static bool init_parts(struct app *a)
{
	struct meter *m = &a->m;

	hist_init(&a->hist, STDOUT_FILENO);
	m->hist = &a->hist;
	/* Not select: descriptors go beyond 1,024. */
	m->loop = ev_loop_new(EVBACKEND_EPOLL);
	if (m->loop == NULL)
		return false;
	m->targets = targets_new(m);
	m->sessions = sessions_new(m);
	m->members = members_new(m);
	m->etcd = etcd_new(m);
	m->login.scram = &m->scram;
	(void)snprintf(m->login.user, sizeof(m->login.user), "postgres");
	(void)snprintf(
	    m->login.database, sizeof(m->login.database), "postgres");
	(void)snprintf(m->login.application, sizeof(m->login.application),
	    "patroute-meter");
	(void)snprintf(m->table, sizeof(m->table), "patroute_meter");
	(void)snprintf(m->run, sizeof(m->run), "run");
	return m->targets != NULL && m->sessions != NULL &&
	    m->members != NULL && m->etcd != NULL;
}

/*
 * Many descriptors, and the processor when it is needed: the cluster under
 * test shares the machine, and a late meter proves nothing. Without the right
 * to either, "local" and late starts tell.
 */
static void claim_resources(void)
{
	struct rlimit lim = {DESCRIPTORS, DESCRIPTORS};
	/* Above 1: what it measures may run before others, too. */
	struct sched_param first = {.sched_priority = 2};

	(void)setrlimit(RLIMIT_NOFILE, &lim);
	/* Not nice: with autogroups it counts within a session only. */
	(void)sched_setscheduler(0, SCHED_FIFO, &first);
}

static void finish(struct app *a)
{
	targets_stop(a->m.targets);
	sessions_stop(a->m.sessions);
	members_stop(a->m.members);
	etcd_stop(a->m.etcd);
	if (a->m.started) {
		struct rusage ru;

		(void)getrusage(RUSAGE_SELF, &ru);
		hist_begin(&a->hist, clock_now_ns(), "end");
		targets_totals(a->m.targets);
		hist_int(&a->hist, "cpu_ms",
		    (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000 +
			(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1000);
		hist_int(&a->hist, "lines", (int64_t)a->hist.lines_n);
		hist_end(&a->hist);
	}
	hist_flush(&a->hist);
	if (a->hist.failed) {
		(void)fprintf(stderr,
		    "patroute-meter: history: write "
		    "failed\n");
		a->rc = 1;
	}
	ev_loop_destroy(a->m.loop);
	targets_free(a->m.targets);
	sessions_free(a->m.sessions);
	members_free(a->m.members);
	etcd_free(a->m.etcd);
}

int main(int argc, char **argv)
{
	struct app *a;
	int rc;

	if (argc > 1) {
		bool help = strcmp(argv[1], "--help") == 0;

		(void)printf("usage: patroute-meter <commands >history.jsonl"
			     "\ncommands, one a line:\n");
		cmd_usage();
		return help ? 0 : 2;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL || !init_parts(a)) {
		(void)fprintf(stderr, "patroute-meter: out of memory\n");
		return 1;
	}
	claim_resources();
	init_watchers(a);
	(void)ev_run(a->m.loop, 0);
	finish(a);
	rc = a->rc;
	free(a);
	return rc;
}
