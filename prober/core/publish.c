/*
 * publish.c - verdict and reads become a snapshot; see publish.h.
 *
 * Called by cluster.c after each verdict. What stands in a snapshot is final:
 * agents add no judgement of their own.
 */
#include "publish.h"

#include <assert.h>
#include <string.h>

#include "word.h"

/* All that the functions below read; the snapshot in the making is apart. */
struct making {
	const struct cluster_ev *ev;
	const struct publish_in *in;
	struct mono now;
};

/* The sync key says it, by quorum too; where no DCS is read, Patroni does. */
static bool is_sync(const struct making *k, int i)
{
	const struct ev_dcs *d = &k->ev->dcs;
	const struct ev_member *m = &k->ev->m[i];

	for (int j = 0; j < d->sync_n; j++)
		if (strcmp(d->sync_standby[j], m->dcs.name) == 0)
			return true;
	return !d->synced && m->rest.sync &&
	    is_mono_fresh(m->rest_slot.ok_at, k->in->pol->max_age_rest, k->now);
}

/* There is one leader: the target, or while there is none the key's holder. */
static bool is_leader(const struct making *k, int i)
{
	if (k->in->verdict->write >= 0)
		return i == k->in->verdict->write;
	return i == k->ev->dcs.leader && !k->ev->dcs.standby_cluster;
}

static enum snap_role role_of(const struct making *k, int i)
{
	static const struct mono ever = {0};
	const struct ev_member *m = &k->ev->m[i];
	enum word w = word_of(k->ev, i, ever, k->in->pol, k->now);
	bool replica = w == WORD_REPLICA ||
	    (w != WORD_PRIMARY && m->dcs.role == EV_ROLE_REPLICA);

	if (is_leader(k, i))
		return SNAP_ROLE_LEADER;
	if (i == k->ev->dcs.leader && k->ev->dcs.standby_cluster)
		return SNAP_ROLE_STANDBY_LEADER;
	if (!replica)
		return SNAP_ROLE_NONE;
	return is_sync(k, i) ? SNAP_ROLE_SYNC : SNAP_ROLE_REPLICA;
}

/*
 * The position it had when last seen stays behind it, but for a restart: after
 * one a replica may show less. So a broken connection makes it unknown.
 */
static uint64_t replay_of(const struct making *k, int i)
{
	const struct ev_member *m = &k->ev->m[i];

	if (m->sql_slot.rc == EV_RC_OK)
		return m->sql.lsn;
	if (m->rest_slot.rc == EV_RC_OK &&
	    is_mono_before(m->sql_slot.at, m->rest_slot.ok_asked))
		return m->rest.lsn;
	return 0;
}

static bool is_routable(const struct making *k, int i)
{
	return k->in->site->unknown || k->in->site->routable[i];
}

static uint16_t weight_of(const struct making *k, int i)
{
	uint16_t w = k->ev->m[i].dcs.weight;

	return reads_weight(k->in->reads, i,
	    w < SNAP_WEIGHT_MAX ? w : SNAP_WEIGHT_MAX, k->in->pol, k->now);
}

/* What HAProxy and operators say of it. */
static unsigned site_flags(const struct making *k, int i)
{
	const struct publish_site *s = k->in->site;
	unsigned flags = 0;

	if (s->drained[i])
		flags |= SNAP_F_DRAINED;
	if (k->in->observe && s->classic_write[i])
		flags |= SNAP_F_CLASSIC_WRITE;
	if (k->in->observe && s->classic_read[i])
		flags |= SNAP_F_CLASSIC_READ;
	return flags;
}

static uint8_t flags_of(const struct making *k, int i)
{
	const struct ev_member *m = &k->ev->m[i];
	unsigned flags = site_flags(k, i);

	if (is_ev_live(k->ev, i, k->in->pol, k->now) &&
	    m->sql_slot.denied == EV_RC_NONE)
		flags |= SNAP_F_LIVE;
	if (i == k->in->verdict->write && is_ev_read_only(m))
		flags |= SNAP_F_READONLY;
	if (k->in->reads->fit[i] && !is_leader(k, i) && is_routable(k, i) &&
	    !k->in->site->drained[i] && weight_of(k, i) > 0)
		flags |= SNAP_F_READ;
	return (uint8_t)flags;
}

