/*
 * sources_driver.c - runs one of the prober's sources and prints, one JSON
 * line each, what reached its sink. The wire tests' end of the real code.
 *
 *   sources_driver etcd PREFIX[,PREFIX…] [KEY=VALUE…] HOST:PORT…
 *   sources_driver patroni ADDR PORT
 *   sources_driver sql ADDR PORT USER DBNAME PASSFILE
 *   sources_driver resolve
 *
 * REST_TLS, REST_CA, REST_CERT, REST_KEY and REST_AUTH in the environment say
 * how Patroni is asked, SQL_VERIFY (ca, full), SQL_CA, SQL_CERT and SQL_KEY how
 * PostgreSQL is, PEER_NAME what the peer is called, PROBES how many members are
 * asked there at once.
 *
 * Commands come on standard input, a line each: "ask", "primary", "cluster",
 * "every MS" (ask again so long after each answer; 0: at the end of each at
 * once), "target ADDR PORT", "trust CA PORT" (as a member of another
 * cluster, with that REST_CA, or "-" for none), "get NAME", "reload", "api [N]"
 * (of the N-th prefix, from 0). KEY: api, auth, ca, cert, key; with a ca each
 * endpoint is spoken with by TLS. At its end everything is freed, so that a
 * leak checker sees it.
 */
#include <curl/curl.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "etcd.h"
#include "evidence.h"
#include "log.h"
#include "patroni.h"
#include "postgres.h"
#include "resolve.h"

#define PROBES_MAX 64
#define MEMBER 7 /* the first probe's */

struct driver {
	struct ev_loop *loop;
	struct resolve *resolve;
	struct http_client *http;
	struct etcd *etcd;
	struct conf_cluster conf; /* of etcd */
	uint8_t probes;           /* of the one kind or of the other */
	struct patroni_probe *patroni[PROBES_MAX];
	struct creds creds;
	struct pg_client *pg;
	struct pg_probe *sql[PROBES_MAX];
	ev_io in;
	ev_timer again;
	enum patroni_ask what;
	long every_ms; /* -1: only when told */
	char line[512];
	size_t used;
	char prefix[8][LIM_TEXT];
};

static void print_time(const char *key, struct mono t)
{
	(void)printf("\"%s\":%lld", key, (long long)t.us);
}

static void print_string(const char *key, const char *s)
{
	(void)printf(",\"%s\":\"", key);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\' || (unsigned char)*s < ' ')
			(void)printf("\\u%04x", (unsigned char)*s);
		else
			(void)putchar(*s);
	}
	(void)putchar('"');
}

static void print_member(const struct ev_dcs_member *m, bool first)
{
	(void)printf("%s{\"port\":%u,\"api_port\":%u,\"role\":%d,\"state\":%d,"
		     "\"tli\":%u,\"lsn\":%llu,\"noloadbalance\":%d,"
		     "\"weight\":%u",
	    first ? "" : ",", (unsigned)m->port, (unsigned)m->api_port,
	    (int)m->role, (int)m->state, m->tli, (unsigned long long)m->lsn,
	    m->noloadbalance, (unsigned)m->weight);
	print_string("name", m->name);
	print_string("host", m->host);
	print_string("api_host", m->api_host);
	(void)putchar('}');
}

static void view_cb(void *arg, const struct ev_view *v, struct mono at)
{
	const char *prefix = arg;
	uint8_t i;

	(void)printf("{\"kind\":\"view\",");
	print_time("at", at);
	(void)putchar(',');
	print_time("now", mono_now());
	print_string("prefix", prefix);
	(void)printf(",\"revision\":%lld,\"leader_rev\":%lld,\"has_leader\":%d,"
		     "\"pause\":%d,\"has_failover\":%d,\"sysid\":%llu",
	    (long long)v->revision, (long long)v->leader_rev, v->has_leader,
	    v->pause, v->has_failover, (unsigned long long)v->sysid);
	print_string("leader", v->leader);
	(void)printf(",\"members\":[");
	for (i = 0; i < v->n; i++)
		print_member(&v->m[i], i == 0);
	(void)printf("]}\n");
}

static void roster_cb(void *arg, const struct ev_view *v, struct mono at)
{
	(void)arg;
	view_cb((char[]){"cluster"}, v, at);
}

static void alive_cb(void *arg, struct mono at)
{
	(void)printf("{\"kind\":\"alive\",");
	print_time("at", at);
	(void)putchar(',');
	print_time("now", mono_now());
	print_string("prefix", arg);
	(void)printf("}\n");
}

