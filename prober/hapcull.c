/*
 * hapcull.c - see hapcull.h. Called by haproxy.c.
 */
#include "hapcull.h"

#include <assert.h>

#include "app.h"
#include "cluster.h"

static bool is_over(const struct cluster *c, int member, struct mono now)
{
	enum snap_why why = c->reads.why[member];

	return is_ev_member(&c->ev, member, now) && !c->reads.fit[member] &&
	    (why == SNAP_WHY_LAG_BYTES || why == SNAP_WHY_LAG_TIME);
}

static bool has_reader(const struct snapshot *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if ((s->m[i].flags & SNAP_F_READ) != 0)
			return true;
	return false;
}

static bool is_lag_due(
    const struct hapcull *k, const struct cluster *c, int i, struct mono now)
{
	struct mono since = k->lags[c->index][i];

	return c->conf->lag_kill.us > 0 && is_mono_set(since) &&
	    mono_sub(now, since).us >= c->conf->lag_kill.us;
}

/* Of a cluster without a usable verdict nothing is. */
static bool is_any_due(
    const struct hapcull *k, const struct cluster *c, struct mono now)
{
	bool any =
	    c->conf->fallback_max_age.us > 0 && has_reader(cluster_snapshot(c));

	for (int m = 0; m < c->ev.n && !any; m++)
		any = is_lag_due(k, c, m, now);
	return any;
}

bool hapcull_look(struct hapcull *k, struct app *app, struct mono now)
{
	assert(k != NULL && app != NULL);
	bool some = false;
	for (uint16_t i = 0; i < app->cluster_n; i++) {
		struct cluster *c = app->cluster[i];
		bool usable = is_cluster_usable(c, now);

		for (int m = 0; m < LIM_MEMBERS; m++) {
			struct mono *since = &k->lags[i][m];

			if (!usable || m >= c->ev.n || !is_over(c, m, now))
				*since = (struct mono){0};
			else if (!is_mono_set(*since))
				*since = now;
		}
		k->any[i] = usable && is_any_due(k, c, now);
		some |= k->any[i];
	}
	return some;
}

static bool is_due_in(const struct hapcull *k, const struct cluster *c,
    const struct haptext_session *s, enum hap_backend b, struct mono now)
{
	if (b == HAP_FALLBACK)
		return c->conf->fallback_max_age.us > 0 &&
		    has_reader(cluster_snapshot(c)) &&
		    (int64_t)s->age_s * 1000000 >= c->conf->fallback_max_age.us;
	if (b != HAP_READ)
		return false;
	for (int m = 0; m < c->ev.n; m++)
		if (is_lag_due(k, c, m, now) &&
		    is_slice_eq(s->server,
			conf_server_of(c->conf, c->ev.m[m].dcs.name)))
			return true;
	return false;
}

bool is_hapcull_due(const struct hapcull *k, const struct app *app,
    const struct haptext_session *s, struct mono now)
{
	assert(k != NULL && app != NULL && s != NULL);
	for (uint16_t i = 0; i < app->cluster_n; i++) {
		const struct cluster *c = app->cluster[i];
		enum hap_backend b = HAP_WRITE;

		if (k->any[i] &&
		    haptext_backend(s->backend, c->conf->name, &b) &&
		    is_due_in(k, c, s, b, now))
			return true;
	}
	return false;
}
