/* sim.c - the truth; see sim.h. */
#include "sim.h"

int64_t sim_random(struct sim *s, int64_t n)
{
	return (int64_t)(unit_random(&s->rng) % (uint32_t)n);
}

bool is_sim_chance(struct sim *s, int64_t in)
{
	return sim_random(s, in) == 0;
}

/* ---- the truth -------------------------------------------------------- */

static void tell_dcs(struct sim *s)
{
	int64_t late = is_sim_chance(s, 20) ? sim_random(s, 2500) : 0;

	if (s->event_at != 0)
		return;
	s->changed_at = s->now;
	s->event_at = s->now + sim_random(s, 6) * SIM_STEP_MS + late;
}

static void set_key(struct sim *s, int holder)
{
	s->key = holder;
	s->key_expires = s->now + SIM_TTL_MS;
	tell_dcs(s);
	s->key_free_at = s->now + 2 * SIM_STEP_MS;
	if (holder == -1)
		return;
	s->m[holder].key_since = s->now;
	s->moves++;
	if (!s->m[holder].primary)
		s->m[holder].promote_at = s->now + 50 + sim_random(s, 1500);
}

/* A server that ends: the kept connection says so at once, if it can. */
static void end_server(struct sim *s, int i, enum ev_rc rc, int64_t back_in)
{
	struct sim_member *m = &s->m[i];
	const struct ev_item item = {.src = EV_SQL,
	    .member = (uint8_t)i,
	    .asked = at(s->now),
	    .at = at(s->now),
	    .rc = rc};

	m->up = rc == EV_RC_STOPPING;
	m->streaming = false;
	m->back_at = s->now + back_in;
	/* A restart of 200 ms behind a longer silence is seen by nobody. */
	m->quiet_till = s->now + 2000;
	if (m->cut || m->mute || !m->host)
		return;
	m->sql.busy = false;
	(void)ev_put(&s->w.ev, &item);
}

static void stop_following(struct sim *s, int except)
{
	for (int i = 0; i < s->n; i++) {
		struct sim_member *m = &s->m[i];

		if (i == except || m->primary)
			continue;
		m->streaming = false;
		m->follow_at = s->now + 200 + sim_random(s, 5800);
	}
}

static void promote(struct sim *s, int i)
{
	s->m[i].promote_at = 0;
	s->m[i].primary = true;
	s->m[i].streaming = false;
	s->m[i].tli++;
	s->m[i].tli_since = s->now;
	stop_following(s, i);
}

/* Comes back as what the key says; another branch is rewound. */
static void come_back(struct sim *s, int i)
{
	struct sim_member *m = &s->m[i];

	m->up = m->host = m->patroni = true;
	m->back_at = 0;
	m->stopping = m->stranger = false;
	m->primary = m->primary && s->key == i;
	if (m->primary)
		stop_following(s, i);
	else
		m->follow_at = s->now + 200 + sim_random(s, 4000);
}

static void follow(struct sim *s, int i)
{
	struct sim_member *m = &s->m[i];

	if (s->key == -1 || s->key == i || !s->m[s->key].primary ||
	    !s->m[s->key].up || s->m[s->key].mute || m->lagging)
		return;
	m->follow_at = 0;
	m->streaming = true;
	if (m->tli != s->m[s->key].tli)
		m->tli_since = s->now;
	m->tli = s->m[s->key].tli;
}

static int candidate(struct sim *s)
{
	int from = (int)sim_random(s, s->n);

	for (int k = 0; k < s->n; k++) {
		int i = (from + k) % s->n;
		const struct sim_member *m = &s->m[i];

		if (m->up && m->patroni && !m->primary && !m->lagging)
			return i;
	}
	return -1;
}

static void keep_key(struct sim *s)
{
	int c;

	if (s->now < s->wiped_till)
		return;
	if (s->key >= 0 && s->m[s->key].patroni)
		s->key_expires = s->now + SIM_TTL_MS;
	if (s->key >= 0 && s->now >= s->key_expires)
		set_key(s, -1);
	if (s->key >= 0 || s->now < s->key_free_at)
		return;
	c = candidate(s);
	if (c >= 0) {
		s->failover = false;
		set_key(s, c);
	}
}

