/*
 * spop.c - SPOP 2.0: frames, typed data, HELLO, DISCONNECT, ACK; see spop.h.
 *
 * Called by the agent for each frame, by `--ping`, by the tests and the fuzzer.
 * Every length is compared with what is left, never added to a pointer.
 * Source: HAProxy's doc/SPOE.txt, sections as cited.
 */
#include "spop.h"

#include "lim.h"

/* Type, flags and two ids of one byte each. */
#define HEADER_MIN 7

static uint32_t get_be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static bool take_byte(struct slice *in, uint8_t *out)
{
	if (in->len == 0)
		return false;
	assert(in->p != NULL);
	*out = in->p[0];
	*in = slice_skip(*in, 1);
	return true;
}

static bool take_bytes(struct slice *in, uint64_t len, struct slice *out)
{
	if (len > in->len)
		return false;
	*out = slice_of(in->p, (size_t)len);
	*in = slice_skip(*in, (size_t)len);
	return true;
}

/*
 * SPOE.txt 3.1: below 240 the byte itself, else 4 bits of it and 7 of each that
 * follows. 64 bits take ten bytes at most, and of the tenth only what fits.
 */
bool spop_varint_get(struct slice *in, uint64_t *out)
{
	uint64_t v;
	uint8_t b;

	assert(in != NULL && out != NULL);
	if (!take_byte(in, &b))
		return false;
	v = b;
	if (b >= 240) {
		unsigned shift = 4;

		do {
			uint64_t more;

			if (shift > 60 || !take_byte(in, &b))
				return false;
			more = (uint64_t)b << shift;
			if (more >> shift != b || v > UINT64_MAX - more)
				return false;
			v += more;
			shift += 7;
		} while (b >= 128);
	}
	*out = v;
	return true;
}

bool spop_string_get(struct slice *in, struct slice *out)
{
	uint64_t len;

	assert(in != NULL && out != NULL);
	return spop_varint_get(in, &len) && take_bytes(in, len, out);
}

bool spop_value_get(struct slice *in, struct spop_value *out)
{
	uint8_t head;

	assert(in != NULL && out != NULL);
	*out = (struct spop_value){0};
	if (!take_byte(in, &head))
		return false;
	out->type = (enum spop_data)(head & 0x0F);
	switch (out->type) {
	case SPOP_NULL:
		return true;
	case SPOP_BOOL:
		out->truth = (head & 0x10) != 0;
		return true;
	case SPOP_INT32:
	case SPOP_UINT32:
	case SPOP_INT64:
	case SPOP_UINT64:
		return spop_varint_get(in, &out->number);
	case SPOP_IPV4:
		return take_bytes(in, 4, &out->bytes);
	case SPOP_IPV6:
		return take_bytes(in, 16, &out->bytes);
	case SPOP_STRING:
	case SPOP_BINARY:
		return spop_string_get(in, &out->bytes);
	}
	return false; /* 10 to 15 are reserved, of unknown length */
}

bool spop_pair_get(struct slice *in, struct slice *key, struct spop_value *out)
{
	return spop_string_get(in, key) && spop_value_get(in, out);
}

bool spop_message_get(struct slice *in, struct slice *name, uint8_t *args)
{
	return spop_string_get(in, name) && take_byte(in, args);
}

static enum spop_rc bad(struct spop_frame *out, enum spop_status status)
{
	out->status = status;
	return SPOP_BAD;
}

enum spop_rc spop_frame_get(struct slice in, size_t max, struct spop_frame *out)
{
	struct slice body;
	size_t len;

	assert(out != NULL && max >= HEADER_MIN);
	*out = (struct spop_frame){0};
	if (in.len < SPOP_LENGTH)
		return SPOP_MORE;
	len = get_be32(in.p);
	if (len > max)
		return bad(out, SPOP_ST_TOO_BIG);
	if (len < HEADER_MIN)
		return bad(out, SPOP_ST_INVALID);
	in = slice_skip(in, SPOP_LENGTH);
	if (len > in.len)
		return SPOP_MORE;
	body = slice_of(in.p, len);
	out->size = SPOP_LENGTH + len;
	out->type = body.p[0];
	out->flags = get_be32(body.p + 1);
	body = slice_skip(body, 5);
	if (!spop_varint_get(&body, &out->stream_id) ||
	    !spop_varint_get(&body, &out->frame_id))
		return bad(out, SPOP_ST_INVALID);
	out->payload = body;
	return SPOP_OK;
}

/* Takes the next word of a comma-separated list; spaces are ignored. */
static bool take_word(struct slice *list, struct slice *word)
{
	size_t n = 0;

	while (list->len > 0 && (list->p[0] == ' ' || list->p[0] == ','))
		*list = slice_skip(*list, 1);
	while (n < list->len && list->p[n] != ',')
		n++;
	*word = slice_of(list->p, n);
	*list = slice_skip(*list, n);
	while (word->len > 0 && word->p[word->len - 1] == ' ')
		word->len--;
	return n > 0;
}

