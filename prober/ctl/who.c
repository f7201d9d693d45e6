/*
 * who.c - see who.h. Called by cmd_who.c.
 */
#include "who.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hapask.h"
#include "haptext.h"
#include "num.h"
#include "pgask.h"

/* A role without pg_monitor sees NULL where the port would stand; with it a
   unix socket's is -1, and so is that of the server's own processes. */
static const char question[] =
    "SELECT host(client_addr), client_port, usename, datname, "
    "application_name, state, backend_type, "
    "pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') "
    "FROM pg_stat_activity WHERE pid = $1::int";

enum column {
	ADDR = 0,
	PORT,
	USER,
	DATABASE,
	APPLICATION,
	STATE,
	TYPE,
	SEES_ALL
};

static void take(char buf[static WHO_TEXT], const PGresult *r, enum column c)
{
	(void)snprintf(buf, WHO_TEXT, "%s", PQgetvalue(r, 0, (int)c));
}

static void read_row(const PGresult *r, struct who *out)
{
	uint64_t port = 0;

	take(out->user, r, USER);
	take(out->database, r, DATABASE);
	take(out->application, r, APPLICATION);
	take(out->state, r, STATE);
	take(out->type, r, TYPE);
	if (PQgetisnull(r, 0, ADDR) && PQgetisnull(r, 0, PORT) &&
	    PQgetvalue(r, 0, SEES_ALL)[0] != 't') {
		out->found = WHO_HIDDEN;
	} else if (num_u64(slice_str(PQgetvalue(r, 0, PORT)), 1, UINT16_MAX,
		       &port) &&
	    slice_copy(slice_str(PQgetvalue(r, 0, ADDR)), out->client.addr,
		sizeof(out->client.addr))) {
		out->client.port = (uint16_t)port;
		out->found = WHO_CLIENT;
	} else {
		out->found = WHO_LOCAL;
	}
}

static void ask(PGconn *c, int64_t pid, struct who *out)
{
	char text[24];
	const char *value[] = {text};
	PGresult *r;

	(void)snprintf(text, sizeof(text), "%lld", (long long)pid);
	r = PQexecParams(c, question, 1, NULL, value, NULL, NULL, 0);
	if (PQresultStatus(r) != PGRES_TUPLES_OK) {
		out->found = WHO_FAILED;
		(void)pgask_why(c, out->why);
	} else if (PQntuples(r) == 1) {
		read_row(r, out);
	}
	PQclear(r);
}

void who_ask(const struct who_member *m, int64_t pid, struct who *out)
{
	PGconn *c = pgask_open(m->conf, &m->at, m->conninfo);

	assert(out != NULL);
	_Static_assert(sizeof(out->why) >= PGASK_WHY, "pgask_why() fits");
	memset(out, 0, sizeof(*out));
	if (c == NULL || PQstatus(c) != CONNECTION_OK) {
		out->found = WHO_FAILED;
		(void)pgask_why(c, out->why);
	} else {
		ask(c, pid, out);
	}
	PQfinish(c);
}

struct search {
	struct sess_reader reader;
	const struct sess_at *client, *server;
	struct who_session *out;
};

static bool session_line(void *arg, struct slice line)
{
	struct search *s = arg;
	struct sess found;

	if (sess_line(&s->reader, line, &found) &&
	    is_sess_at(&found.out, s->client->addr, s->client->port) &&
	    is_sess_at(&found.at, s->server->addr, s->server->port)) {
		s->out->sess = found;
		s->out->found = true;
	}
	return !s->out->found;
}

static void search(struct search *s, const char *path, const char *command)
{
	const char *wrong;

	memset(&s->reader, 0, sizeof(s->reader));
	wrong = hapask(path, command, session_line, s);
	if (wrong != NULL)
		s->out->why = wrong;
}

#define OLD_MAX 64

struct old {
	bool in_old;
	uint64_t pid[OLD_MAX];
	unsigned n;
};

static bool old_line(void *arg, struct slice line)
{
	struct old *o = arg;

	if (o->n < OLD_MAX &&
	    haptext_old_worker(line, &o->in_old, &o->pid[o->n]))
		o->n++;
	return true;
}

/* The processes that reloads of one HAProxy left. */
static void search_old(struct search *s, const char *master)
{
	struct old old = {.n = 0};

	/* Without a master socket there is nobody to ask about old ones. */
	if (hapask(master, "show proc", old_line, &old) != NULL)
		return;
	for (unsigned i = 0; i < old.n && !s->out->found; i++) {
		char command[64];

		(void)snprintf(command, sizeof(command), "@!%llu show sess all",
		    (unsigned long long)old.pid[i]);
		search(s, master, command);
		s->out->old = s->out->found;
		s->out->haproxy = s->out->found ? (int64_t)old.pid[i] : 0;
	}
}

void who_session(const struct conf_prober *p, const struct sess_at *client,
    const struct sess_at *server, struct who_session *out)
{
	struct search s = {.client = client, .server = server, .out = out};

	assert(p != NULL && out != NULL);
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < p->haproxy_socket.n && !out->found; i++)
		search(&s, p->haproxy_socket.path[i], "show sess all");
	for (unsigned i = 0; i < p->haproxy_master_socket.n && !out->found; i++)
		search_old(&s, p->haproxy_master_socket.path[i]);
}

static bool is_same(const struct ifaddrs *i, const char *addr)
{
	char text[INET6_ADDRSTRLEN] = "";
	const struct sockaddr *sa = i->ifa_addr;

	if (sa != NULL && sa->sa_family == AF_INET)
		(void)inet_ntop(AF_INET,
		    &((const struct sockaddr_in *)(const void *)sa)->sin_addr,
		    text, sizeof(text));
	else if (sa != NULL && sa->sa_family == AF_INET6)
		(void)inet_ntop(AF_INET6,
		    &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr,
		    text, sizeof(text));
	return text[0] != '\0' && strcmp(text, addr) == 0;
}

bool is_who_here(const char *addr)
{
	struct ifaddrs *all = NULL;
	bool here = false;

	if (getifaddrs(&all) == -1)
		return false;
	for (const struct ifaddrs *i = all; i != NULL && !here; i = i->ifa_next)
		here = is_same(i, addr);
	freeifaddrs(all);
	return here;
}