static void move_member(struct sim *s, int i)
{
	struct sim_member *m = &s->m[i];

	if (m->back_at != 0 && s->now >= m->back_at)
		come_back(s, i);
	if (m->promote_at != 0 && s->now >= m->promote_at) {
		if (s->key == i && m->up)
			promote(s, i);
		m->promote_at = 0;
	}
	if (m->follow_at != 0 && s->now >= m->follow_at && m->up && !m->primary)
		follow(s, i);
	if (m->primary && m->up && !m->mute)
		m->lsn += 1 + (uint64_t)sim_random(s, 100000);
}

static void move_replicas(struct sim *s)
{
	if (s->key == -1)
		return;
	for (int i = 0; i < s->n; i++) {
		struct sim_member *m = &s->m[i];
		uint64_t to = s->m[s->key].lsn;

		if (m->streaming && m->up && !m->lagging && !m->paused &&
		    to > m->lsn)
			m->lsn = to - (uint64_t)sim_random(s, 1000);
	}
}

/* ---- faults ----------------------------------------------------------- */

static void begin_fault(struct sim *s)
{
	s->fault = (enum sim_fault)(1 + sim_random(s, SIM_FAULT_N - 1));
	s->faults[s->fault]++;
	s->phase = 0;
	s->phase_at = s->now;
	s->victim = s->key;
	if (s->fault == SIM_STRANGER || s->fault == SIM_LAG ||
	    s->fault == SIM_PAUSE)
		s->victim = (s->key + 1 + (int)sim_random(s, s->n - 1)) % s->n;
}

static void switch_over(struct sim *s)
{
	switch (s->phase++) {
	case 0:
		s->failover = true;
		tell_dcs(s);
		s->phase_at = s->now + 400;
		return;
	case 1:
		s->m[s->victim].stopping = true;
		end_server(s, s->victim, EV_RC_STOPPING, 2000);
		s->phase_at = s->now + 100;
		return;
	default:
		s->m[s->victim].up = false;
		set_key(s, -1);
		s->fault = SIM_CALM;
	}
}

static void kill_host(struct sim *s)
{
	struct sim_member *m = &s->m[s->victim];

	m->host = m->patroni = false;
	end_server(s, s->victim, EV_RC_LOST, SIM_TTL_MS + 4000);
	stop_following(s, s->victim);
	s->fault = SIM_CALM;
}

static void restart(struct sim *s)
{
	s->m[s->victim].cut = false;
	end_server(s, s->victim, EV_RC_LOST, 200 + sim_random(s, 2500));
	stop_following(s, s->victim);
	s->fault = SIM_CALM;
}

static void rewind_all(struct sim *s, uint32_t tli)
{
	for (int i = 0; i < s->n; i++) {
		struct sim_member *m = &s->m[i];

		if (i == s->victim || m->tli <= tli)
			continue;
		end_server(s, i, EV_RC_LOST, 500 + sim_random(s, 2000));
		m->tli = tli;
		m->tli_since = s->now;
		m->lsn = s->m[s->victim].lsn;
	}
}

static void freeze(struct sim *s)
{
	struct sim_member *m = &s->m[s->victim];

	switch (s->phase++) {
	case 0:
		m->patroni = false;
		s->phase_at = s->now + SIM_TTL_MS + 2000 + sim_random(s, 9000);
		return;
	case 1:
		m->patroni = true;
		s->phase_at = s->now + sim_random(s, 3000);
		if (s->fault == SIM_TAKE_BACK)
			set_key(s, s->victim);
		return;
	default:
		if (s->key == s->victim)
			rewind_all(s, m->tli);
		else
			end_server(s, s->victim, EV_RC_LOST, 1500);
		s->fault = SIM_CALM;
	}
}

static void estrange(struct sim *s)
{
	struct sim_member *m = &s->m[s->victim];

	if (s->phase++ == 0) {
		m->stranger = m->primary = true;
		m->streaming = false;
		m->tli++;
		m->tli_since = s->now;
		s->phase_at = s->now + 8000;
		return;
	}
	m->tli--;
	m->primary = false;
	m->tli_since = s->now;
	end_server(s, s->victim, EV_RC_LOST, 1000);
	s->fault = SIM_CALM;
}

