/*
 * sim.h - a model of a Patroni cluster and of the way to it, from one seed.
 *
 * The truth: members that run, stop, promote and follow; a leader key that
 * expires and is taken; now and then a fault. Between truth and prober stand
 * delays, lost probes, cuts and a DCS out of reach. Time goes in steps of
 * SIM_STEP_MS; every answer is true of one moment between question and answer.
 * The prober itself stands still now and then: what was on its way is lost.
 */
#ifndef SIM_H
#define SIM_H

#include "tick.h"
#include "world.h"

#define SIM_STEP_MS 5
#define SIM_MEMBERS 4
#define SIM_TTL_MS 8000
#define SIM_NEVER (-1000000)
#define SIM_GRACE_MS 1000 /* lag_grace */
#define SIM_LAG_BYTES (16 << 20)
#define SIM_EVENT_MS 25  /* what a watch's event takes, if it is not late */
#define SIM_SEEN_MS 3000 /* nobody can miss what lasts longer */

enum sim_fault {
	SIM_CALM = 0,
	SIM_SWITCHOVER,
	SIM_KILL,      /* the leader's host dies, and comes back */
	SIM_RESTART,   /* the leader's PostgreSQL; its key is kept */
	SIM_FREEZE,    /* the leader's Patroni alone; demoted when it thaws */
	SIM_TAKE_BACK, /* likewise, but the thawed one takes the key back */
	SIM_STRANGER,  /* a replica is promoted by hand */
	SIM_LAG,       /* a replica follows no more */
	SIM_PAUSE,     /* a replica streams, and replays nothing */
	SIM_WIPE,      /* every key is gone; Patroni writes them anew */
	SIM_MUTE,      /* nobody reaches the leader's PostgreSQL */
	SIM_FAULT_N
};

/* One question on its way. */
struct sim_probe {
	bool busy, sampled;
	int64_t asked, sample, answer;
	struct ev_item item;
};

/* The truth of one member, and since when what has been so. */
struct sim_member {
	bool up, host, patroni, primary, streaming, stopping, cut, stranger;
	bool lagging, paused, mute;
	uint32_t tli;
	uint64_t lsn;
	int64_t back_at, follow_at, promote_at, uncut_at; /* 0: not awaited */
	int64_t quiet_till; /* no second loss before: losses are single */
	struct sim_probe sql, rest;
	struct tick_slot slot;

	int64_t primary_since, primary_last; /* SIM_NEVER: is not, was not */
	int64_t key_since, key_last;
	int64_t reached_since, reached_last; /* neither cut nor silent */
	int64_t spoken_since;                /* nor mute */
	int64_t up_since, tli_since;
	int64_t fit_since;   /* ought to serve reads */
	int64_t unfit_since; /* does not stream */
	int64_t stream_since;
	int64_t behind_since; /* over the bound of lag */
};

struct sim {
	uint64_t rng;
	int64_t now;
	int n, key;
	struct sim_member m[SIM_MEMBERS];
	enum sim_fault fault;
	int victim, phase;
	int64_t phase_at;
	int64_t key_expires, key_free_at, event_at, next_beat;
	int64_t changed_at; /* the first change that the prober has not heard */
	int64_t wiped_till, frozen_till;
	bool failover, dcs_cut;
	int64_t dcs_back, dcs_cut_last;
	int64_t restless_last; /* when not all was well, last */
	struct world w;
	uint64_t steps, judged, moves, gaps, faults[SIM_FAULT_N];
};

void sim_init(struct sim *s, uint64_t seed);

/* One step: the truth moves, answers arrive, the prober judges. */
void sim_step(struct sim *s);

/* Its second half: questions, answers, lost ones, a verdict. */
void sim_prober(struct sim *s);

/* Below n. */
int64_t sim_random(struct sim *s, int64_t n);
/* Once in so many. */
bool is_sim_chance(struct sim *s, int64_t in);

#endif
