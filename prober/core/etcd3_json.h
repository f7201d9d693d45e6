/*
 * etcd3_json.h - what etcd v3's JSON gateway answers.
 *
 * Pure but for cJSON's allocation. int64 come as strings, fields that are zero
 * are absent, a PUT event has no type; errors and cancels come inside of a
 * stream that said 200; several events stand in one line, and a line arrives
 * in pieces. etcd3_ask.h has the questions.
 * Source: etcd's rpc.proto (v3.4) and grpc-gateway's mapping to JSON.
 */
#ifndef ETCD3_JSON_H
#define ETCD3_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "etcd3_ask.h"
#include "lim.h"
#include "slice.h"

struct etcd3_head {
	uint64_t cluster_id;
	int64_t revision;
};

/* One key, as read or as an event; the slices live during the callback. */
struct etcd3_kv {
	struct slice key, value;
	int64_t mod_revision;
	int64_t watch_id; /* whose event; 0 in a range */
	bool deleted;
	bool created; /* version 1: the key was not there before */
};

struct etcd3_sink {
	void (*kv)(void *arg, const struct etcd3_kv *kv);
	void *arg;
};

/*
 * The answer to etcd3_ask_key().
 * Gives: false unless it is a whole range; sink may have been called.
 */
bool etcd3_range(struct slice body, const struct etcd3_sink *sink,
    struct etcd3_head *head) __attribute__((warn_unused_result));

#define ETCD3_READ_OPS 9 /* of etcd3_ask_read() */

struct etcd3_read {
	struct etcd3_head head;
	uint64_t count[ETCD3_PARTS]; /* keys of each part */
	int64_t history;             /* its mod_revision, 0: there is none */
};

/*
 * The answer to etcd3_ask_read().
 * Gives: false unless it is a whole one; sink may have been called.
 */
bool etcd3_read(struct slice body, const struct etcd3_sink *sink,
    struct etcd3_read *out) __attribute__((warn_unused_result));

/* One range in the answer to a heartbeat, or to a look. */
struct etcd3_beat {
	uint64_t count;
	int64_t top_revision; /* newest mod_revision, 0 if there is no key */
};

/*
 * The answer to a txn of etcd3_ask_beat()s or etcd3_ask_look()s.
 * Gives: false unless it holds exactly n ranges; beat[0..n) filled.
 */
bool etcd3_beat(struct slice body, struct etcd3_head *head,
    struct etcd3_beat *beat, size_t n) __attribute__((warn_unused_result));

/*
 * The answer to etcd3_ask_login().
 * Gives: false, and an empty string, unless it is a token that fits and may
 * stand in a header line.
 */
bool etcd3_token(struct slice body, char *token, size_t size)
    __attribute__((warn_unused_result));

/*
 * The answer to a txn of `n` etcd3_ask_orders(): `at` counts the ranges.
 * Gives: false unless it holds n ranges; kv may have been called.
 */
struct etcd3_orders_sink {
	void (*kv)(void *arg, size_t at, struct slice key, struct slice value);
	void *arg;
};
bool etcd3_orders(struct slice body, size_t n,
    const struct etcd3_orders_sink *sink) __attribute__((warn_unused_result));

/*
 * The answer to etcd3_ask_lease().
 * Gives: false, and an empty string, unless it is a lease's digits.
 */
#define ETCD3_LEASE 24
bool etcd3_lease(struct slice body, char lease[static ETCD3_LEASE])
    __attribute__((warn_unused_result));

/* The answer to a deleterange: was there anything? */
bool is_etcd3_deleted(struct slice body);

/* What matters of gRPC's codes (google.rpc.Code). */
enum etcd3_code {
	ETCD3_CODE_NONE = 0,    /* any other */
	ETCD3_CODE_NO_AUTH = 1, /* ours: authentication is not enabled */
	ETCD3_CODE_DENIED = 7,  /* this user may not read that */
	ETCD3_CODE_TOKEN = 16   /* the token is unknown, or old */
};

struct etcd3_error {
	enum etcd3_code code;
	char text[LIM_NAME]; /* cut; empty if there is none */
};

/* The body of an answer whose status is not 200; any bytes will do. */
struct etcd3_error etcd3_error(struct slice body);

enum etcd3_kind {
	ETCD3_BAD = 0,
	ETCD3_CREATED,
	ETCD3_EVENTS,   /* one or more; the sink got them */
	ETCD3_PROGRESS, /* nothing but a header */
	ETCD3_COMPACTED,
	ETCD3_CANCELED,
	ETCD3_ERROR /* of the stream: quorum lost, … */
};

struct etcd3_watch {
	enum etcd3_kind kind;
	struct etcd3_head head;
	int64_t watch_id;
	char text[LIM_NAME]; /* the reason of CANCELED and ERROR, cut */
};

/* One line of the watch stream, without its newline. */
struct etcd3_watch etcd3_watch_line(
    struct slice line, const struct etcd3_sink *sink);

/*
 * Cuts a stream into lines, in the caller's memory of `size` bytes. Zero
 * `used` and `handed_out` before the first byte.
 */
struct etcd3_lines {
	unsigned char *buf;
	size_t size, used;
	bool handed_out; /* what is there was a whole line */
};

enum etcd3_cut {
	ETCD3_CUT_NONE = 0, /* all bytes taken, the line is not whole yet */
	ETCD3_CUT_LINE,     /* *line, until the next call */
	ETCD3_CUT_LONG      /* the line exceeds the buffer */
};

/* Takes bytes from the front of *in. Blank lines are passed over. */
enum etcd3_cut etcd3_lines_next(struct etcd3_lines *l, struct slice *in,
    struct slice *line) __attribute__((warn_unused_result));

#endif