static void lag_behind(struct sim *s)
{
	struct sim_member *m = &s->m[s->victim];

	if (s->phase++ == 0) {
		m->streaming = false;
		m->lagging = true;
		s->phase_at = s->now + 7000;
		return;
	}
	m->lagging = false;
	m->follow_at = s->now + 10;
	s->fault = SIM_CALM;
}

static void pause_replay(struct sim *s)
{
	s->m[s->victim].paused = s->phase++ == 0;
	s->phase_at = s->now + 2000 + sim_random(s, 15000);
	if (!s->m[s->victim].paused)
		s->fault = SIM_CALM;
}

/* The leader is the first to write its keys anew. */
static void wipe(struct sim *s)
{
	if (s->phase++ == 0) {
		s->wiped_till = s->now + 300 + sim_random(s, 6000);
		s->phase_at = s->wiped_till;
		set_key(s, -1);
		return;
	}
	if (s->m[s->victim].up && s->m[s->victim].patroni)
		set_key(s, s->victim);
	s->fault = SIM_CALM;
}

/* Its Patroni lives, and keeps the key. */
static void mute(struct sim *s)
{
	s->m[s->victim].mute = s->phase++ == 0;
	s->phase_at = s->now + SIM_SEEN_MS + 1000 + sim_random(s, 30000);
	if (s->m[s->victim].mute)
		stop_following(s, s->victim);
	else
		s->fault = SIM_CALM;
}

static void drive_fault(struct sim *s)
{
	if (s->now < s->phase_at)
		return;
	switch (s->fault) {
	case SIM_CALM:
		if (s->now - s->restless_last > 6000 && is_sim_chance(s, 800))
			begin_fault(s);
		return;
	case SIM_SWITCHOVER:
		switch_over(s);
		return;
	case SIM_KILL:
		kill_host(s);
		return;
	case SIM_RESTART:
		restart(s);
		return;
	case SIM_FREEZE:
	case SIM_TAKE_BACK:
		freeze(s);
		return;
	case SIM_STRANGER:
		estrange(s);
		return;
	case SIM_LAG:
		lag_behind(s);
		return;
	case SIM_PAUSE:
		pause_replay(s);
		return;
	case SIM_WIPE:
		wipe(s);
		return;
	case SIM_MUTE:
		mute(s);
		return;
	case SIM_FAULT_N:
		break;
	}
	abort();
}

/* Cuts come by themselves, also into the middle of a fault. */
static void drive_cuts(struct sim *s)
{
	if (!s->dcs_cut && is_sim_chance(s, 10000)) {
		s->dcs_cut = true;
		s->dcs_back = s->now + 500 + sim_random(s, 15000);
	} else if (s->dcs_cut && s->now >= s->dcs_back) {
		s->dcs_cut = false;
		tell_dcs(s);
	}
	for (int i = 0; i < s->n; i++) {
		struct sim_member *m = &s->m[i];

		if (!m->cut && s->now >= m->quiet_till &&
		    is_sim_chance(s, 30000)) {
			m->cut = true;
			m->uncut_at = s->now + 500 + sim_random(s, 12000);
		} else if (m->cut && s->now >= m->uncut_at) {
			m->cut = false;
		}
	}
}

/* ---- since when what has been so -------------------------------------- */

static void since(int64_t *t, bool is_so, int64_t now)
{
	if (!is_so)
		*t = SIM_NEVER;
	else if (*t == SIM_NEVER)
		*t = now;
}

/* Long enough for any prober to have seen it. */
static bool is_sim_long(const struct sim *s, int64_t t)
{
	return t != SIM_NEVER && s->now - t > SIM_SEEN_MS;
}

