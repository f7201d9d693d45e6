/*
 * roster.c - see roster.h. Made and told by cluster.c.
 */
#include "roster.h"

#include <assert.h>
#include <stdlib.h>

#include "app.h"
#include "conf.h"
#include "log.h"
#include "resolve.h"

#define ROSTER_MAGIC 0x526f7374u
/* A /cluster may block one of Patroni's five threads for its retry_timeout
   (10 s) while the DCS is away: no faster than this, and not one member all
   the time. */
#define EVERY_MS 5000
#define FIRST_MS 1000 /* while nobody was ever found */
#define FIRST_N 5     /* so often; then as slowly as ever */
#define LOST_MS 20000 /* no member answered: the configured ones again */

struct roster {
	unsigned magic;
	struct app *app;
	const struct conf_cluster *conf;
	struct patroni_probe *seed;
	ev_timer timer;
	struct mono heard_at, asked_at;
	int last; /* member that was asked last, -1 none */
	unsigned tries;
	uint8_t next; /* of the configured ones */
};

static struct roster *roster_of(void *p)
{
	struct roster *r = p;

	assert(r != NULL && r->magic == ROSTER_MAGIC);
	return r;
}

static bool is_due(const struct roster *r, struct dur every, struct mono now)
{
	return !is_mono_set(r->asked_at) ||
	    mono_sub(now, r->asked_at).us >= every.us;
}

/* One of the configured addresses; one that is no address yet is passed. */
static void ask_seed(struct roster *r)
{
	const struct conf_endpoint *e = &r->conf->patroni[r->next];
	char addr[LIM_ADDR];

	r->next = (uint8_t)((r->next + 1) % r->conf->patroni_n);
	if (!resolve_get(r->app->resolve, e->host, addr))
		return;
	patroni_probe_target(r->seed, addr, e->host, e->port, e->tls);
	if (patroni_probe_ask(r->seed, PATRONI_CLUSTER)) {
		r->asked_at = mono_now();
		r->tries++;
	}
}

static void timer_cb(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct roster *r = roster_of(w->data);
	struct mono now = mono_now();
	bool first = !is_mono_set(r->heard_at) && r->tries < FIRST_N;

	(void)loop;
	(void)revents;
	/* A turn that comes a little early would cost a whole one more. */
	if (!is_mono_fresh(r->heard_at, dur_ms(LOST_MS), now) &&
	    is_due(r, dur_ms((first ? FIRST_MS : EVERY_MS) - 100), now))
		ask_seed(r);
}

bool is_roster_turn(const struct roster *r, int member, struct mono now)
{
	if (r == NULL)
		return false;
	/* The only one that may be asked, of two say, must do. */
	int64_t every = member != r->last ? EVERY_MS : 2 * EVERY_MS;

	return is_mono_set(r->heard_at) && is_due(r, dur_ms(every), now);
}

void roster_asked(struct roster *r, int member, struct mono now)
{
	(void)roster_of(r);
	r->last = member;
	r->asked_at = now;
}

void roster_heard(struct roster *r, struct mono now)
{
	(void)roster_of(r);
	r->heard_at = now;
}

/* /cluster is all that is asked of them. */
static void item_cb(void *arg, const struct ev_item *item)
{
	(void)arg, (void)item;
}

struct roster *roster_new(struct app *app, const struct conf_cluster *conf,
    const struct patroni_cfg *cfg)
{
	struct roster *r = calloc(1, sizeof(*r));
	const struct sink sink = {item_cb, r};

	assert(app != NULL && conf != NULL && conf->patroni_n > 0);
	assert(cfg != NULL && cfg->roster != NULL);
	if (r == NULL)
		return NULL;
	r->seed = patroni_probe_new(app->http, cfg, &sink, 0);
	if (r->seed == NULL) {
		free(r);
		return NULL;
	}
	r->magic = ROSTER_MAGIC;
	r->app = app;
	r->conf = conf;
	r->last = -1;
	ev_timer_init(&r->timer, timer_cb, 0., FIRST_MS / 1000.);
	r->timer.data = r;
	ev_timer_start(app->loop, &r->timer);
	return r;
}

void roster_free(struct roster *r)
{
	if (r == NULL)
		return;
	ev_timer_stop(roster_of(r)->app->loop, &r->timer);
	patroni_probe_free(r->seed);
	r->magic = 0;
	free(r);
}