static void print_rest(const struct ev_rest *r)
{
	(void)printf(",\"role\":%d,\"state\":%d,\"primary_200\":%d,\"tli\":%u,"
		     "\"lsn\":%llu,\"sysid\":%llu,\"pause\":%d",
	    (int)r->role, (int)r->state, r->primary_200, r->tli,
	    (unsigned long long)r->lsn, (unsigned long long)r->sysid, r->pause);
}

static void print_sql(const struct ev_sql *s)
{
	(void)printf(",\"in_recovery\":%d,\"read_only\":%d,\"tli\":%u,"
		     "\"lsn\":%llu,\"receive_lsn\":%llu,"
		     "\"streaming_known\":%d,\"streaming\":%d",
	    s->in_recovery, s->read_only, s->tli, (unsigned long long)s->lsn,
	    (unsigned long long)s->receive_lsn, s->streaming_known,
	    s->streaming);
}

static void ask(struct driver *d)
{
	uint8_t i;

	for (i = 0; i < d->probes; i++) {
		if (d->patroni[i] != NULL)
			(void)patroni_probe_ask(d->patroni[i], d->what);
		if (d->sql[i] != NULL)
			(void)pg_probe_ask(d->sql[i]);
	}
}

static void again_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	ask(w->data);
}

static void item_cb(void *arg, const struct ev_item *item)
{
	struct driver *d = arg;

	(void)printf("{\"kind\":\"item\",\"src\":%d,\"member\":%u,",
	    (int)item->src, (unsigned)item->member);
	print_time("asked", item->asked);
	(void)putchar(',');
	print_time("at", item->at);
	print_string("rc", ev_rc_name(item->rc));
	if (item->rc == EV_RC_OK && item->src == EV_REST)
		print_rest(&item->u.rest);
	if (item->rc == EV_RC_OK && item->src == EV_SQL)
		print_sql(&item->u.sql);
	(void)printf("}\n");
	if (d->every_ms == 0) {
		ask(d);
	} else if (d->every_ms > 0) {
		ev_timer_stop(d->loop, &d->again);
		ev_timer_set(&d->again, (double)d->every_ms / 1000.0, 0.0);
		ev_timer_start(d->loop, &d->again);
	}
}

static void set_target(struct driver *d, const char *addr, const char *port)
{
	uint16_t n = (uint16_t)strtoul(port, NULL, 10);

	struct pg_target to = {.port = n};
	const char *name = getenv("PEER_NAME");
	bool tls = getenv("REST_TLS") != NULL;
	uint8_t i;

	(void)slice_copy(slice_str(addr), to.addr, sizeof(to.addr));
	if (name != NULL)
		(void)slice_copy(slice_str(name), to.name, sizeof(to.name));
	for (i = 0; i < d->probes; i++) {
		if (d->patroni[i] != NULL)
			patroni_probe_target(d->patroni[i], addr, name, n, tls);
		if (d->sql[i] != NULL)
			pg_probe_target(d->sql[i], &to);
	}
}

static void print_name(struct driver *d, const char *name)
{
	struct mono asked = mono_now();
	char addr[LIM_ADDR];
	bool known = resolve_get(d->resolve, name, addr);

	(void)printf("{\"kind\":\"name\",\"known\":%d,\"took_us\":%lld", known,
	    (long long)mono_sub(mono_now(), asked).us);
	print_string("name", name);
	print_string("addr", known ? addr : "");
	(void)printf("}\n");
}

static void change_cb(void *arg)
{
	(void)arg;
	(void)printf("{\"kind\":\"change\"}\n");
}

static void copy_env(const char *key, char to[static LIM_TEXT])
{
	const char *value = getenv(key);

	if (value != NULL)
		(void)slice_copy(slice_str(value), to, LIM_TEXT);
}

static bool read_creds(struct driver *d)
{
	struct conf_cluster conf = {0};

	copy_env("REST_CA", conf.rest_ca);
	copy_env("REST_CERT", conf.rest_cert);
	copy_env("REST_KEY", conf.rest_key);
	copy_env("REST_AUTH", conf.rest_auth);
	return creds_read(&conf, &d->creds);
}

static void stop_patroni(struct driver *d)
{
	uint8_t i;

	for (i = 0; i < d->probes; i++) {
		patroni_probe_free(d->patroni[i]);
		d->patroni[i] = NULL;
	}
	creds_free(&d->creds);
}

/* Members of a cluster as the environment has it, by the one client. */
static bool start_patroni(struct driver *d)
{
	const struct patroni_cfg cfg = {
	    .creds = &d->creds, .roster = roster_cb, .arg = d};
	const struct sink sink = {.item = item_cb, .arg = d};
	uint8_t i;

	stop_patroni(d);
	if (!read_creds(d))
		return false;
	for (i = 0; i < d->probes; i++) {
		d->patroni[i] = patroni_probe_new(
		    d->http, &cfg, &sink, (uint8_t)(MEMBER + i));
		if (d->patroni[i] == NULL)
			return false;
	}
	return true;
}

