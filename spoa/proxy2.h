/*
 * proxy2.h - the PROXY protocol's binary header, as far as the desk needs it.
 *
 * Pure, fuzzed with the desk's parsers. Source: HAProxy's
 * doc/proxy-protocol.txt, section 2.2.
 */
#ifndef PROXY2_H
#define PROXY2_H

#include <stdint.h>

#include "slice.h"

enum proxy2_rc {
	PROXY2_OK = 0,
	PROXY2_MORE,
	PROXY2_BAD
};

struct proxy2 {
	uint16_t dst_port; /* that the client connected to; 0: none is said */
	size_t size;       /* of the header */
};

/* Address and TLVs above this are nobody's that we know. */
#define PROXY2_MAX 512

/* Reads a header at the front of `in`. MORE only while it may still be one. */
enum proxy2_rc proxy2_get(struct slice in, struct proxy2 *out)
    __attribute__((warn_unused_result));

#endif
