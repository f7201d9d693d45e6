/*
 * route.c - where one connection goes; see route.h.
 *
 * Called for every new connection by the agent, and by the desk. The
 * snapshot's write target is the prober's verdict: here nobody judges, only
 * chooses among what the verdict allows.
 */
#include "route.h"

/*
 * One unit of credit: the least common multiple of 1..32, so that up to
 * LIM_MEMBERS equal shares of it are exact and leave no drift.
 */
#define RR_UNIT 144403552893600
_Static_assert(LIM_MEMBERS == 32, "RR_UNIT is made for 32 members");
_Static_assert(RR_UNIT < INT64_MAX / SNAP_WEIGHT_MAX, "a share must not wrap");

/* Members that one read may go to, by index into the snapshot. */
struct pool {
	unsigned n;
	uint32_t weights;
	uint8_t member[LIM_MEMBERS];
};

static struct decision refuse(enum snap_why why)
{
	return (struct decision){
	    ROUTE_REFUSE, ROUTE_ACT_DESK, -1, (uint8_t)why};
}

static struct decision wait_for(enum snap_why why)
{
	return (struct decision){ROUTE_WAIT, ROUTE_ACT_HOLD, -1, (uint8_t)why};
}

static struct decision route_to(
    enum route_action action, int member, enum snap_why why)
{
	return (struct decision){
	    ROUTE_TO, (uint8_t)action, (int8_t)member, (uint8_t)why};
}

/* FNV-1a; 0 is kept for "no member". */
static uint32_t hash_name(const char *name)
{
	uint32_t h = 2166136261U;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 16777619U;
	return h != 0 ? h : 1;
}

/*
 * Between plus and minus half a unit: who is new is neither first for long nor
 * passed over, and no two are tied, so that no order of names is favoured.
 * Source: Steele, Lea and Flood's SplitMix, with MurmurHash3's last steps.
 */
static int64_t rr_start(struct rr *rr)
{
	uint32_t r = rr->turn += 0x9e3779b9U;

	r = (r ^ r >> 16) * 0x85ebca6bU;
	r = (r ^ r >> 13) * 0xc2b2ae35U;
	r ^= r >> 16;
	return (RR_UNIT >> 32) * (int64_t)r - RR_UNIT / 2;
}

/* Moves the credits to the slots of this snapshot's members. */
static void rr_realign(
    struct rr *rr, const struct snapshot *snap, const uint32_t hash[])
{
	struct rr old = *rr;
	bool kept[LIM_MEMBERS] = {false};
	int64_t sum = 0, kept_n = 0;

	memset(rr->name, 0, sizeof(rr->name));
	memset(rr->credit, 0, sizeof(rr->credit));
	for (unsigned i = 0; i < snap->n; i++) {
		rr->name[i] = hash[i];
		for (unsigned j = 0; j < LIM_MEMBERS && !kept[i]; j++) {
			if (old.name[j] != hash[i])
				continue;
			rr->credit[i] = old.credit[j];
			old.name[j] = 0;
			sum += old.credit[j];
			kept[i] = true;
			kept_n++;
		}
	}
	/* Credits add up to nothing; who left took a part of that along. */
	for (unsigned i = 0; i < snap->n; i++)
		rr->credit[i] =
		    kept[i] ? rr->credit[i] - sum / kept_n : rr_start(rr);
}

static void rr_align(struct rr *rr, const struct snapshot *snap)
{
	uint32_t hash[LIM_MEMBERS] = {0};

	for (unsigned i = 0; i < snap->n; i++)
		hash[i] = hash_name(snap->m[i].name);
	if (memcmp(hash, rr->name, sizeof(hash)) != 0)
		rr_realign(rr, snap, hash);
}

/* Needs: the pool is not empty. Gives: the member that is next. */
static int rr_next(
    struct rr *rr, const struct snapshot *snap, const struct pool *pool)
{
	int64_t given = 0;
	int best = -1;

	rr_align(rr, snap);
	for (unsigned i = 0; i < pool->n; i++) {
		unsigned m = pool->member[i];
		int64_t share =
		    RR_UNIT * (int64_t)snap->m[m].weight / pool->weights;

		rr->credit[m] += share;
		given += share;
		if (best == -1 || rr->credit[m] > rr->credit[best])
			best = (int)m;
	}
	rr->credit[best] -= given;
	return best;
}

