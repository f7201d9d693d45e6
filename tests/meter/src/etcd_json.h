/*
 * etcd_json.h - the JSON gateway's requests and answers.
 *
 * Pure: text to structs. int64 are strings, zero fields are absent, PUT
 * events have no type, errors and cancels come inside the stream.
 * Source: etcd v3 API, rpc.proto and kv.proto, through grpc-gateway.
 */
#ifndef METER_ETCD_JSON_H
#define METER_ETCD_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ETCD_EVENTS 64
#define ETCD_KEY 128
#define ETCD_VALUE 1024

struct etcd_event {
	bool deleted;
	int64_t revision;
	char key[ETCD_KEY];
	char value[ETCD_VALUE]; /* cut, if it is longer */
};

struct etcd_answer {
	uint64_t cluster_id;
	int64_t revision;
	bool canceled;  /* the stream is over, or never was */
	bool compacted; /* because what it asked for is gone */
	char error[128];
	size_t n;
	struct etcd_event ev[ETCD_EVENTS];
};

/* Requests for all keys under `prefix`. Gives: false if it does not fit. */
bool etcd_range_request(const char *prefix, char *out, size_t size)
    __attribute__((warn_unused_result));
bool etcd_watch_request(const char *prefix, int64_t from, char *out,
    size_t size) __attribute__((warn_unused_result));

/* Reads one answer. Gives: false if it is none; *a is then undefined. */
bool etcd_range_parse(const char *text, size_t len, struct etcd_answer *a)
    __attribute__((warn_unused_result));
bool etcd_watch_parse(const char *text, size_t len, struct etcd_answer *a)
    __attribute__((warn_unused_result));

#endif
