/*
 * etcd_int.h - what the files of the etcd edge share among themselves.
 *
 *   etcd.c         endpoints in turn, their pace, the pulse; the client
 *   etcd_find.c    which API, which prefix of the gateway; logging in
 *   etcd_apart.c   clusters whose keys are in the other API
 *   etcd3_read.c   v3: the keys of each cluster
 *   etcd3_watch.c  v3: one stream for all clusters
 *   etcd3_beat.c   v3: the heartbeat
 *   etcd2.c        v2: all of these
 *
 *   AWAY --dial--> FINDING --> READING --> OPENING --> FOLLOWING
 *
 * Whatever fails leads back to AWAY: there is one way to be right.
 */
#ifndef ETCD_INT_H
#define ETCD_INT_H

#include "etcd.h"
#include "etcd3_json.h"
#include "etcd_cluster.h"
#include "etcd_cred.h"
#include "evidence.h"
#include "log.h"

#define ETCD_DEADLINE_MS 1000 /* of each read and heartbeat */
#define ETCD_GRACE_MS 200 /* an event may be behind the heartbeat's answer */
#define ETCD_BEAT_OPS 120 /* etcd's --max-txn-ops is 128 */
#define ETCD_ASK_HEAD 64u
#define ETCD_TOKEN 1024 /* a JWT is some hundred bytes */
#define ETCD_HEADER (ETCD_TOKEN + 32)

enum etcd_state {
	ETCD_AWAY = 0,
	ETCD_FINDING,
	ETCD_READING,
	ETCD_OPENING,
	ETCD_FOLLOWING
};

/* How much of Patroni's was found by one API. */
enum etcd_trace {
	ETCD_TRACE_UNKNOWN = 0,
	ETCD_TRACE_UNSPOKEN, /* the endpoint does not speak it */
	ETCD_TRACE_NONE,
	ETCD_TRACE_KEYS,
	ETCD_TRACE_LEADER
};

/* What is known of the endpoint in use, and of how to speak with it. */
struct etcd_found {
	enum conf_etcd_api api; /* AUTO: not found yet */
	const char *root;       /* of the gateway: "/v3"; NULL: there is none */
	enum etcd_trace v2, v3;
	uint16_t next; /* the cluster that v2 is asked for */
};

struct etcd {
	unsigned magic;
	struct ev_loop *loop;
	struct http_client *http;
	struct resolve *resolve;
	const struct conf_cluster *conf;
	struct etcd_cred cred;
	uint8_t at;      /* the endpoint in use */
	unsigned failed; /* in turn, since one worked */
	enum etcd_state state;
	struct etcd_cluster **cluster;
	uint16_t n, reading; /* reading: the cluster whose turn it is */
	uint16_t look;       /* and the one that the other API is asked for */
	/* Of clusters whose keys are in the other API; etcd_apart.c. */
	struct etcd *own, *next_own;
	struct etcd_found found;
	enum conf_etcd_api said; /* the API that the log has named */
	char token[ETCD_TOKEN];
	bool is_token_new; /* it has not led to a watch yet */
	bool is_aside;     /* `ask` works beside the watch, and ends nothing */
	bool is_login_aside; /* … and so does `login`, for it */
	ev_timer dial, pulse, grace;
	/* ask: finding and reading, or a look beside the watch. */
	struct http_req *ask, *login, *watch, *beat;
	void (*then)(struct etcd *e); /* once logged in */
	unsigned pulses;              /* since the watch was opened */
	bool is_opening;              /* further, since the last pulse */
	struct mono dialed, opened;
	uint64_t cluster_id;
	/* The heartbeat under way. */
	uint16_t beat_from, beat_n; /* its clusters: from, and behind them */
	uint16_t beat_ops;
	struct mono beat_asked;
	int64_t beat_revision; /* its answer is of this revision */
	int64_t beat_floor;    /* and must not be of an earlier one than this */
	struct etcd2_proof proof;
	struct mono read_asked;
	int64_t history; /* v3: the revision of the history that is read */
	unsigned key;    /* v2: which key of the cluster is read */
	struct etcd3_lines lines;
	char addr[LIM_ADDR], header[ETCD_HEADER];
	struct log_rate rate;
	unsigned seed;
};