static bool is_within(const struct snap_member *m, const struct intent *it)
{
	if (it->max_lag_bytes != UINT64_MAX && m->lag_bytes > it->max_lag_bytes)
		return false;
	return it->max_lag_ms == UINT32_MAX || m->lag_ms <= it->max_lag_ms;
}

/* The READ members for this intent, those with `min_lsn` replayed. */
static void fill_pool(struct pool *pool, const struct snapshot *snap,
    const struct intent *it, uint64_t min_lsn)
{
	*pool = (struct pool){0};
	for (unsigned i = 0; i < snap->n; i++) {
		const struct snap_member *m = &snap->m[i];

		if ((m->flags & SNAP_F_READ) == 0 || !is_within(m, it))
			continue;
		if (it->want == INTENT_SYNC && m->role != SNAP_ROLE_SYNC)
			continue;
		if (m->replay_lsn < min_lsn)
			continue;
		pool->member[pool->n++] = (uint8_t)i;
		pool->weights += m->weight;
	}
}

static struct decision decide_write(
    const struct snapshot *snap, enum route_action action)
{
	if (snap->write_why == SNAP_WHY_STANDBY_CLUSTER)
		return refuse(SNAP_WHY_STANDBY_CLUSTER);
	if (snap->planned)
		return wait_for(SNAP_WHY_STOPPING);
	if (snap->write == -1)
		return wait_for((enum snap_why)snap->write_why);
	return route_to(action, snap->write, (enum snap_why)snap->write_why);
}

/* Its min_lsn alone keeps it from a replica, which may soon have replayed it:
   what is known of a replica is always a little behind it. */
static bool waits_for_lsn(const struct snapshot *snap, const struct intent *it)
{
	struct pool pool;

	if (it->min_lsn == 0 || (it->flags & INTENT_F_WAITED) != 0)
		return false;
	fill_pool(&pool, snap, it, 0);
	return pool.n > 0;
}

bool is_route_fallback(const struct intent *it)
{
	return (it->flags & INTENT_F_FALLBACK) != 0 || it->want == INTENT_ANY ||
	    it->min_lsn > 0;
}

/* No replica will do; but one may come, so a read is never refused here. */
static struct decision decide_fallback(
    const struct snapshot *snap, const struct intent *it)
{
	struct decision d = decide_write(snap, ROUTE_ACT_FALLBACK);
	bool drained = d.kind == ROUTE_TO &&
	    (snap->m[d.member].flags & SNAP_F_DRAINED) != 0;

	return d.kind == ROUTE_TO && !drained && is_route_fallback(it)
	    ? d
	    : wait_for(SNAP_WHY_NO_REPLICA);
}

static struct decision decide_read(
    const struct snapshot *snap, const struct intent *it, struct rr *rr)
{
	struct pool pool;
	int m;

	fill_pool(&pool, snap, it, it->min_lsn);
	if (pool.n == 0)
		return waits_for_lsn(snap, it) ? wait_for(SNAP_WHY_MIN_LSN)
					       : decide_fallback(snap, it);
	m = rr_next(rr, snap, &pool);
	return route_to(ROUTE_ACT_READ, m, (enum snap_why)snap->m[m].why);
}

struct decision route_decide(
    const struct snapshot *snap, const struct intent *it, struct rr *rr)
{
	assert(snap != NULL && it != NULL && rr != NULL);
	assert(snap->n <= LIM_MEMBERS && snap->write < snap->n);
	if ((it->flags & (INTENT_F_CANCEL | INTENT_F_HTTP)) != 0)
		return refuse(SNAP_WHY_NONE);
	switch ((enum intent_want)it->want) {
	case INTENT_PRIMARY:
		return decide_write(snap, ROUTE_ACT_WRITE);
	case INTENT_REPLICA:
	case INTENT_SYNC:
	case INTENT_ANY:
		return decide_read(snap, it, rr);
	case INTENT_NONE:
		break;
	}
	return refuse(SNAP_WHY_NONE);
}

const char *route_action_name(enum route_action a)
{
	static const char *const name[ROUTE_ACT_N] = {
	    [ROUTE_ACT_NONE] = "",
	    [ROUTE_ACT_WRITE] = "write",
	    [ROUTE_ACT_READ] = "read",
	    [ROUTE_ACT_FALLBACK] = "fallback",
	    [ROUTE_ACT_HOLD] = "hold",
	    [ROUTE_ACT_DESK] = "desk",
	};

	assert(a < ROUTE_ACT_N && name[a] != NULL);
	return name[a];
}
