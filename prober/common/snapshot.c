/*
 * snapshot.c - the contract's encoding and its invariants; see snapshot.h.
 */
#include "snapshot.h"

#include "wire.h"

/* Every string full: a length byte and LIM - 1 bytes. */
#define HEAD_MAX (1 + 8 + 8 + LIM_NAME + 1 + 1 + 1 + 1 + 1 + 1 + 4 + 1)
#define MEMBER_MAX (LIM_NAME + LIM_NAME + LIM_ADDR + 3 + 2 + 2 + 4 + 4 + 8 + 8)
_Static_assert(HEAD_MAX + LIM_MEMBERS * MEMBER_MAX <= LIM_FEED_MSG - 64,
    "32 members with every string full must fit one feed message");
_Static_assert(LIM_NAME <= 256 && LIM_ADDR <= 256, "one length byte");

bool is_snap_name(const char *name)
{
	assert(name != NULL);
	if (*name == '\0')
		return false;
	for (; *name != '\0'; name++) {
		if (*name <= 0x20 || *name > 0x7e)
			return false;
	}
	return true;
}

static void put_member(struct wire_out *w, const struct snap_member *m)
{
	wire_put_str(w, m->name);
	wire_put_str(w, m->server);
	wire_put_str(w, m->addr);
	wire_put(w, m->role, 1);
	wire_put(w, m->flags, 1);
	wire_put(w, m->why, 1);
	wire_put(w, m->port, 2);
	wire_put(w, m->weight, 2);
	wire_put(w, m->tli, 4);
	wire_put(w, m->lag_ms, 4);
	wire_put(w, m->lag_bytes, 8);
	wire_put(w, m->replay_lsn, 8);
}

size_t snap_encode(const struct snapshot *s, unsigned char *buf, size_t size)
{
	struct wire_out w = wire_to(buf, size);

	assert(s != NULL && buf != NULL && snap_check(s));
	wire_put(&w, SNAP_VERSION, 1);
	wire_put(&w, s->boot_id, 8);
	wire_put(&w, s->seq, 8);
	wire_put_str(&w, s->cluster);
	wire_put(&w, (uint8_t)s->write, 1);
	wire_put(&w, s->write_why, 1);
	wire_put(&w, s->fallback, 1);
	wire_put(&w, s->planned, 1);
	wire_put(&w, s->transition, 1);
	wire_put(&w, s->observe, 1);
	wire_put(&w, s->since_ms, 4);
	wire_put(&w, s->n, 1);
	for (unsigned i = 0; i < s->n; i++)
		put_member(&w, &s->m[i]);
	return w.ok ? size - w.left : 0;
}

/* A later version's reasons are none of ours, and decide nothing. */
static uint8_t get_why(struct wire_in *r)
{
	uint64_t v = wire_get(r, 1);

	return v < SNAP_WHY_N ? (uint8_t)v : SNAP_WHY_NONE;
}

static void get_member(struct wire_in *r, struct snap_member *m)
{
	wire_get_str(r, m->name, sizeof(m->name));
	wire_get_str(r, m->server, sizeof(m->server));
	wire_get_str(r, m->addr, sizeof(m->addr));
	m->role = (uint8_t)wire_get(r, 1);
	m->flags = (uint8_t)wire_get(r, 1);
	m->why = get_why(r);
	m->port = (uint16_t)wire_get(r, 2);
	m->weight = (uint16_t)wire_get(r, 2);
	m->tli = (uint32_t)wire_get(r, 4);
	m->lag_ms = (uint32_t)wire_get(r, 4);
	m->lag_bytes = wire_get(r, 8);
	m->replay_lsn = wire_get(r, 8);
}

static bool get_flag(struct wire_in *r)
{
	uint64_t v = wire_get(r, 1);

	if (v > 1)
		r->ok = false;
	return v == 1;
}

