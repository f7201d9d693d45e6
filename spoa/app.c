/*
 * app.c - puts the agent together, runs it, reloads it, takes it apart.
 *
 * Called by main() only. Owns the loop and what is on it.
 */
#include "app.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "process.h"
#include "tls.h"

#define FRESH_CHECK_S 1.0
#define STOP_POLL_S 0.01
#define STOP_ASK_MS 200 /* for peers that were just accepted to ask */
/* For peers that do not close (HAProxy does at once), and the desk's. */
#define STOP_MAX_S 0.5

static uint64_t random_bits(void)
{
	uint64_t v = 0;

	if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
		v = (uint64_t)mono_now().us;
	return v | 1; /* never 0 */
}

/* Says when a cluster's snapshot becomes usable or ceases to be. */
static void fresh_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct app *app = app_of(w->data);
	struct decider *d = &app->decide;

	(void)loop;
	(void)revents;
	decide_pass(d, mono_now());
	for (uint16_t i = 0; i < LIM_CLUSTERS; i++) {
		bool fresh;

		if (d->cluster[i].name[0] == '\0')
			continue;
		fresh = decide_fresh(d, i) != NULL;
		if (fresh != app->feed_fresh[i])
			log_info("change cluster=%s fresh=%s decides=%s",
			    d->cluster[i].name, fresh ? "yes" : "no",
			    fresh ? "agent" : "haproxy");
		app->feed_fresh[i] = fresh;
	}
}

/* The old one, if any, goes only where there is a new one. */
static bool begin_feed(struct app *app)
{
	struct feed_client *feed;
	struct feed_client_cfg cfg = {
	    .path = app->feed_path,
	    .boot_id = random_bits(),
	    .stale_after = app->conf->agent.stale_after,
	    .snapshot_cb = agent_snapshot_cb,
	    .stats_cb = agent_stats_cb,
	    .arg = app,
	};

	feed = feed_client_new(app->loop, &cfg);
	if (feed == NULL)
		return false;
	feed_client_free(app->feed);
	app->feed = feed;
	app->decide.feed = feed;
	return true;
}

static void stop_deadline_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)revents;
	log_info("stop why=timeout conns=%u desk=%u", app_of(w->data)->conns.n,
	    app_of(w->data)->desk.n);
	ev_break(loop, EVBREAK_ALL);
}

static void stop_poll_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct app *app = app_of(w->data);

	(void)revents;
	conns_stop(&app->conns, !is_mono_before(mono_now(), app->stop_late));
	if (app->conns.n == 0 && app->desk.n == 0)
		ev_break(loop, EVBREAK_ALL);
}

/* What has come is answered, by who was still in the listeners' queues, too;
   who waits goes HAProxy's second way; who talks to the desk hears it out. */
static void stop_cb(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct app *app = app_of(w->data);

	(void)revents;
	if (app->is_stopping)
		return;
	app->is_stopping = true;
	log_info("stop signal=%d conns=%u held=%u desk=%u", w->signum,
	    app->conns.n, app->agent.hold.n, app->desk.n);
	process_notify("STOPPING=1");
	listeners_stop(&app->listeners);
	agent_stop(app);
	conns_stop(&app->conns, false);
	app->stop_late = mono_add(mono_now(), dur_ms(STOP_ASK_MS));
	ev_timer_start(loop, &app->stop_poll);
	ev_timer_start(loop, &app->stop_deadline);
}

static bool is_same_listen(
    const struct conf_agent *a, const struct conf_agent *b)
{
	if (a->listen_n != b->listen_n)
		return false;
	for (unsigned i = 0; i < a->listen_n; i++) {
		const struct conf_agent_listen *l = &a->listen[i];
		const struct conf_agent_listen *m = &b->listen[i];

		if (l->is_unix != m->is_unix || l->tls != m->tls ||
		    l->port != m->port || strcmp(l->path, m->path) != 0 ||
		    strcmp(l->addr, m->addr) != 0)
			return false;
	}
	return true;
}

/* Keys that need a restart keep their values, and it is said. */
static void keep_fixed(struct conf *new, const struct conf *old)
{
	struct conf_agent *a = &new->agent;
	const struct conf_agent *o = &old->agent;

	if (!is_same_listen(a, o) ||
	    strcmp(a->desk_socket, o->desk_socket) != 0 ||
	    strcmp(new->prober.feed_socket, old->prober.feed_socket) != 0)
		log_warnx("reload needs=restart keys=\"agent.listen, "
			  "agent.desk_socket, prober.feed_socket\"");
	memcpy(a->listen, o->listen, sizeof(a->listen));
	a->listen_n = o->listen_n;
	memcpy(a->desk_socket, o->desk_socket, sizeof(a->desk_socket));
	memcpy(new->prober.feed_socket, old->prober.feed_socket,
	    sizeof(new->prober.feed_socket));
}

static void take_conf(struct app *app, struct conf *conf)
{
	struct conf *old = app->conf;
	bool other_age =
	    conf->agent.stale_after.us != old->agent.stale_after.us;

	keep_fixed(conf, old);
	agent_reload(&app->agent, conf);
	decide_reload(&app->decide, conf);
	app->conf = conf;
	memset(app->feed_fresh, 0, sizeof(app->feed_fresh));
	log_set_level(conf->agent.log_level);
	conf_free(old);
	if (other_age && !begin_feed(app))
		log_warnx("reload feed=kept stale_after=old why=memory");
}

static bool has_tls(const struct conf_agent *a)
{
	for (unsigned i = 0; i < a->listen_n; i++) {
		if (a->listen[i].tls)
			return true;
	}
	return false;
}

