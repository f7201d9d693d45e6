/*
 * etcd2_json.h - etcd v2: what its keys API answers.
 *
 * Pure but for cJSON's allocation. A read of a directory holds its keys, a
 * watch answers with one event and ends, an error is a body of its own.
 * Source: etcd's v2 API (Documentation/v2/api.md, v2store/event.go,
 * v2error/error.go).
 */
#ifndef ETCD2_JSON_H
#define ETCD2_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "lim.h"
#include "slice.h"

/*
 * One key, as read or as changed; the slices live during the callback.
 * A renewal (compareAndSwap, update) moves `modified` and keeps `created`.
 */
struct etcd2_kv {
	struct slice key, value;
	int64_t modified, created; /* both > 0 */
	bool deleted;
	bool dir; /* deleted, with all that was below it */
};

struct etcd2_sink {
	void (*kv)(void *arg, const struct etcd2_kv *kv);
	void *arg;
};

enum etcd2_kind {
	ETCD2_BAD = 0,
	ETCD2_NODES,   /* of a read; the sink got each key */
	ETCD2_EVENT,   /* of a watch; the sink got it */
	ETCD2_ABSENT,  /* error 100: no such key */
	ETCD2_CLEARED, /* error 401: the watch asks for what is forgotten */
	ETCD2_DENIED,  /* error 110: authentication */
	ETCD2_ERROR
};

struct etcd2_answer {
	enum etcd2_kind kind;
	int64_t modified;     /* of EVENT: its index */
	char text[LIM_NAME];  /* of an error: its message, cut */
	char cause[LIM_TEXT]; /* of ABSENT: the first part that is missing */
};

/*
 * One whole body. Directories in a read, and events that make one, are passed
 * over; what is more than two levels below is not looked at.
 */
struct etcd2_answer etcd2_decode(struct slice body,
    const struct etcd2_sink *sink) __attribute__((warn_unused_result));

/*
 * X-Etcd-Cluster-Id: up to 16 hexadecimal digits and nothing else.
 * Gives: 0 if it is anything else.
 */
uint64_t etcd2_cluster_id(struct slice s);

/* What /version says. Gives: false unless it is a version of etcd. */
struct etcd_version {
	unsigned major, minor;
	char text[LIM_NAME]; /* its server's, as it wrote it */
};
bool etcd_version_decode(struct slice body, struct etcd_version *out)
    __attribute__((warn_unused_result));

#endif
