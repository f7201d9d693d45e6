/*
 * world.h - a cluster for tests: what its members would say, and when.
 *
 * Members are a, b, c, …; time is milliseconds from a start, plus any offset in
 * microseconds where a bound is tried. A poll lets a member answer as it is.
 */
#ifndef WORLD_H
#define WORLD_H

#include "../common/unit.h"

#include "evidence.h"
#include "policy.h"
#include "publish.h"
#include "reads.h"
#include "route.h"
#include "verdict.h"

enum {
	A,
	B,
	C,
	D
};

/* What is true of one member. */
struct peer {
	enum ev_rc sql, rest; /* how its probes end */
	bool primary, streaming, claims, read_only, sync;
	uint32_t tli;
	uint64_t lsn, sysid;
	enum ev_state state;
	enum ev_role role; /* what Patroni says; NONE: as `primary` has it */
};

struct world {
	struct cluster_ev ev;
	struct policy pol;
	struct conf_cluster conf;
	struct ev_view view;
	struct peer peer[LIM_MEMBERS];
	struct verdict v;
	struct reads_state reads;
	struct publish_site site;
	bool observe;
	char addr[LIM_MEMBERS][LIM_ADDR];
	struct snapshot snap;
	struct rr rr;
};

/* Milliseconds from the start of the world. */
struct mono at(int64_t ms);

/* n members, the first the primary and all well; nothing is known of them. */
void world_init(struct world *w, unsigned n);

/* The DCS's view with this holder of the key (-1: none) is taken at t. */
void world_key(struct world *w, int holder, struct mono t);
/* The same with a name that need not be a member's. */
void world_key_name(struct world *w, const char *name, struct mono t);

/* The answer of a peer as it is; asked and at are left unset. */
struct ev_item world_sql_item(const struct peer *p, int m);
struct ev_item world_rest_item(const struct peer *p, int m);

/* One answer; content as the peer is. */
void world_sql(struct world *w, int m, struct mono asked, struct mono t);
void world_rest(struct world *w, int m, struct mono asked, struct mono t);

/* The answer comes within a millisecond before t. */
void world_poll_sql(struct world *w, int m, struct mono t);
void world_poll_rest(struct world *w, int m, struct mono t);
/* All members, both ways, and the DCS's heartbeat. */
void world_poll(struct world *w, struct mono t);

/* Verdict, note, reads, snapshot. Gives: the write target. */
int world_judge(struct world *w, struct mono t);

/* Polls and judges each 500 ms from `from` up to and with `to`. */
void world_run(struct world *w, int64_t from_ms, int64_t to_ms);

/* A world that has run for 20 s up to `now_ms` with the key at A. */
void world_settled(struct world *w, unsigned n, int64_t now_ms);

/* b becomes what a was: a is down, b has the key and is promoted. */
void world_promote(struct world *w, int m);

#define assert_target(w, t, member, reason)                            \
	do {                                                           \
		assert_int_equal(world_judge(w, t), member);           \
		assert_string_equal(                                   \
		    snap_why_name((w)->v.why), snap_why_name(reason)); \
	} while (0)

#define assert_read(w, member, reason)                                     \
	do {                                                               \
		assert_string_equal(snap_why_name((w)->reads.why[member]), \
		    snap_why_name(reason));                                \
		assert_int_equal(                                          \
		    (w)->reads.fit[member], (reason) == SNAP_WHY_REPLICA); \
	} while (0)

#endif
