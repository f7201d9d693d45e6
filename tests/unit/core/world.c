/* world.c - see world.h. */
#include "world.h"

#define START_MS 1000000

struct mono at(int64_t ms)
{
	return (struct mono){(START_MS + ms) * 1000};
}

static void fill_conf(struct conf_cluster *c)
{
	(void)slice_copy(slice_str("main"), c->name, sizeof(c->name));
	c->max_age_dcs = dur_ms(3000);
	c->max_age_rest = dur_ms(3000);
	c->max_age_sql = dur_ms(2000);
	c->fence = dur_ms(30000);
	c->silence = dur_ms(2000);
	c->silence_close = dur_ms(10000);
	c->follow_grace = dur_ms(10000);
	c->max_lag = (struct conf_lag){16 << 20, UINT32_MAX};
	c->read_fallback = SNAP_FALLBACK_PRIMARY;
}

void world_init(struct world *w, unsigned n)
{
	memset(w, 0, sizeof(*w));
	fill_conf(&w->conf);
	w->pol = policy_of(&w->conf);
	w->site.unknown = true;
	w->snap.boot_id = 1;
	w->view.n = (uint8_t)n;
	w->view.sysid = 77;
	for (unsigned i = 0; i < n; i++) {
		struct ev_dcs_member *d = &w->view.m[i];

		d->present = true;
		d->name[0] = (char)('a' + i);
		d->weight = 100;
		(void)snprintf(d->host, sizeof(d->host), "10.0.0.%u", i + 1);
		(void)snprintf(w->addr[i], LIM_ADDR, "10.0.0.%u", i + 1);
		d->port = 5432;
		w->peer[i] = (struct peer){.sql = EV_RC_OK,
		    .rest = EV_RC_OK,
		    .primary = i == A,
		    .streaming = i != A,
		    .tli = 4,
		    .lsn = 1 << 30,
		    .sysid = 77,
		    .state = EV_STATE_RUNNING};
	}
	ev_reset(&w->ev, "main", true, true);
}

void world_key_name(struct world *w, const char *name, struct mono t)
{
	w->view.revision++;
	w->view.has_leader = name != NULL;
	w->view.leader_rev = w->view.revision;
	(void)slice_copy(slice_str(name != NULL ? name : ""), w->view.leader,
	    sizeof(w->view.leader));
	(void)ev_put_dcs(&w->ev, &w->view, t);
}

void world_key(struct world *w, int holder, struct mono t)
{
	world_key_name(w, holder >= 0 ? w->view.m[holder].name : NULL, t);
}

struct ev_item world_sql_item(const struct peer *p, int m)
{
	struct ev_item item = {
	    .src = EV_SQL, .member = (uint8_t)m, .rc = p->sql};

	if (p->sql == EV_RC_OK)
		item.u.sql = (struct ev_sql){.in_recovery = !p->primary,
		    .read_only = p->read_only,
		    .streaming_known = !p->primary,
		    .streaming = p->streaming,
		    .lsn = p->lsn,
		    .tli = p->primary ? p->tli : 0};
	return item;
}

struct ev_item world_rest_item(const struct peer *p, int m)
{
	struct ev_item item = {
	    .src = EV_REST, .member = (uint8_t)m, .rc = p->rest};

	if (p->rest != EV_RC_OK)
		return item;
	item.u.rest = (struct ev_rest){.role = p->role,
	    .state = p->state,
	    .primary_200 = p->claims,
	    .sync = p->sync,
	    .tli = p->tli,
	    .lsn = p->lsn,
	    .sysid = p->sysid};
	if (p->role == EV_ROLE_NONE)
		item.u.rest.role =
		    p->primary ? EV_ROLE_PRIMARY : EV_ROLE_REPLICA;
	return item;
}

static void put(
    struct world *w, struct ev_item item, struct mono asked, struct mono t)
{
	item.asked = asked;
	item.at = t;
	(void)ev_put(&w->ev, &item);
}

void world_sql(struct world *w, int m, struct mono asked, struct mono t)
{
	put(w, world_sql_item(&w->peer[m], m), asked, t);
}

void world_rest(struct world *w, int m, struct mono asked, struct mono t)
{
	put(w, world_rest_item(&w->peer[m], m), asked, t);
}

void world_poll_sql(struct world *w, int m, struct mono t)
{
	world_sql(w, m, (struct mono){t.us - 1000}, t);
}

void world_poll_rest(struct world *w, int m, struct mono t)
{
	world_rest(w, m, (struct mono){t.us - 1000}, t);
}

void world_poll(struct world *w, struct mono t)
{
	for (int i = 0; i < w->ev.n; i++) {
		world_poll_sql(w, i, t);
		world_poll_rest(w, i, t);
	}
	ev_dcs_alive(&w->ev, t);
}

int world_judge(struct world *w, struct mono t)
{
	const struct publish_in in = {.ev = &w->ev,
	    .conf = &w->conf,
	    .pol = &w->pol,
	    .verdict = &w->v,
	    .reads = &w->reads,
	    .site = &w->site,
	    .observe = w->observe,
	    .addr = (const char(*)[LIM_ADDR])w->addr};

	w->v = verdict_write(&w->ev, &w->pol, t);
	ev_note_verdict(&w->ev, &w->v, t);
	reads_judge(&w->ev, &w->pol, t, &w->reads);
	(void)publish(&in, t, &w->snap);
	return w->v.write;
}

void world_run(struct world *w, int64_t from_ms, int64_t to_ms)
{
	for (int64_t ms = from_ms; ms <= to_ms; ms += 500) {
		world_poll(w, at(ms));
		(void)world_judge(w, at(ms));
	}
}

void world_settled(struct world *w, unsigned n, int64_t now_ms)
{
	world_init(w, n);
	world_key(w, A, at(now_ms - 20000));
	world_run(w, now_ms - 19500, now_ms);
}

void world_promote(struct world *w, int m)
{
	uint32_t tli = 0;

	for (int i = 0; i < w->ev.n; i++)
		if (w->peer[i].tli > tli)
			tli = w->peer[i].tli;
	w->peer[m].primary = true;
	w->peer[m].streaming = false;
	w->peer[m].tli = tli + 1;
}