static void obey(struct driver *d, char *line)
{
	char *save = NULL;
	char *word = strtok_r(line, " ", &save);
	char *a = strtok_r(NULL, " ", &save);
	char *b = strtok_r(NULL, " ", &save);

	if (word == NULL)
		return;
	if (strcmp(word, "ask") == 0) {
		d->what = PATRONI_STATUS;
		ask(d);
	} else if (strcmp(word, "primary") == 0) {
		d->what = PATRONI_PRIMARY;
		ask(d);
	} else if (strcmp(word, "cluster") == 0) {
		d->what = PATRONI_CLUSTER;
		ask(d);
	} else if (strcmp(word, "every") == 0 && a != NULL) {
		d->every_ms = strtol(a, NULL, 10);
		ask(d);
	} else if (strcmp(word, "target") == 0 && b != NULL) {
		set_target(d, a, b);
	} else if (strcmp(word, "trust") == 0 && b != NULL) {
		if ((strcmp(a, "-") == 0 ? unsetenv("REST_CA")
					 : setenv("REST_CA", a, 1)) != 0 ||
		    !start_patroni(d))
			ev_break(d->loop, EVBREAK_ALL);
		set_target(d, "127.0.0.1", b);
	} else if (strcmp(word, "reload") == 0 && d->etcd != NULL) {
		etcd_reload(d->etcd);
	} else if (strcmp(word, "api") == 0 && d->etcd != NULL) {
		size_t k = a != NULL ? strtoul(a, NULL, 10) % 8 : 0;
		const char *api = etcd_api_name(d->etcd, d->prefix[k]);

		(void)printf("{\"kind\":\"api\"");
		print_string("api", api != NULL ? api : "");
		(void)printf("}\n");
	} else if (strcmp(word, "get") == 0 && a != NULL) {
		print_name(d, a);
	} else {
		(void)fprintf(stderr, "unknown command: %s\n", word);
		ev_break(d->loop, EVBREAK_ALL);
	}
}

static void in_cb(struct ev_loop *loop, ev_io *w, int revents)
{
	struct driver *d = w->data;
	char *end;
	ssize_t n =
	    read(w->fd, d->line + d->used, sizeof(d->line) - 1 - d->used);

	(void)revents;
	if (n <= 0) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	d->used += (size_t)n;
	d->line[d->used] = '\0';
	while ((end = strchr(d->line, '\n')) != NULL) {
		*end = '\0';
		obey(d, d->line);
		d->used -= (size_t)(end + 1 - d->line);
		memmove(d->line, end + 1, d->used + 1);
	}
}

static bool set_api(struct conf_cluster *c, struct slice value)
{
	if (is_slice_eq(value, "v2"))
		c->etcd_api = CONF_ETCD_V2;
	else if (is_slice_eq(value, "v3"))
		c->etcd_api = CONF_ETCD_V3;
	return c->etcd_api != CONF_ETCD_AUTO || is_slice_eq(value, "auto");
}

/* KEY=VALUE. Gives: false if it is neither. */
static bool set_option(struct conf_cluster *c, const char *text)
{
	const struct {
		const char *key;
		char *field;
		size_t size;
	} all[] = {
	    {"auth", c->etcd_auth, sizeof(c->etcd_auth)},
	    {"ca", c->etcd_ca, sizeof(c->etcd_ca)},
	    {"cert", c->etcd_cert, sizeof(c->etcd_cert)},
	    {"key", c->etcd_key, sizeof(c->etcd_key)},
	};
	const char *eq = strchr(text, '=');
	struct slice key, value;
	size_t i;

	if (eq == NULL)
		return false;
	key = slice_of(text, (size_t)(eq - text));
	value = slice_str(eq + 1);
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (is_slice_eq(key, all[i].key))
			return slice_copy(value, all[i].field, all[i].size);
	}
	return is_slice_eq(key, "api") && set_api(c, value);
}

static bool add_endpoint(struct conf_cluster *c, const char *text)
{
	const char *colon = strrchr(text, ':');
	struct conf_endpoint *ep = &c->etcd[c->etcd_n];

	if (colon == NULL || c->etcd_n == LIM_ENDPOINTS)
		return false;
	ep->tls = c->etcd_ca[0] != '\0';
	ep->port = (uint16_t)strtoul(colon + 1, NULL, 10);
	c->etcd_n++;
	return slice_copy(
	    slice_of(text, (size_t)(colon - text)), ep->host, sizeof(ep->host));
}

