/* sim_prober.c - how the prober hears of the truth; see sim.h. */
#include "sim.h"

static struct peer peer_of(const struct sim *s, int i)
{
	const struct sim_member *m = &s->m[i];
	struct peer p = {.sql = EV_RC_OK,
	    .rest = EV_RC_OK,
	    .primary = m->primary,
	    .streaming = m->streaming,
	    .claims = s->key == i,
	    .tli = m->tli,
	    .lsn = m->lsn,
	    .sysid = 77,
	    .state = EV_STATE_RUNNING};

	if (!m->up) {
		bool soon = m->back_at - s->now < 300;

		p.sql = soon ? EV_RC_STARTING : EV_RC_REFUSED;
		p.state = soon ? EV_STATE_STARTING : EV_STATE_STOPPED;
	} else if (m->stopping) {
		p.sql = EV_RC_STOPPING;
		p.state = EV_STATE_STOPPING;
	}
	if (!m->patroni)
		p.rest = EV_RC_TIMEOUT;
	if (!m->host || m->cut)
		p.sql = p.rest = EV_RC_TIMEOUT;
	if (m->mute)
		p.sql = EV_RC_TIMEOUT;
	return p;
}

static void lose(struct sim *s, struct sim_member *m, struct sim_probe *p)
{
	if (s->now < m->quiet_till || !is_sim_chance(s, 40))
		return;
	m->quiet_till = s->now + 4000;
	p->sampled = true;
	p->item.rc = EV_RC_TIMEOUT;
	if (p->item.src == EV_SQL && is_sim_chance(s, 2))
		p->item.rc = EV_RC_LOST;
}

static void ask(struct sim *s, int i, enum ev_src src)
{
	struct sim_member *m = &s->m[i];
	struct sim_probe *p = src == EV_SQL ? &m->sql : &m->rest;
	int64_t slow = src == EV_REST && is_sim_chance(s, 20) ? 700 : 40;
	int64_t way = src == EV_SQL ? 10 : slow;

	*p = (struct sim_probe){.busy = true, .asked = s->now};
	p->item = (struct ev_item){.src = src, .member = (uint8_t)i};
	p->sample = s->now + sim_random(s, way + 1);
	p->answer = p->sample + sim_random(s, way / 2 + 1);
	lose(s, m, p);
}

static void sample(struct sim *s, int i, struct sim_probe *p)
{
	const struct peer peer = peer_of(s, i);

	p->sampled = true;
	p->item = p->item.src == EV_SQL ? world_sql_item(&peer, i)
					: world_rest_item(&peer, i);
}

/* Gives: whether an answer came in. */
static bool drive_probe(struct sim *s, int i, struct sim_probe *p)
{
	if (!p->busy)
		return false;
	if (!p->sampled && s->now >= p->sample)
		sample(s, i, p);
	if (p->sampled &&
	    (s->m[i].cut || (s->m[i].mute && p->item.src == EV_SQL)))
		p->item.rc = EV_RC_TIMEOUT;
	if (p->sampled && p->item.rc == EV_RC_TIMEOUT)
		p->answer = p->asked + TICK_DEADLINE_MS;
	if (!p->sampled || s->now < p->answer)
		return false;
	p->busy = false;
	p->item.asked = at(p->asked);
	p->item.at = at(s->now);
	return ev_put(&s->w.ev, &p->item);
}

static void tick(struct sim *s, int i)
{
	struct sim_member *m = &s->m[i];
	struct tick_in in = {
	    .sql_busy = m->sql.busy, .rest_busy = m->rest.busy};
	struct tick_out out;

	tick_needs(&s->w.ev, i, &s->w.pol, at(s->now), &in);
	out = tick_decide(&m->slot, &in, at(s->now));
	if (out.sql) {
		m->slot.last_sql = at(s->now);
		if (out.hurried)
			m->slot.hurried = at(s->now);
		ask(s, i, EV_SQL);
	}
	if (out.rest) {
		m->slot.last_rest = at(s->now);
		ask(s, i, EV_REST);
	}
}

static bool drive_dcs(struct sim *s)
{
	if (s->dcs_cut)
		return false;
	/* Its revision would show that the watch is behind: no proof then. */
	if (s->now >= s->next_beat && s->event_at == 0) {
		ev_dcs_alive(&s->w.ev, at(s->now));
		s->next_beat = s->now + 900 + sim_random(s, 200);
	}
	if (s->event_at == 0 || s->now < s->event_at)
		return false;
	s->event_at = 0;
	s->w.view.has_failover = s->failover;
	s->w.view.n = s->now < s->wiped_till ? 0 : (uint8_t)s->n;
	world_key(&s->w, s->key, at(s->now));
	return true;
}

/* SIGSTOP: nothing is asked, heard or judged; then what was on its way is
   no evidence. Gives: whether it stands still. */
static bool is_frozen(struct sim *s)
{
	if (s->now < s->frozen_till)
		return true;
	if (!is_sim_chance(s, 20000))
		return false;
	s->gaps++;
	s->frozen_till = s->now + 100 + sim_random(s, 8000);
	for (int i = 0; i < s->n; i++)
		s->m[i].sql.busy = s->m[i].rest.busy = false;
	return true;
}

void sim_prober(struct sim *s)
{
	bool news = s->frozen_till != 0; /* who wakes judges at once */

	if (is_frozen(s))
		return;
	s->frozen_till = 0;
	news |= drive_dcs(s);
	for (int i = 0; i < s->n; i++) {
		news |= drive_probe(s, i, &s->m[i].sql);
		news |= drive_probe(s, i, &s->m[i].rest);
	}
	if (news || s->now % 20 == 0) {
		(void)world_judge(&s->w, at(s->now));
		s->judged++;
	}
	for (int i = 0; i < s->w.ev.n; i++)
		tick(s, i);
}
