/*
 * hapmove.h - one HAProxy follows a change of leader.
 *
 * In design's order: the agents have seen the snapshot, or 50 ms are over; the
 * servers' states; the sessions that were placed on the former leader, once
 * more soon after, and each second while an agent may still place some.
 */
#ifndef HAPMOVE_H
#define HAPMOVE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "hapcli.h"
#include "hapsync.h"

#define HAPMOVE_MAGIC 0x68617078u

struct app;

/* A move of one cluster, from the verdict to the last session closed. */
enum move_step {
	MOVE_NONE = 0,
	MOVE_WAIT,  /* for the agents to have seen the snapshot */
	MOVE_SENT,  /* the batch is with HAProxy */
	MOVE_AGAIN, /* the sessions go once more, a little later */
};

struct hap_cluster {
	enum move_step step;
	bool again;        /* the next batch is the second one */
	bool anew;         /* another move came while this one was sent */
	uint64_t seq;      /* the snapshot that the agents must have seen */
	struct mono began; /* of the move */
	struct mono due;   /* at the latest */
	struct mono retry; /* not before */
	struct mono sweep_till;
	uint32_t closing; /* evidence indices */
};

struct hapmove_sink {
	/* Sessions are being closed: those of old processes are due, too. */
	void (*closes)(void *arg);
	/* What HAProxy answers to a command. */
	void (*answer)(void *arg, struct slice line);
	void *arg;
};

struct hapmove {
	unsigned magic;
	struct app *app;
	struct hapcli cli;
	struct hapmove_sink sink;
	ev_timer timer;
	uint16_t moving;      /* the cluster that cli is busy with */
	struct hap_cmds cmds; /* scratch */
	struct hap_cluster cluster[LIM_CLUSTERS];
	uint64_t moves;
	struct dur last; /* how long the last one took */
};

/* Needs: h is the caller's memory; path and app outlive it. */
void hapmove_init(struct hapmove *h, struct app *app, const char *path,
    const struct hapmove_sink *sink);
void hapmove_stop(struct hapmove *h);

/* A move begins: the sessions of `closing` (bit i: evidence index) go. */
void hapmove_begin(struct hapmove *h, uint16_t cluster, uint32_t closing);

/* A wait may be over. */
void hapmove_kick(struct hapmove *h);

/* What is still being placed on a former leader goes, for a while. */
void hapmove_sweep(struct hapmove *h);

/* Whose sessions go now: proved at this moment, and not the target. */
uint32_t hapmove_closing(const struct hapmove *h, uint16_t cluster);

#endif
