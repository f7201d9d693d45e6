/*
 * cmd.c - one table of commands: what to measure, then what happens to it.
 */
#include "cmd.h"

#include "clock.h"
#include "etcd.h"
#include "members.h"
#include "sessions.h"
#include "targets.h"
#include "words.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 30000
#define INFLIGHT_MAX 4000
#define MEMBER_EVERY_MS 5

/* When a command may come. */
enum when {
	BEFORE_START = 1,
	AFTER_START = 2
};

struct cmd {
	const char *name;
	unsigned when;
	unsigned words_min; /* the name included */
	bool (*run)(struct meter *m, const struct words *ws);
	const char *usage;
};

static bool copy(const char *s, char *out, size_t size)
{
	int n = s == NULL ? 0 : snprintf(out, size, "%s", s);

	return n >= 0 && (size_t)n < size;
}

static bool set_login(
    struct pgc_login *l, const struct words *ws, unsigned from)
{
	const char *ssl = words_value(ws, from, "ssl");

	if (ssl != NULL)
		l->ssl_ask = strcmp(ssl, "ask") == 0;
	return copy(words_value(ws, from, "user"), l->user, sizeof(l->user)) &&
	    copy(words_value(ws, from, "password"), l->password,
		sizeof(l->password)) &&
	    copy(words_value(ws, from, "database"), l->database,
		sizeof(l->database)) &&
	    copy(words_value(ws, from, "app"), l->application,
		sizeof(l->application)) &&
	    copy(words_value(ws, from, "options"), l->options,
		sizeof(l->options));
}

static bool run_login(struct meter *m, const struct words *ws)
{
	const char *table = words_value(ws, 1, "table");
	const char *run = words_value(ws, 1, "run");

	if ((table != NULL && !is_word(table)) ||
	    (run != NULL && !is_word(run)))
		return false;
	return copy(table, m->table, sizeof(m->table)) &&
	    copy(run, m->run, sizeof(m->run)) && set_login(&m->login, ws, 1);
}

static enum kind kind_of(const char *s)
{
	if (strcmp(s, "write") == 0)
		return KIND_WRITE;
	if (strcmp(s, "read") == 0)
		return KIND_READ;
	return strcmp(s, "any") == 0 ? KIND_ANY : KIND_NONE;
}

static const char *kind_name(enum kind kind)
{
	switch (kind) {
	case KIND_NONE:
		return "none";
	case KIND_WRITE:
		return "write";
	case KIND_READ:
		return "read";
	case KIND_ANY:
		return "any";
	}
	abort();
	return "";
}

/* A number from "name=123", or `dflt` where it is not said. */
static bool value_int(const struct words *ws, unsigned from, const char *name,
    int64_t max, int64_t *out)
{
	const char *s = words_value(ws, from, name);

	return s == NULL || words_int(s, 1, max, out);
}

static bool run_target(struct meter *m, const struct words *ws)
{
	struct target_conf t = {.kind = kind_of(ws->w[3])};
	int64_t every_ms, deadline_ms = DEADLINE_MS, max = INFLIGHT_MAX;

	if (!is_label(ws->w[1]) || !words_addr(ws->w[2], &t.addr) ||
	    t.kind == KIND_NONE || !words_int(ws->w[4], 1, 60000, &every_ms) ||
	    !value_int(ws, 5, "deadline_ms", 600000, &deadline_ms) ||
	    !value_int(ws, 5, "inflight", 20000, &max))
		return false;
	t.login = m->login;
	if (!copy(ws->w[1], t.label, sizeof(t.label)) ||
	    !set_login(&t.login, ws, 5))
		return false;
	t.every_ns = every_ms * NS_PER_MS;
	t.deadline_ns = deadline_ms * NS_PER_MS;
	t.inflight_max = (unsigned)max;
	return targets_add(m->targets, &t);
}

static bool run_member(struct meter *m, const struct words *ws)
{
	struct sockaddr_in addr;
	int64_t every_ms = MEMBER_EVERY_MS;

	return is_word(ws->w[1]) && words_addr(ws->w[2], &addr) &&
	    value_int(ws, 3, "every_ms", 60000, &every_ms) &&
	    members_add(m->members, ws->w[1], &addr, every_ms * NS_PER_MS);
}

static bool run_etcd(struct meter *m, const struct words *ws)
{
	for (unsigned i = 2; i < ws->n; i++) {
		struct sockaddr_in addr;

		if (!words_addr(ws->w[i], &addr) ||
		    !etcd_add(m->etcd, ws->w[1], &addr))
			return false;
	}
	return true;
}