static bool start_etcd(struct driver *d, int argc, char **argv)
{
	struct etcd_sink sink = {.view = view_cb, .alive = alive_cb};
	char *save = NULL, *p;
	uint8_t k = 0;
	int i;

	for (i = 3; i < argc; i++) {
		if (!set_option(&d->conf, argv[i]) &&
		    !add_endpoint(&d->conf, argv[i]))
			return false;
	}
	if (d->conf.etcd_n == 0)
		return false;
	d->etcd = etcd_new(d->loop, d->http, d->resolve, &d->conf);
	if (d->etcd == NULL)
		return false;
	for (p = strtok_r(argv[2], ",", &save); p != NULL && k < 8;
	     p = strtok_r(NULL, ",", &save), k++) {
		(void)slice_copy(
		    slice_str(p), d->prefix[k], sizeof(d->prefix[k]));
		sink.arg = d->prefix[k];
		if (!etcd_add(d->etcd, p, &sink))
			return false;
	}
	return true;
}

static void set_tls(struct pg_cfg *cfg)
{
	const char *mode = getenv("SQL_VERIFY");

	if (mode != NULL)
		cfg->sslmode = strcmp(mode, "ca") == 0 ? CONF_SSL_VERIFY_CA
						       : CONF_SSL_VERIFY_FULL;
	copy_env("SQL_CA", cfg->sslrootcert);
	copy_env("SQL_CERT", cfg->sslcert);
	copy_env("SQL_KEY", cfg->sslkey);
}

static bool start_sql(struct driver *d, char **argv)
{
	const struct sink sink = {.item = item_cb, .arg = d};
	struct pg_cfg cfg = {0};
	uint8_t i;

	(void)slice_copy(slice_str(argv[4]), cfg.user, sizeof(cfg.user));
	(void)slice_copy(slice_str(argv[5]), cfg.dbname, sizeof(cfg.dbname));
	(void)slice_copy(
	    slice_str(argv[6]), cfg.passfile, sizeof(cfg.passfile));
	set_tls(&cfg);
	for (i = 0; i < d->probes; i++) {
		d->sql[i] =
		    pg_probe_new(d->pg, &cfg, &sink, (uint8_t)(MEMBER + i));
		if (d->sql[i] == NULL)
			return false;
	}
	return true;
}

static bool start(struct driver *d, int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const char *probes = getenv("PROBES");

	d->probes = probes != NULL ? (uint8_t)strtoul(probes, NULL, 10) : 1;
	if (d->probes > PROBES_MAX)
		return false;
	if (strcmp(what, "etcd") == 0 && argc > 3)
		return start_etcd(d, argc, argv);
	if (strcmp(what, "patroni") == 0 && argc == 4) {
		if (!start_patroni(d))
			return false;
	} else if (strcmp(what, "sql") == 0 && argc == 7) {
		if (!start_sql(d, argv))
			return false;
	} else {
		resolve_on_change(d->resolve, change_cb, d);
		return strcmp(what, "resolve") == 0;
	}
	set_target(d, argv[2], argv[3]);
	return true;
}

static void stop(struct driver *d)
{
	uint8_t i;

	ev_io_stop(d->loop, &d->in);
	ev_timer_stop(d->loop, &d->again);
	etcd_free(d->etcd);
	stop_patroni(d);
	for (i = 0; i < d->probes; i++)
		pg_probe_free(d->sql[i]);
	pg_client_free(d->pg);
	http_client_free(d->http);
	resolve_free(d->resolve);
	ev_loop_destroy(d->loop);
	curl_global_cleanup();
}

int main(int argc, char **argv)
{
	static struct driver d = {.what = PATRONI_STATUS, .every_ms = -1};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	bool ok;

	log_init("sources_driver", LOG_LVL_DEBUG);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	d.resolve = resolve_new();
	d.loop = ev_default_loop(EVFLAG_AUTO);
	if (d.resolve == NULL || d.loop == NULL ||
	    curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return 1;
	resolve_attach(d.resolve, d.loop);
	d.http = http_client_new(d.loop);
	d.pg = pg_client_new(d.loop);
	if (d.http == NULL || d.pg == NULL)
		return 1;
	ev_init(&d.again, again_cb);
	d.again.data = &d;
	ev_io_init(&d.in, in_cb, STDIN_FILENO, EV_READ);
	d.in.data = &d;
	ev_io_start(d.loop, &d.in);
	ok = start(&d, argc, argv);
	if (ok)
		(void)ev_run(d.loop, 0);
	else
		(void)fprintf(stderr, "bad arguments\n");
	stop(&d);
	return ok ? 0 : 2;
}
