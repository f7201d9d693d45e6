/*
 * A stream of frames as HAProxy might send them: nothing that is taken apart
 * lies outside the input, and what we write we can read.
 */
#include <stdint.h>

#include "notify.c"
#include "spop.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_within(struct slice outer, struct slice s)
{
	if (s.len == 0)
		return;
	assert(s.p >= outer.p);
	assert((size_t)(s.p - outer.p) <= outer.len);
	assert(s.len <= outer.len - (size_t)(s.p - outer.p));
}

static void check_notify(struct slice payload)
{
	struct notify n;

	if (!notify_get(payload, &n))
		return;
	is_within(payload, n.listen);
	is_within(payload, n.first);
	is_within(payload, n.sni);
	assert(n.engine != NOTIFY_NONE || n.is_odd);
}

static void check_hello(struct slice payload)
{
	unsigned char buf[LIM_SPOP_FRAME_MIN];
	struct spop_hello hello, again;
	struct spop_frame f;
	size_t n;

	if (spop_agent_hello_get(payload, &hello) == SPOP_ST_NONE)
		assert(hello.max_frame_size >= LIM_SPOP_FRAME_MIN);
	if (spop_hello_get(payload, &hello) != SPOP_ST_NONE)
		return;
	n = spop_put_agent_hello(buf, sizeof(buf), &hello);
	assert(n > 0 &&
	    spop_frame_get(slice_of(buf, n), sizeof(buf), &f) == SPOP_OK);
	assert(spop_agent_hello_get(f.payload, &again) == SPOP_ST_NONE);
	assert(again.max_frame_size == hello.max_frame_size);
	assert(again.pipelining == hello.pipelining);
}

static void check_ack(const struct spop_frame *f)
{
	struct spop_var var = {.scope = SPOP_SCOPE_SESS,
	    .name = slice_str("server"),
	    .value = slice_of(
		f->payload.p, f->payload.len < 64 ? f->payload.len : 64)};
	struct spop_ack ack = {f->stream_id, f->frame_id, &var, 1};
	unsigned char buf[LIM_SPOP_FRAME_MIN];
	struct spop_frame again;
	size_t n = spop_put_ack(buf, sizeof(buf), &ack);

	assert(n > 0 &&
	    spop_frame_get(slice_of(buf, n), sizeof(buf), &again) == SPOP_OK);
	assert(again.stream_id == f->stream_id);
	assert(again.frame_id == f->frame_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct spop_frame f;

	while (spop_frame_get(in, LIM_SPOP_FRAME, &f) == SPOP_OK) {
		is_within(in, f.payload);
		assert(f.size <= in.len && f.size > SPOP_LENGTH);
		check_notify(f.payload);
		check_hello(f.payload);
		(void)spop_disconnect_get(f.payload);
		check_ack(&f);
		in = slice_skip(in, f.size);
	}
	return 0;
}