/* ---- etcd.c ---- */

struct etcd *etcd_of(void *p);
struct etcd_cluster *etcd_cluster_of(void *p);
void etcd_move(struct etcd *e, enum etcd_state to, const char *why);

/* The endpoint, or what it told, is no good: the next one, a new read. */
void etcd_give_up(struct etcd *e, const char *why);

/* The same endpoint again: it is well, what we know of it is not. */
void etcd_read_again(struct etcd *e, const char *why);

/* Gives: "v3", "v2", or NULL. */
const char *etcd_api_text(enum conf_etcd_api api);

/* A cluster's keys cannot be had: it is left out, the others go on. */
void etcd_leave_out(struct etcd_cluster *c, const char *why);

/*
 * A request to the endpoint in use, with whatever proves who we are. The
 * strings must live until it is asked.
 */
struct http_ask etcd_question(struct etcd *e, const char *path,
    const struct etcd_text *post,
    void (*done)(void *, const struct http_answer *));

/* Into *slot; gives up if not even that can be done. False: it did. */
bool etcd_send(struct etcd *e, struct http_req **slot, const struct http_ask *a,
    bool fits);

/* A path below the gateway's root. */
#define ETCD_PATH 64
const char *etcd3_path(
    const struct etcd *e, const char *name, char buf[static ETCD_PATH]);

/*
 * Gives: false if this is not the cluster that was spoken with; it is then
 * forgotten, and a new read is due.
 */
bool is_etcd_same(struct etcd *e, uint64_t cluster_id);

/*
 * A cluster's keys are all there. Beside the watch: it can join the others.
 * Gives: false if it dials anew: what was under way is over.
 */
bool etcd_read_done(struct etcd_cluster *c, struct mono asked)
    __attribute__((warn_unused_result));

/* Gives: false, and has given up, if no cluster could be read. */
bool is_etcd_any_read(struct etcd *e);

/* The next cluster at or after `i` that is followed; e->n: none. */
uint16_t etcd_next(const struct etcd *e, unsigned i);

/* The watch is open: the heartbeats begin. */
void etcd_pulse_start(struct etcd *e);

void etcd_grace_start(struct etcd *e);

/* Gives: true, and has given up or dials anew, if it is no 200. */
bool is_etcd_bad(struct etcd *e, const struct http_answer *a);

/*
 * The same of what `ask` asked, or `login`: beside the watch nothing is lost,
 * and it is tried again at its time.
 */
bool is_etcd_ask_bad(struct etcd *e, const struct http_answer *a);
void etcd_ask_failed(struct etcd *e, const char *why);

/* ---- etcd_find.c ---- */

/* Which API; then read. */
void etcd_find(struct etcd *e);

/* v3: a token, if a user is set; then `then`. */
void etcd_login(struct etcd *e, void (*then)(struct etcd *e));

/* ---- v3 ---- */

void etcd3_read_next(struct etcd *e);
/* Beside the watch: can a cluster that was left out be read again? */
void etcd3_read_aside(struct etcd *e);
void etcd3_watch_open(struct etcd *e);
void etcd3_beat_start(struct etcd *e);
/* Proves what is proven by now, and goes on with the beat if all of it is. */
void etcd3_beat_go_on(struct etcd *e);

/* ---- v2 ---- */

/* A request for one key of a cluster, or for its events; see etcd_send(). */
struct etcd2_ask {
	const char *prefix, *name; /* name "": all of them */
	int64_t wait;              /* 0: now, and through the quorum */
	void (*done)(void *, const struct http_answer *);
	void *arg;
};
bool etcd2_send(
    struct etcd *e, struct http_req **slot, const struct etcd2_ask *q);

void etcd2_read_next(struct etcd *e);
void etcd2_read_aside(struct etcd *e);
void etcd2_follow(struct etcd *e);
void etcd2_beat_start(struct etcd *e);

#endif
