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

/* What is written fits, or nothing is; what fits can be read. */
static void check_room(const struct spop_frame *f)
{
	unsigned char buf[LIM_SPOP_FRAME_MIN];
	enum spop_status status =
	    (enum spop_status)(spop_disconnect_get(f->payload) % 100);
	struct spop_hello hello = {.pipelining = (f->flags & 1) != 0,
	    .async = (f->flags & 2) != 0,
	    .healthcheck = (f->flags & 4) != 0,
	    .max_frame_size = LIM_SPOP_FRAME};
	struct spop_var var = {.name = slice_str("action"),
	    .scope = SPOP_SCOPE_SESS,
	    .unset = true};
	struct spop_ack ack = {f->stream_id, f->frame_id, &var, 1};
	struct spop_frame again;
	/* Now and then all of it. */
	size_t room = f->payload.len * 7 % (sizeof(buf) + 1), n;

	n = spop_put_disconnect(buf, room, SPOP_AGENT_DISCONNECT, status);
	if (n > 0) {
		assert(n <= room &&
		    spop_frame_get(slice_of(buf, n), sizeof(buf), &again) ==
			SPOP_OK);
		assert(spop_disconnect_get(again.payload) == status);
	}
	n = spop_put_haproxy_hello(buf, room, &hello);
	if (n > 0) {
		assert(n <= room &&
		    spop_frame_get(slice_of(buf, n), sizeof(buf), &again) ==
			SPOP_OK);
		assert(spop_hello_get(again.payload, &hello) == SPOP_ST_NONE);
	}
	n = spop_put_ack(buf, room, &ack);
	assert(n <= room);
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
		check_room(&f);
		check_ack(&f);
		in = slice_skip(in, f.size);
	}
	return 0;
}
