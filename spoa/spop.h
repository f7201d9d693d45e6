/*
 * spop.h - the frames of SPOP 2.0, as HAProxy's doc/SPOE.txt has them.
 *
 * Pure: bytes to structs and back. No allocation, log, clock or state; nothing
 * is copied, slices point into the input. Fuzzed.
 */
#ifndef SPOP_H
#define SPOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

#define SPOP_LENGTH 4 /* the length field before each frame, SPOE.txt 3.2 */

enum spop_rc {
	SPOP_OK = 0,
	SPOP_MORE,
	SPOP_BAD
};

/* SPOE.txt 3.5 */
enum spop_status {
	SPOP_ST_NONE = 0,
	SPOP_ST_IO = 1,
	SPOP_ST_TIMEOUT = 2,
	SPOP_ST_TOO_BIG = 3,
	SPOP_ST_INVALID = 4,
	SPOP_ST_NO_VERSION = 5,
	SPOP_ST_NO_FRAME_SIZE = 6,
	SPOP_ST_NO_CAPABILITIES = 7,
	SPOP_ST_BAD_VERSION = 8,
	SPOP_ST_BAD_FRAME_SIZE = 9,
	SPOP_ST_FRAGMENTED = 10,
	SPOP_ST_INTERLACED = 11,
	SPOP_ST_NO_FRAME_ID = 12,
	SPOP_ST_RESOURCE = 13,
	SPOP_ST_UNKNOWN = 99
};

/* SPOE.txt 3.2.2 */
enum spop_type {
	SPOP_NONE = 0,
	SPOP_HAPROXY_HELLO = 1,
	SPOP_HAPROXY_DISCONNECT = 2,
	SPOP_NOTIFY = 3,
	SPOP_AGENT_HELLO = 101,
	SPOP_AGENT_DISCONNECT = 102,
	SPOP_ACK = 103
};

/* SPOE.txt 3.2; the 32 bits are in network byte order since SPOP 2.0 */
#define SPOP_F_FIN 0x1U
#define SPOP_F_ABORT 0x2U

/* SPOE.txt 3.1 */
enum spop_data {
	SPOP_NULL = 0,
	SPOP_BOOL,
	SPOP_INT32,
	SPOP_UINT32,
	SPOP_INT64,
	SPOP_UINT64,
	SPOP_IPV4,
	SPOP_IPV6,
	SPOP_STRING,
	SPOP_BINARY
};

struct spop_value {
	enum spop_data type;
	bool truth;         /* BOOL */
	uint64_t number;    /* INT32 to UINT64, as its 64 bits came */
	struct slice bytes; /* IPV4, IPV6, STRING, BINARY */
};

struct spop_frame {
	uint8_t type; /* enum spop_type, or one that we do not know */
	uint32_t flags;
	uint64_t stream_id, frame_id;
	struct slice payload;
	size_t size; /* with its length field: what to drop from the input */
	enum spop_status status; /* of SPOP_BAD */
};

/*
 * Takes the first frame of `in`. Needs: max is the largest frame allowed.
 * Gives: SPOP_OK and *out; SPOP_MORE; or SPOP_BAD and out->status, as soon as
 * the bytes that are there show it. Cost: none but the header's.
 * Source: SPOE.txt 3.2
 */
enum spop_rc spop_frame_get(struct slice in, size_t max, struct spop_frame *out)
    __attribute__((warn_unused_result));

/*
 * These take one item off the front of a payload. A payload is whole, so an
 * item that breaks off is as wrong as any other.
 * Gives: false, and *in in an undefined place, if it is no such item.
 */
bool spop_varint_get(struct slice *in, uint64_t *out)
    __attribute__((warn_unused_result));
bool spop_string_get(struct slice *in, struct slice *out)
    __attribute__((warn_unused_result));
bool spop_value_get(struct slice *in, struct spop_value *out)
    __attribute__((warn_unused_result));
bool spop_pair_get(struct slice *in, struct slice *key, struct spop_value *out)
    __attribute__((warn_unused_result));
bool spop_message_get(struct slice *in, struct slice *name, uint8_t *args)
    __attribute__((warn_unused_result));

/* What both HELLOs say, SPOE.txt 3.2.4 and 3.2.5. */
struct spop_hello {
	bool pipelining, async, healthcheck;
	uint32_t max_frame_size;
};

/*
 * Reads a HAPROXY-HELLO's payload. Unknown keys are skipped.
 * Gives: SPOP_ST_NONE and *out, or the status that refuses it.
 */
enum spop_status spop_hello_get(struct slice payload, struct spop_hello *out)
    __attribute__((warn_unused_result));

/* The same of an AGENT-HELLO; for `patroute-spoa --ping`. */
enum spop_status spop_agent_hello_get(struct slice payload,
    struct spop_hello *out) __attribute__((warn_unused_result));

/* The status of a DISCONNECT of either side; SPOP_ST_UNKNOWN if it has none. */
uint64_t spop_disconnect_get(struct slice payload);

/* SPOE.txt 3.4 */
enum spop_scope {
	SPOP_SCOPE_PROC = 0,
	SPOP_SCOPE_SESS,
	SPOP_SCOPE_TXN,
	SPOP_SCOPE_REQ,
	SPOP_SCOPE_RES
};

/* One action of an ACK: set-var to a string, or unset-var. */
struct spop_var {
	enum spop_scope scope;
	struct slice name, value;
	bool unset;
};

/*
 * Each writes one whole frame, its length field included, into buf.
 * Gives: the bytes written, or 0 if `size` does not hold all of them.
 */
size_t spop_put_haproxy_hello(unsigned char *buf, size_t size,
    const struct spop_hello *hello) __attribute__((warn_unused_result));
size_t spop_put_agent_hello(unsigned char *buf, size_t size,
    const struct spop_hello *hello) __attribute__((warn_unused_result));
size_t spop_put_disconnect(unsigned char *buf, size_t size, enum spop_type type,
    enum spop_status status) __attribute__((warn_unused_result));

struct spop_ack {
	uint64_t stream_id, frame_id;
	const struct spop_var *var;
	size_t n;
};
size_t spop_put_ack(unsigned char *buf, size_t size, const struct spop_ack *ack)
    __attribute__((warn_unused_result));

/* "frame is too big" …: SPOE.txt 3.5's words. Never NULL. */
const char *spop_status_text(enum spop_status status);

#endif