static void write_targets(struct meter *m)
{
	const struct target_conf *t;

	hist_list(m->hist, "targets");
	for (unsigned i = 0; (t = targets_at(m->targets, i)) != NULL; i++) {
		char text[INET_ADDRSTRLEN] = "";

		(void)inet_ntop(AF_INET, &t->addr.sin_addr, text, sizeof(text));
		hist_item(m->hist);
		hist_str(m->hist, "label", t->label);
		hist_str(m->hist, "addr", text);
		hist_int(m->hist, "port", ntohs(t->addr.sin_port));
		hist_str(m->hist, "kind", kind_name(t->kind));
		hist_int(m->hist, "every", t->every_ns);
		hist_str(m->hist, "options", t->login.options);
		hist_str(m->hist, "app", t->login.application);
		hist_bool(m->hist, "ssl_ask", t->login.ssl_ask);
		hist_item_end(m->hist);
	}
	hist_list_end(m->hist);
}

/* "start KEY=VALUE…": the words are kept in the meta line. */
static bool run_start(struct meter *m, const struct words *ws)
{
	hist_begin(m->hist, clock_now_ns(), "meta");
	hist_str(m->hist, "run", m->run);
	hist_list(m->hist, "notes");
	for (unsigned i = 1; i < ws->n; i++) {
		hist_item(m->hist);
		hist_str(m->hist, "note", ws->w[i]);
		hist_item_end(m->hist);
	}
	hist_list_end(m->hist);
	write_targets(m);
	members_list(m->members);
	hist_end(m->hist);
	m->started = true;
	etcd_start(m->etcd);
	members_start(m->members);
	targets_start(m->targets, clock_now_ns());
	return true;
}

static bool run_hold(struct meter *m, const struct words *ws)
{
	const struct target_conf *t = targets_find(m->targets, ws->w[1]);
	int64_t n, every_ms = 0;

	return t != NULL && words_int(ws->w[2], 1, METER_SESSIONS, &n) &&
	    is_word(ws->w[3]) &&
	    value_int(ws, 4, "every_ms", 60000, &every_ms) &&
	    sessions_hold(
		m->sessions, t, (unsigned)n, ws->w[3], every_ms * NS_PER_MS);
}

static bool run_mark(struct meter *m, const struct words *ws)
{
	if (!is_word(ws->w[1]))
		return false;
	hist_begin(m->hist, clock_now_ns(), "mark");
	hist_str(m->hist, "name", ws->w[1]);
	if (ws->n > 2)
		hist_str(m->hist, "text", ws->w[2]);
	hist_end(m->hist);
	hist_flush(m->hist);
	return true;
}

static const struct cmd cmds[] = {
    {"login", BEFORE_START, 2, run_login,
	"login [user=U] [password=P] [database=D] [app=A] [ssl=ask]\n"
	"      [table=T] [run=ID]        for what follows"},
    {"target", BEFORE_START, 5, run_target,
	"target LABEL ADDR:PORT write|read|any EVERY_MS [options='…'] [app=…]\n"
	"      [user=…] [ssl=ask] [deadline_ms=30000] [inflight=4000]"},
    {"member", BEFORE_START, 3, run_member,
	"member NAME ADDR:PORT [every_ms=5]"},
    {"etcd", BEFORE_START, 3, run_etcd, "etcd PREFIX ADDR:PORT…"},
    {"start", BEFORE_START, 1, run_start, "start [NOTE…]"},
    {"hold", AFTER_START, 4, run_hold,
	"hold LABEL N TAG [every_ms=M]  open N sessions; busy ones with M"},
    {"mark", BEFORE_START | AFTER_START, 2, run_mark, "mark NAME ['TEXT']"},
};

void cmd_usage(void)
{
	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		(void)printf("  %s\n", cmds[i].usage);
	(void)printf("  stop [DRAIN_MS]               so does the end of "
		     "the input\n");
}

static bool obey(
    struct meter *m, const struct words *ws, char *why, size_t size)
{
	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		const struct cmd *c = &cmds[i];
		unsigned now = m->started ? AFTER_START : BEFORE_START;

		if (strcmp(ws->w[0], c->name) != 0)
			continue;
		if ((c->when & now) == 0) {
			(void)snprintf(why, size, "%s: not %s start", c->name,
			    m->started ? "after" : "before");
			return false;
		}
		if (ws->n < c->words_min || !c->run(m, ws)) {
			(void)snprintf(
			    why, size, "%s: expected %s", c->name, c->usage);
			return false;
		}
		return true;
	}
	(void)snprintf(why, size, "%s: unknown command", ws->w[0]);
	return false;
}

enum cmd_rc cmd_run(
    struct meter *m, char *line, char *why, size_t size, int64_t *drain_ms)
{
	struct words ws;

	assert(m != NULL && line != NULL && why != NULL && drain_ms != NULL);
	if (!words_cut(line, &ws)) {
		(void)snprintf(why, size, "an open quote, or too many words");
		return CMD_BAD;
	}
	if (ws.n == 0 || ws.w[0][0] == '#')
		return CMD_OK;
	if (strcmp(ws.w[0], "stop") == 0) {
		*drain_ms = 0;
		if (ws.n > 1 && !words_int(ws.w[1], 0, 600000, drain_ms)) {
			(void)snprintf(why, size, "stop: expected [DRAIN_MS]");
			return CMD_BAD;
		}
		return CMD_STOP;
	}
	return obey(m, &ws, why, size) ? CMD_OK : CMD_BAD;
}