/* Who names a major version has all of its minor ones too (SPOE.txt 3.2.4). */
static bool has_version_2(struct slice list)
{
	struct slice word;

	while (take_word(&list, &word)) {
		bool digits =
		    word.len > 2 && word.p[0] == '2' && word.p[1] == '.';

		for (size_t i = 2; digits && i < word.len; i++)
			digits = word.p[i] >= '0' && word.p[i] <= '9';
		if (digits)
			return true;
	}
	return false;
}

static void read_capabilities(struct slice list, struct spop_hello *out)
{
	struct slice word;

	while (take_word(&list, &word)) {
		if (is_slice_eq(word, "pipelining"))
			out->pipelining = true;
		else if (is_slice_eq(word, "async"))
			out->async = true;
	}
}

static bool is_number(const struct spop_value *v)
{
	return v->type >= SPOP_INT32 && v->type <= SPOP_UINT64;
}

/* What was in a HELLO, before it is judged as a whole. */
struct hello_seen {
	const char *version_key;
	bool version, version_ok, size, capabilities;
	uint64_t max;
};

static void read_hello_pair(struct slice key, const struct spop_value *v,
    struct hello_seen *seen, struct spop_hello *out)
{
	bool text = v->type == SPOP_STRING;

	if (text && is_slice_eq(key, seen->version_key)) {
		seen->version = true;
		seen->version_ok = has_version_2(v->bytes);
	} else if (is_number(v) && is_slice_eq(key, "max-frame-size")) {
		seen->size = true;
		seen->max = v->number;
	} else if (text && is_slice_eq(key, "capabilities")) {
		seen->capabilities = true;
		read_capabilities(v->bytes, out);
	} else if (v->type == SPOP_BOOL && is_slice_eq(key, "healthcheck")) {
		out->healthcheck = v->truth;
	}
}

static enum spop_status read_hello(
    struct slice payload, const char *version_key, struct spop_hello *out)
{
	struct hello_seen seen = {.version_key = version_key};
	struct spop_value v;
	struct slice key;

	*out = (struct spop_hello){0};
	while (payload.len > 0) {
		if (!spop_pair_get(&payload, &key, &v))
			return SPOP_ST_INVALID;
		read_hello_pair(key, &v, &seen, out);
	}
	if (!seen.version)
		return SPOP_ST_NO_VERSION;
	if (!seen.version_ok)
		return SPOP_ST_BAD_VERSION;
	if (!seen.size)
		return SPOP_ST_NO_FRAME_SIZE;
	/* 256 bytes is the least that a peer must support (SPOE.txt 3.2). */
	if (seen.max < LIM_SPOP_FRAME_MIN || seen.max > INT32_MAX)
		return SPOP_ST_BAD_FRAME_SIZE;
	if (!seen.capabilities)
		return SPOP_ST_NO_CAPABILITIES;
	out->max_frame_size = (uint32_t)seen.max;
	return SPOP_ST_NONE;
}

enum spop_status spop_hello_get(struct slice payload, struct spop_hello *out)
{
	assert(out != NULL);
	return read_hello(payload, "supported-versions", out);
}

enum spop_status spop_agent_hello_get(
    struct slice payload, struct spop_hello *out)
{
	assert(out != NULL);
	return read_hello(payload, "version", out);
}

uint64_t spop_disconnect_get(struct slice payload)
{
	struct spop_value v;
	struct slice key;

	while (payload.len > 0 && spop_pair_get(&payload, &key, &v)) {
		if (is_number(&v) && is_slice_eq(key, "status-code"))
			return v.number;
	}
	return SPOP_ST_UNKNOWN;
}

/* A frame under construction; once something did not fit, nothing more is. */
struct out {
	unsigned char *p;
	size_t len, size;
	bool full;
};

static void put_bytes(struct out *o, const void *p, size_t len)
{
	if (o->full || len > o->size - o->len) {
		o->full = true;
		return;
	}
	if (len > 0)
		memcpy(o->p + o->len, p, len);
	o->len += len;
}

static void put_byte(struct out *o, unsigned v)
{
	unsigned char b = (unsigned char)v;

	put_bytes(o, &b, 1);
}

static void put_varint(struct out *o, uint64_t v)
{
	unsigned char b[10];
	size_t n = 1;

	if (v < 240) {
		put_byte(o, (unsigned)v);
		return;
	}
	b[0] = (unsigned char)(v | 240);
	for (v = (v - 240) >> 4; v >= 128; v = (v - 128) >> 7)
		b[n++] = (unsigned char)(v | 128);
	b[n++] = (unsigned char)v;
	put_bytes(o, b, n);
}

static void put_string(struct out *o, struct slice s)
{
	put_varint(o, s.len);
	put_bytes(o, s.p, s.len);
}

static void put_pair_string(struct out *o, const char *key, const char *value)
{
	put_string(o, slice_str(key));
	put_byte(o, SPOP_STRING);
	put_string(o, slice_str(value));
}

static void put_pair_uint32(struct out *o, const char *key, uint32_t value)
{
	put_string(o, slice_str(key));
	put_byte(o, SPOP_UINT32);
	put_varint(o, value);
}