static void get_snapshot(struct wire_in *r, struct snapshot *s)
{
	if (wire_get(r, 1) != SNAP_VERSION)
		r->ok = false;
	s->boot_id = wire_get(r, 8);
	s->seq = wire_get(r, 8);
	wire_get_str(r, s->cluster, sizeof(s->cluster));
	s->write = (int8_t)wire_get(r, 1);
	s->write_why = get_why(r);
	s->fallback = (uint8_t)wire_get(r, 1);
	s->planned = get_flag(r);
	s->transition = get_flag(r);
	s->observe = get_flag(r);
	s->since_ms = (uint32_t)wire_get(r, 4);
	s->n = (uint8_t)wire_get(r, 1);
	for (unsigned i = 0; r->ok && i < s->n && i < LIM_MEMBERS; i++)
		get_member(r, &s->m[i]);
}

bool snap_decode(struct slice in, struct snapshot *out)
{
	struct wire_in r = {in, true};

	assert(out != NULL);
	memset(out, 0, sizeof(*out));
	get_snapshot(&r, out);
	if (r.ok && r.s.len == 0 && snap_check(out))
		return true;
	memset(out, 0, sizeof(*out));
	return false;
}

/* Holds also for text that nobody wrote: the NUL must be inside. */
static bool is_text(const char *s, size_t size)
{
	return memchr(s, 0, size) != NULL && (*s == '\0' || is_snap_name(s));
}

static bool is_member_sound(const struct snap_member *m)
{
	if (!is_text(m->name, sizeof(m->name)) || m->name[0] == '\0' ||
	    !is_text(m->server, sizeof(m->server)) ||
	    !is_text(m->addr, sizeof(m->addr)))
		return false;
	if (m->role >= SNAP_ROLE_N || m->why >= SNAP_WHY_N ||
	    m->flags > SNAP_F_ALL || m->weight > SNAP_WEIGHT_MAX)
		return false;
	if ((m->flags & SNAP_F_READ) == 0)
		return true;
	return m->server[0] != '\0' && m->weight > 0 &&
	    m->role != SNAP_ROLE_LEADER;
}

static bool has_unique_names(const struct snapshot *s)
{
	for (unsigned i = 1; i < s->n; i++) {
		for (unsigned j = 0; j < i; j++) {
			if (strcmp(s->m[i].name, s->m[j].name) == 0)
				return false;
		}
	}
	return true;
}

static bool is_write_sound(const struct snapshot *s)
{
	const struct snap_member *m;

	if (s->write == -1)
		return true;
	if (s->write < 0 || s->write >= s->n)
		return false;
	m = &s->m[s->write];
	return m->server[0] != '\0' && m->role == SNAP_ROLE_LEADER;
}

bool snap_check(const struct snapshot *s)
{
	assert(s != NULL);
	if (!is_text(s->cluster, sizeof(s->cluster)) || s->cluster[0] == '\0')
		return false;
	if (s->n > LIM_MEMBERS || s->write_why >= SNAP_WHY_N ||
	    s->fallback > SNAP_FALLBACK_PRIMARY)
		return false;
	for (unsigned i = 0; i < s->n; i++) {
		if (!is_member_sound(&s->m[i]))
			return false;
	}
	return has_unique_names(s) && is_write_sound(s);
}

static bool is_member_same(
    const struct snap_member *a, const struct snap_member *b)
{
	return strcmp(a->name, b->name) == 0 &&
	    strcmp(a->server, b->server) == 0 &&
	    strcmp(a->addr, b->addr) == 0 && a->role == b->role &&
	    a->flags == b->flags && a->why == b->why && a->port == b->port &&
	    a->weight == b->weight && a->tli == b->tli &&
	    a->lag_ms == b->lag_ms && a->lag_bytes == b->lag_bytes &&
	    a->replay_lsn == b->replay_lsn;
}

bool is_snap_same(const struct snapshot *a, const struct snapshot *b)
{
	assert(a != NULL && b != NULL);
	if (strcmp(a->cluster, b->cluster) != 0 || a->write != b->write ||
	    a->write_why != b->write_why || a->fallback != b->fallback ||
	    a->planned != b->planned || a->transition != b->transition ||
	    a->observe != b->observe || a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		if (!is_member_same(&a->m[i], &b->m[i]))
			return false;
	}
	return true;
}