static enum snap_why why_of(const struct making *k, int i)
{
	if (!is_routable(k, i))
		return SNAP_WHY_NOT_IN_HAPROXY;
	if (is_leader(k, i))
		return k->in->verdict->why;
	if (k->in->reads->fit[i] && k->in->site->drained[i])
		return SNAP_WHY_DRAINED;
	if (k->in->reads->fit[i] && weight_of(k, i) == 0)
		return SNAP_WHY_NO_WEIGHT;
	return k->in->reads->why[i];
}

static void fill_lag(const struct making *k, int i, struct snap_member *out)
{
	struct reads_lag lag = {0, 0};

	if (i != k->in->verdict->write)
		lag = reads_lag(k->ev, i, k->in->pol, k->now);
	out->lag_bytes = lag.bytes;
	out->lag_ms = lag.ms;
}

static void copy_name(char to[static LIM_NAME], const char *from)
{
	/* A name that is none (conf's own were checked) is left empty. */
	if (!is_snap_name(from) || !slice_copy(slice_str(from), to, LIM_NAME))
		to[0] = '\0';
}

static void fill_member(const struct making *k, int i, struct snap_member *out)
{
	const struct ev_member *m = &k->ev->m[i];
	uint32_t tli = word_tli(m);

	copy_name(out->name, m->dcs.name);
	if (is_routable(k, i))
		copy_name(
		    out->server, conf_server_of(k->in->conf, m->dcs.name));
	(void)slice_copy(
	    slice_str(k->in->addr[i]), out->addr, sizeof(out->addr));
	out->role = (uint8_t)role_of(k, i);
	out->flags = flags_of(k, i);
	out->why = (uint8_t)why_of(k, i);
	out->port = m->dcs.port;
	out->weight = weight_of(k, i);
	out->tli = tli != 0 ? tli : m->dcs.tli;
	out->replay_lsn = replay_of(k, i);
	fill_lag(k, i, out);
}

static void fill_write(const struct making *k, int i, struct snapshot *s)
{
	if (i != k->in->verdict->write)
		return;
	if (is_routable(k, i) && s->m[s->n].server[0] != '\0')
		s->write = (int8_t)s->n;
	else
		s->write_why = SNAP_WHY_NOT_IN_HAPROXY;
}

static uint32_t since_ms(const struct cluster_ev *ev, struct mono now)
{
	int64_t ms = is_mono_set(ev->written_at)
	    ? dur_to_ms(mono_sub(now, ev->written_at))
	    : 0;

	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static void fill(const struct making *k, struct snapshot *s)
{
	copy_name(s->cluster, k->in->conf->name);
	s->write = -1;
	s->write_why = (uint8_t)k->in->verdict->why;
	s->fallback = (uint8_t)k->in->pol->read_fallback;
	s->planned = k->in->verdict->planned;
	s->transition = is_ev_transition(k->ev, k->now);
	s->observe = k->in->observe;
	s->since_ms = since_ms(k->ev, k->now);
	for (int i = 0; i < k->ev->n; i++) {
		if (!is_ev_member(k->ev, i, k->now) &&
		    i != k->in->verdict->write)
			continue;
		fill_member(k, i, &s->m[s->n]);
		fill_write(k, i, s);
		s->n++;
	}
}

bool is_publish_site_same(
    const struct publish_site *a, const struct publish_site *b)
{
	for (int i = 0; i < LIM_MEMBERS; i++)
		if (a->routable[i] != b->routable[i] ||
		    a->drained[i] != b->drained[i] ||
		    a->classic_write[i] != b->classic_write[i] ||
		    a->classic_read[i] != b->classic_read[i])
			return false;
	return a->classic_write_at.us == b->classic_write_at.us &&
	    a->classic_read_at.us == b->classic_read_at.us &&
	    a->unknown == b->unknown;
}

bool publish(const struct publish_in *in, struct mono now, struct snapshot *out)
{
	struct snapshot s = {0};
	bool changed;

	assert(in != NULL && in->ev != NULL && in->conf != NULL);
	assert(in->pol != NULL && in->verdict != NULL && in->reads != NULL);
	assert(in->site != NULL && in->addr != NULL);
	assert(out != NULL && out->boot_id != 0);

	struct making k = {in->ev, in, now};

	fill(&k, &s);
	assert(snap_check(&s));
	changed = out->seq == 0 || !is_snap_same(&s, out);
	s.boot_id = out->boot_id;
	s.seq = out->seq + (changed ? 1 : 0);
	*out = s;
	return changed;
}
