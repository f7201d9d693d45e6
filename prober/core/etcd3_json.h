/*
 * etcd3_json.h - etcd v3's JSON gateway: what is asked, what is answered.
 *
 * Pure but for cJSON's allocation. int64 come as strings, fields that are zero
 * are absent, a PUT event has no type; errors and cancels come inside of a
 * stream that said 200; several events stand in one line, and a line arrives
 * in pieces.
 * Source: etcd's rpc.proto (v3.4) and grpc-gateway's mapping to JSON.
 */
#ifndef ETCD3_JSON_H
#define ETCD3_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

struct etcd3_range {
	struct etcd3_head head;
	uint64_t count; /* keys in the range, whatever the limit */
};

/* Gives: false unless it is a whole range answer; sink may have been called. */
bool etcd3_range(struct slice body, const struct etcd3_sink *sink,
    struct etcd3_range *out) __attribute__((warn_unused_result));

/* One prefix in a heartbeat's answer. */
struct etcd3_beat {
	uint64_t count;
	int64_t top_revision; /* newest mod_revision, 0 if there is no key */
};

/*
 * The answer to etcd3_ask_beat() of `n` prefixes.
 * Gives: false unless it holds exactly n ranges; beat[0..n) filled.
 */
bool etcd3_beat(struct slice body, struct etcd3_head *head,
    struct etcd3_beat *beat, size_t n) __attribute__((warn_unused_result));

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

/* A request's text, in the caller's memory; `full` once it did not fit. */
struct etcd3_text {
	char *p;
	size_t size, used;
	bool full;
};

/* Room that one prefix takes in any of these, with its keys in base64. */
#define ETCD3_ASK_ROOM (2 * ((LIM_TEXT + 2) / 3 * 4) + 256)

/* All keys under the prefix. */
void etcd3_ask_range(struct etcd3_text *t, const char *prefix);

/* One more prefix to watch, from `revision` on; one stream takes several. */
void etcd3_ask_watch(struct etcd3_text *t, const char *prefix, int64_t revision,
    int64_t watch_id);

/* For each prefix its newest key and the number of keys, in one txn. */
void etcd3_ask_beat_begin(struct etcd3_text *t);
void etcd3_ask_beat_add(struct etcd3_text *t, const char *prefix);
void etcd3_ask_beat_end(struct etcd3_text *t);

#endif