static bool is_fit(const struct sim *s, int i)
{
	const struct sim_member *m = &s->m[i];

	/* A branch that the key's holder is not on is no copy of its data. */
	if (s->key >= 0 && m->tli > s->m[s->key].tli)
		return false;
	/* A prober that has just woken has heard of nobody yet. */
	if (s->now < s->frozen_till)
		return false;
	/* Who was seen to stream stays fit when the leader goes. */
	return m->up && m->host && !m->primary && !m->cut && !m->lagging &&
	    !m->paused && m->behind_since == SIM_NEVER && !m->stopping &&
	    s->key != i &&
	    (m->fit_since != SIM_NEVER ||
		(is_sim_long(s, m->stream_since) &&
		    is_sim_long(s, m->reached_since)));
}

static void note_member(struct sim *s, int i)
{
	struct sim_member *m = &s->m[i];
	bool reached = m->host && !m->cut && s->now >= s->frozen_till;

	since(&m->primary_since, m->up && m->primary, s->now);
	if (m->up && m->primary)
		m->primary_last = s->now;
	if (s->key == i)
		m->key_last = s->now;
	since(&m->reached_since, reached, s->now);
	since(&m->spoken_since, reached && !m->mute, s->now);
	if (reached)
		m->reached_last = s->now;
	since(&m->up_since, m->up, s->now);
	since(&m->stream_since, m->streaming, s->now);
	since(&m->fit_since, is_fit(s, i), s->now);
	since(&m->unfit_since, m->up && !m->streaming && !m->primary, s->now);
	since(&m->behind_since,
	    s->key >= 0 && s->m[s->key].lsn > m->lsn + SIM_LAG_BYTES, s->now);
}

static bool is_well(const struct sim *s)
{
	bool well = s->now >= s->frozen_till && s->fault == SIM_CALM &&
	    !s->dcs_cut && s->key >= 0 && !s->failover && s->m[s->key].primary;

	for (int i = 0; i < s->n && well; i++) {
		const struct sim_member *m = &s->m[i];

		well = m->up && m->host && m->patroni && !m->cut &&
		    !m->stopping && !m->paused && (i == s->key || m->streaming);
	}
	return well;
}

static void note_truth(struct sim *s)
{
	for (int i = 0; i < s->n; i++)
		note_member(s, i);
	/* A late event is a DCS out of reach for as long. */
	if (s->dcs_cut || s->now < s->wiped_till ||
	    (s->event_at != 0 && s->now - s->changed_at > SIM_EVENT_MS))
		s->dcs_cut_last = s->now;
	if (!is_well(s))
		s->restless_last = s->now;
}

void sim_init(struct sim *s, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->rng = seed;
	s->n = 3 + (int)sim_random(s, 2);
	world_init(&s->w, (unsigned)s->n);
	s->w.pol.lag_grace = dur_ms(SIM_GRACE_MS);
	if (is_sim_chance(s, 2))
		s->w.pol.max_lag.ms = 5000;
	if (is_sim_chance(s, 2))
		s->w.pol.slow_start = dur_ms(20000);
	for (int i = 0; i < s->n; i++)
		s->m[i] = (struct sim_member){.up = true,
		    .host = true,
		    .patroni = true,
		    .primary = i == 0,
		    .streaming = i != 0,
		    .tli = 4,
		    .lsn = 1 << 30,
		    .primary_since = SIM_NEVER,
		    .primary_last = SIM_NEVER,
		    .key_last = SIM_NEVER,
		    .reached_since = SIM_NEVER,
		    .reached_last = SIM_NEVER,
		    .spoken_since = SIM_NEVER,
		    .up_since = SIM_NEVER,
		    .stream_since = SIM_NEVER,
		    .fit_since = SIM_NEVER,
		    .unfit_since = SIM_NEVER,
		    .behind_since = SIM_NEVER};
	s->dcs_cut_last = SIM_NEVER;
	s->now = SIM_STEP_MS;
	set_key(s, 0);
}

void sim_step(struct sim *s)
{
	s->now += SIM_STEP_MS;
	drive_fault(s);
	drive_cuts(s);
	for (int i = 0; i < s->n; i++)
		move_member(s, i);
	move_replicas(s);
	keep_key(s);
	note_truth(s);
	s->steps++;
	sim_prober(s);
}
