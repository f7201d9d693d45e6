/*
 * proxy2.c - the PROXY protocol's binary header; see proxy2.h.
 */
#include "proxy2.h"

#define SIGNATURE_N 12
#define HEADER_N 16

static uint16_t get_be16(const unsigned char *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

enum proxy2_rc proxy2_get(struct slice in, struct proxy2 *out)
{
	static const unsigned char signature[SIGNATURE_N + 1] =
	    "\r\n\r\n\0\r\nQUIT\n";
	const unsigned char *addr;
	unsigned version, command, family;
	size_t len;

	assert(out != NULL);
	*out = (struct proxy2){0};
	if (in.len > 0 &&
	    memcmp(in.p, signature, min_size(in.len, SIGNATURE_N)) != 0)
		return PROXY2_BAD;
	if (in.len < HEADER_N)
		return PROXY2_MORE;
	version = in.p[12] >> 4;
	command = in.p[12] & 0xF;
	family = in.p[13];
	len = get_be16(in.p + 14);
	if (version != 2 || command > 1 || len > PROXY2_MAX)
		return PROXY2_BAD;
	if (in.len - HEADER_N < len)
		return PROXY2_MORE;
	out->size = HEADER_N + len;
	addr = in.p + HEADER_N;
	if (command == 0)
		return PROXY2_OK;
	/* TCP over IPv4 and IPv6: two addresses, then two ports. */
	if (family == 0x11 && len >= 12)
		out->dst_port = get_be16(addr + 10);
	else if (family == 0x21 && len >= 36)
		out->dst_port = get_be16(addr + 34);
	return PROXY2_OK;
}