/* The certificates may be new under their old names. Listeners stay, so they
   keep theirs where the new configuration names none. */
static bool renew_tls(
    struct app *app, const struct conf *conf, char why[static TLS_SENTENCE])
{
	struct ssl_ctx_st *tls;

	if (!has_tls(&app->conf->agent) || conf->agent.tls_cert[0] == '\0')
		return true;
	tls = tls_new(&conf->agent, why);
	if (tls != NULL)
		conns_tls(&app->conns, tls);
	return tls != NULL;
}

static void reload_cb(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct app *app = app_of(w->data);
	char why[TLS_SENTENCE];
	struct conf_err err;
	struct conf *conf;

	(void)loop;
	(void)revents;
	if (app->is_stopping)
		return;
	conf = conf_load_apart(app->conf_path, &err);
	if (conf == NULL) {
		log_warnx("reload kept=old why=\"%s\"", err.text);
		return;
	}
	if (!renew_tls(app, conf, why)) {
		log_warnx(
		    "reload kept=old why=\"%s: %s\"", app->conf_path, why);
		conf_free(conf);
		return;
	}
	take_conf(app, conf);
	log_info(
	    "reload clusters=%u listeners=%u", conf->cluster_n, conf->listen_n);
}

static void begin_signals(struct app *app)
{
	ev_signal_init(&app->on_term, stop_cb, SIGTERM);
	ev_signal_init(&app->on_int, stop_cb, SIGINT);
	ev_signal_init(&app->on_hup, reload_cb, SIGHUP);
	ev_timer_init(&app->fresh_check, fresh_cb, 0.2, FRESH_CHECK_S);
	ev_timer_init(&app->stop_deadline, stop_deadline_cb, STOP_MAX_S, 0.0);
	ev_timer_init(&app->stop_poll, stop_poll_cb, 0.0, STOP_POLL_S);
	app->on_term.data = app->on_int.data = app->on_hup.data = app;
	app->fresh_check.data = app->stop_deadline.data = app;
	app->stop_poll.data = app;
	ev_signal_start(app->loop, &app->on_term);
	ev_signal_start(app->loop, &app->on_int);
	ev_signal_start(app->loop, &app->on_hup);
	ev_timer_start(app->loop, &app->fresh_check);
}

/* What is left of the descriptors is shared out; SPOP has the most. */
static struct app_room room_of(uint32_t files, unsigned listeners)
{
	uint32_t fixed = 12 + listeners;
	uint32_t left = files > fixed + 8 ? files - fixed : 8;
	struct app_room room = {.desk = left / 4, .cancels = left / 4};

	if (room.desk > DESK_CONNS_MAX)
		room.desk = DESK_CONNS_MAX;
	room.conns = left - room.desk - room.cancels;
	return room;
}

/* After the privileges are gone: who cannot read the key now could not read it
   on SIGHUP. */
static void begin_tls(struct app *app)
{
	char why[TLS_SENTENCE];
	struct ssl_ctx_st *tls;

	if (!has_tls(&app->conf->agent))
		return;
	tls = tls_new(&app->conf->agent, why);
	if (tls == NULL)
		fatal("%s: %s", app->conf_path, why);
	conns_tls(&app->conns, tls);
}

static void begin_listening(struct app *app)
{
	const struct conf_agent *conf = &app->conf->agent;
	struct listen_host spop = conns_host(&app->conns);
	struct listen_host tls = conns_tls_host(&app->conns);
	struct listen_host desk = desk_host(&app->desk);

	for (unsigned i = 0; i < conf->listen_n; i++)
		listener_serve(
		    &app->listeners, i, conf->listen[i].tls ? &tls : &spop);
	listener_serve(&app->listeners, conf->listen_n, &desk);
	listeners_start(&app->listeners, app->loop);
}

bool app_begin(struct app *app, uint32_t files)
{
	struct app_room room = room_of(files, app->listeners.n);

	assert(app->conf != NULL && app->conf_path != NULL);
	assert(app->listeners.n == app->conf->agent.listen_n + 1U);
	app->magic = APP_MAGIC;
	app->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (app->loop == NULL)
		return false;
	loopwatch_start(&app->watch, app->loop);
	memcpy(app->feed_path, app->conf->prober.feed_socket, LIM_PATH);
	decide_init(&app->decide, app->conf, (uint32_t)random_bits());
	agent_init(&app->agent, app);
	desk_init(&app->desk, app, room.desk, room.cancels);
	/* Before the feed: its first snapshot may find somebody to release. */
	if (!conns_init(&app->conns, app, room.conns) || !begin_feed(app))
		return false;
	begin_tls(app);
	begin_signals(app);
	begin_listening(app);
	return true;
}

void app_run(struct app *app)
{
	assert(app != NULL && app->magic == APP_MAGIC);
	(void)ev_run(app->loop, 0);
}

void app_end(struct app *app)
{
	assert(app != NULL);
	listeners_stop(&app->listeners);
	desk_free(&app->desk);
	conns_free(&app->conns);
	feed_client_free(app->feed);
	app->feed = NULL;
	agent_free(&app->agent);
	if (app->loop != NULL) {
		loopwatch_stop(&app->watch, app->loop);
		ev_signal_stop(app->loop, &app->on_term);
		ev_signal_stop(app->loop, &app->on_int);
		ev_signal_stop(app->loop, &app->on_hup);
		ev_timer_stop(app->loop, &app->fresh_check);
		ev_timer_stop(app->loop, &app->stop_deadline);
		ev_timer_stop(app->loop, &app->stop_poll);
		ev_loop_destroy(app->loop);
	}
	app->loop = NULL;
	conf_free(app->conf);
	app->conf = NULL;
	app->magic = 0;
}