static const struct {
	const char *name, *text;
} why_words[SNAP_WHY_N] = {
    [SNAP_WHY_NONE] = {"none", "nothing is known yet"},
    [SNAP_WHY_LEADER] = {"leader", "holds the leader key and accepts writes"},
    [SNAP_WHY_PRIMARY_200] = {"primary-200",
	"is the only member whose Patroni says primary, without the DCS"},
    [SNAP_WHY_FORCED] = {"forced", "is forced by an operator"},
    [SNAP_WHY_NO_KEY] = {"no-key", "nobody holds the leader key"},
    [SNAP_WHY_UNCONFIRMED] = {"unconfirmed",
	"the holder of the leader key is not yet seen out of recovery"},
    [SNAP_WHY_FENCED] = {"fenced",
	"an earlier leader lives on a higher timeline"},
    [SNAP_WHY_CONFLICT] = {"conflict",
	"the sources contradict each other about the leader"},
    [SNAP_WHY_STALE] = {"stale", "no source has answered lately"},
    [SNAP_WHY_SILENT] = {"silent", "it answers neither by SQL nor by REST"},
    [SNAP_WHY_REFUSED] = {"refused", "its PostgreSQL refuses connections"},
    [SNAP_WHY_STOPPING] = {"stopping", "it is shutting down"},
    [SNAP_WHY_IN_RECOVERY] = {"in-recovery",
	"the holder of the leader key is in recovery"},
    [SNAP_WHY_STANDBY_CLUSTER] = {"standby-cluster",
	"this is a standby cluster, which takes no writes"},
    [SNAP_WHY_UNKNOWN_MEMBER] = {"unknown-member",
	"the leader key, or a force, names a member that nobody knows"},
    [SNAP_WHY_HELD] = {"held", "an operator holds new connections"},
    [SNAP_WHY_REPLICA] = {"replica", "fit for reads"},
    [SNAP_WHY_LAG_BYTES] = {"lag-bytes", "it lags by too many bytes"},
    [SNAP_WHY_LAG_TIME] = {"lag-time", "it lags by too much time"},
    [SNAP_WHY_NOT_STREAMING] = {"not-streaming", "it receives no WAL"},
    [SNAP_WHY_NOT_RUNNING] = {"not-running", "its PostgreSQL does not run"},
    [SNAP_WHY_NOLOADBALANCE] = {"noloadbalance", "it is tagged noloadbalance"},
    [SNAP_WHY_TAKES_KEY] = {"takes-key", "it is becoming the leader"},
    [SNAP_WHY_DRAINED] = {"drained", "an operator drains it"},
    [SNAP_WHY_DIVERGED] = {"diverged",
	"it is on a higher timeline than the leader"},
    [SNAP_WHY_NOT_IN_HAPROXY] = {"not-in-haproxy",
	"HAProxy has no server of its name"},
    [SNAP_WHY_NO_REPLICA] = {"no-replica", "no replica is fit for reads"},
    [SNAP_WHY_NO_WEIGHT] = {"no-weight", "its tag patroute_weight is 0"},
    [SNAP_WHY_MIN_LSN] = {"min-lsn",
	"no replica is known to have replayed that LSN yet"},
};

const char *snap_why_name(enum snap_why why)
{
	assert(why < SNAP_WHY_N && why_words[why].name != NULL);
	return why_words[why].name;
}

const char *snap_why_text(enum snap_why why)
{
	assert(why < SNAP_WHY_N && why_words[why].text != NULL);
	return why_words[why].text;
}

const char *snap_role_name(enum snap_role role)
{
	static const char *const name[SNAP_ROLE_N] = {
	    [SNAP_ROLE_NONE] = "none",
	    [SNAP_ROLE_LEADER] = "leader",
	    [SNAP_ROLE_REPLICA] = "replica",
	    [SNAP_ROLE_SYNC] = "sync",
	    [SNAP_ROLE_STANDBY_LEADER] = "standby-leader",
	};

	assert(role < SNAP_ROLE_N && name[role] != NULL);
	return name[role];
}
