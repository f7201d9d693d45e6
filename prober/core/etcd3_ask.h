/*
 * etcd3_ask.h - what is asked of etcd v3's JSON gateway.
 *
 * Pure. A cluster's keys are followed in two parts, those that sort before
 * `history` and those behind it: Patroni's history grows with each promotion
 * and for ever, and one value that is too large would spoil a whole answer.
 * etcd3_json.h has the answers.
 * Source: etcd's rpc.proto (v3.4).
 */
#ifndef ETCD3_ASK_H
#define ETCD3_ASK_H

#include <stdint.h>

#include "etcd_text.h"
#include "lim.h"

enum {
	ETCD3_PARTS = 2
};

/* Room that one range takes in any of these, with its keys in base64. */
#define ETCD3_RANGE_ROOM (2 * ((LIM_TEXT + 16) / 3 * 4 + 4) + 160)
/* Room of etcd3_ask_read(), and of one prefix in the others. */
#define ETCD3_READ_ROOM (10 * ETCD3_RANGE_ROOM)
#define ETCD3_ASK_ROOM (ETCD3_PARTS * ETCD3_RANGE_ROOM)

/* A txn: begin, then any of the adds below, then end. */
void etcd3_ask_begin(struct etcd_text *t);
void etcd3_ask_end(struct etcd_text *t);

/*
 * All that a verdict needs of a cluster, at one revision, history's value
 * apart. etcd3_read() decodes the answer, when nothing else was asked.
 */
void etcd3_ask_read(struct etcd_text *t, const char *prefix);

/* Of each part its newest key and the number of its keys. etcd3_beat(). */
void etcd3_ask_beat(struct etcd_text *t, const char *prefix);

/* Whether there is a leader key, and any key. etcd3_beat(), with counts. */
void etcd3_ask_look(struct etcd_text *t, const char *prefix);

/* No txn: one key. etcd3_range() decodes the answer. */
void etcd3_ask_key(struct etcd_text *t, const char *prefix, const char *name);

/* One more part to watch, from `revision` on; one stream takes several. */
struct etcd3_follow {
	const char *prefix;
	unsigned part; /* 0..ETCD3_PARTS-1 */
	int64_t revision, watch_id;
};
void etcd3_ask_watch(struct etcd_text *t, const struct etcd3_follow *f);

/*
 * Orders: at most ETCD3_ORDERS keys below a prefix, with their values, in a
 * txn; and a watch of all of them that says only that something is new.
 */
#define ETCD3_ORDERS 64
void etcd3_ask_orders(struct etcd_text *t, const char *prefix);
void etcd3_ask_bell(struct etcd_text *t, const char *prefix);

/* One lease of `ttl_s`; a key written under it (0: none). */
void etcd3_ask_lease(struct etcd_text *t, int64_t ttl_s);
struct etcd3_put {
	const char *prefix, *name;
	struct slice value;
	const char *lease; /* digits; "": none */
};
void etcd3_ask_put(struct etcd_text *t, const struct etcd3_put *put);

/* For a token. Needs: auth is "USER:PASSWORD"; the text is to be wiped. */
void etcd3_ask_login(struct etcd_text *t, const char *auth);

#endif
