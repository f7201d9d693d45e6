/*
 * hapcfg.h - what matters to patroute of a HAProxy configuration.
 *
 * Pure; a line at a time, of the file itself or of the SPOE one. What is not
 * known is passed over: `haproxy -c` says what is wrong with a file.
 */
#ifndef HAPCFG_H
#define HAPCFG_H

#include <stdbool.h>
#include <stdint.h>

#include "lim.h"
#include "slice.h"

#define HAPCFG_BINDS 64

struct hapcfg_bind {
	char name[LIM_NAME]; /* the listener's */
	char at[LIM_ADDR];   /* "*:5000" */
	int64_t maxconn;     /* -1: none */
};

/* Durations in us, -1 where none is set. */
struct hapcfg {
	int64_t inspect_delay;    /* of the frontend with `filter spoe` */
	int64_t client_timeout;   /* of its defaults or its own */
	int64_t agent_server;     /* backend agent: timeout server */
	int64_t route_processing; /* spoe-agent route */
	int64_t hold_processing, hold_idle;
	int64_t maxconn; /* global, -1: none */
	bool redispatch, chroot, hard_stop;
	struct hapcfg_bind bind[HAPCFG_BINDS];
	unsigned bind_n;
	/* While reading: the section. */
	char section[16], name[LIM_NAME];
	int64_t defaults_client, frontend_client;
	bool is_ours; /* the frontend that has `filter spoe` */
};

void hapcfg_init(struct hapcfg *h);
void hapcfg_line(struct hapcfg *h, struct slice line);
/* After the last line. */
void hapcfg_end(struct hapcfg *h);

/* "13s", "100ms", "500" (ms), "24h". Gives: us, -1 if it is none. */
int64_t hapcfg_time(struct slice text);

#endif
