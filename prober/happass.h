/*
 * happass.h - each second, and at once when asked: what HAProxy says of its
 * servers is read, told to the clusters, and repaired where it differs.
 *
 * Source: design, "HAProxy"; management.txt of 2.6, 9.3 (show stat).
 */
#ifndef HAPPASS_H
#define HAPPASS_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "hapcli.h"
#include "hapjoin.h"
#include "hapsync.h"
#include "log.h"
#include "publish.h"

#define HAPPASS_MAGIC 0x68706173u

struct app;

enum happass_step {
	HAPPASS_IDLE = 0,
	HAPPASS_STAT,
	HAPPASS_REPAIR
};

struct happass_sink {
	void (*begins)(void *arg); /* at the beginning of each pass */
	/* What this HAProxy allows of that cluster is known anew. */
	void (*site)(void *arg, uint16_t cluster);
	/* It went, or is back: its word on all of them is. */
	void (*all)(void *arg);
	void *arg;
};

/* What one HAProxy says of one cluster. */
struct happass_cluster {
	bool heard;
	struct publish_site site;
	struct hapjoin join;
	struct hap_row *row; /* n of them, heap */
	uint16_t n;
};

struct happass {
	unsigned magic;
	struct app *app;
	struct hapcli cli;
	ev_timer tick;
	struct happass_sink sink;
	enum happass_step step;
	bool again;       /* once more, as soon as this one is over */
	uint16_t first;   /* cluster of this command line */
	uint16_t n;       /* clusters in this command line */
	unsigned answers; /* of this line, HAP_PLACES_N for each cluster */
	/* The answers of the cluster that is being read. */
	char csv[LIM_HAP_REPLY];
	size_t csv_len;
	bool csv_cut;
	struct snapshot named; /* scratch, as are the next two */
	struct hap_view view;
	struct hap_cmds cmds;
	struct hap_cmds repairs;
	struct happass_cluster cluster[LIM_CLUSTERS];
	bool reachable, said_away;
	bool gone;            /* nobody listens: no session is placed by it */
	struct mono heard_at; /* the last whole answer */
	uint64_t repaired;
	struct log_rate rate;
	char said[LIM_TEXT]; /* the last answer that was said */
	struct mono said_at;
};

/* Needs: p is the caller's memory, zeroed; path and app outlive it. It is 3 MiB
   of which one cluster takes little: what is never written has no page. The
   first pass begins in the first turn of the loop. The sink must not end p. */
void happass_init(struct happass *p, struct app *app, const char *path,
    const struct happass_sink *sink);
void happass_stop(struct happass *p);

/* The next pass begins in this turn of the loop, or when this one ends. */
void happass_now(struct happass *p);

/* Likewise, for HAProxy's process or the members are others than before. */
void happass_anew(struct happass *p);

/* What HAProxy answers to a command that worked is empty; else it is said. */
void happass_log_answer(struct happass *p, struct slice line);

#endif