static struct out begin(unsigned char *buf, size_t size, enum spop_type type)
{
	static const unsigned char length_later[SPOP_LENGTH] = {0};
	static const unsigned char fin[4] = {0, 0, 0, SPOP_F_FIN};
	struct out o = {0};

	assert(buf != NULL);
	o.p = buf;
	o.size = size;
	put_bytes(&o, length_later, sizeof(length_later));
	put_byte(&o, (unsigned)type);
	put_bytes(&o, fin, sizeof(fin));
	return o;
}

static size_t finish(struct out *o)
{
	size_t len;

	if (o->full)
		return 0;
	len = o->len - SPOP_LENGTH;
	o->p[0] = (unsigned char)(len >> 24);
	o->p[1] = (unsigned char)(len >> 16);
	o->p[2] = (unsigned char)(len >> 8);
	o->p[3] = (unsigned char)len;
	return o->len;
}

static void put_capabilities(struct out *o, const struct spop_hello *hello)
{
	const char *list = "";

	if (hello->pipelining)
		list = hello->async ? "pipelining,async" : "pipelining";
	else if (hello->async)
		list = "async";
	put_pair_string(o, "capabilities", list);
}

size_t spop_put_haproxy_hello(
    unsigned char *buf, size_t size, const struct spop_hello *hello)
{
	struct out o = begin(buf, size, SPOP_HAPROXY_HELLO);

	assert(hello != NULL);
	put_varint(&o, 0);
	put_varint(&o, 0);
	put_pair_string(&o, "supported-versions", "2.0");
	put_pair_uint32(&o, "max-frame-size", hello->max_frame_size);
	put_capabilities(&o, hello);
	if (hello->healthcheck) {
		put_string(&o, slice_str("healthcheck"));
		put_byte(&o, SPOP_BOOL | 0x10);
	}
	return finish(&o);
}

size_t spop_put_agent_hello(
    unsigned char *buf, size_t size, const struct spop_hello *hello)
{
	struct out o = begin(buf, size, SPOP_AGENT_HELLO);

	assert(hello != NULL);
	put_varint(&o, 0);
	put_varint(&o, 0);
	put_pair_string(&o, "version", "2.0");
	put_pair_uint32(&o, "max-frame-size", hello->max_frame_size);
	put_capabilities(&o, hello);
	return finish(&o);
}

size_t spop_put_disconnect(unsigned char *buf, size_t size, enum spop_type type,
    enum spop_status status)
{
	struct out o = begin(buf, size, type);

	assert(
	    type == SPOP_HAPROXY_DISCONNECT || type == SPOP_AGENT_DISCONNECT);
	put_varint(&o, 0);
	put_varint(&o, 0);
	put_pair_uint32(&o, "status-code", (uint32_t)status);
	put_pair_string(&o, "message", spop_status_text(status));
	return finish(&o);
}

/* SPOE.txt 3.4: action, number of arguments, scope, name, value. */
static void put_var(struct out *o, const struct spop_var *var)
{
	put_byte(o, var->unset ? 2 : 1);
	put_byte(o, var->unset ? 2 : 3);
	put_byte(o, (unsigned)var->scope);
	put_string(o, var->name);
	if (var->unset)
		return;
	put_byte(o, SPOP_STRING);
	put_string(o, var->value);
}

size_t spop_put_ack(unsigned char *buf, size_t size, const struct spop_ack *ack)
{
	struct out o = begin(buf, size, SPOP_ACK);

	assert(ack != NULL && (ack->var != NULL || ack->n == 0));
	put_varint(&o, ack->stream_id);
	put_varint(&o, ack->frame_id);
	for (size_t i = 0; i < ack->n; i++)
		put_var(&o, &ack->var[i]);
	return finish(&o);
}

const char *spop_status_text(enum spop_status status)
{
	switch (status) {
	case SPOP_ST_NONE:
		return "normal";
	case SPOP_ST_IO:
		return "I/O error";
	case SPOP_ST_TIMEOUT:
		return "a timeout occurred";
	case SPOP_ST_TOO_BIG:
		return "frame is too big";
	case SPOP_ST_INVALID:
		return "invalid frame received";
	case SPOP_ST_NO_VERSION:
		return "version value not found";
	case SPOP_ST_NO_FRAME_SIZE:
		return "max-frame-size value not found";
	case SPOP_ST_NO_CAPABILITIES:
		return "capabilities value not found";
	case SPOP_ST_BAD_VERSION:
		return "unsupported version";
	case SPOP_ST_BAD_FRAME_SIZE:
		return "max-frame-size too big or too small";
	case SPOP_ST_FRAGMENTED:
		return "payload fragmentation is not supported";
	case SPOP_ST_INTERLACED:
		return "invalid interlaced frames";
	case SPOP_ST_NO_FRAME_ID:
		return "frame-id not found";
	case SPOP_ST_RESOURCE:
		return "resource allocation error";
	case SPOP_ST_UNKNOWN:
		break;
	}
	return "an unknown error occurred";
}
