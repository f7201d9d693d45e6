/*
 * A snapshot that decodes is sound, encodes to the very bytes it came from,
 * and routes nobody to a member that it does not allow.
 */
#include <stdint.h>

#include "route.c"
#include "snapshot.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void route_all(const struct snapshot *s)
{
	struct rr rr = {.turn = (uint32_t)s->seq};

	for (unsigned i = 0; i < 64; i++) {
		struct intent it = {.want = (uint8_t)(i % 5),
		    .flags = (uint8_t)(i / 5 % 2),
		    .min_lsn = i % 3 == 0 ? s->seq : 0,
		    .max_lag_bytes = i % 2 == 0 ? UINT64_MAX : s->boot_id,
		    .max_lag_ms = UINT32_MAX};
		struct decision d = route_decide(s, &it, &rr);

		assert((d.kind == ROUTE_TO) == (d.member >= 0));
		if (d.kind != ROUTE_TO)
			continue;
		assert(d.member < s->n && s->m[d.member].server[0] != '\0');
		if (d.action == ROUTE_ACT_READ)
			assert((s->m[d.member].flags & SNAP_F_READ) != 0);
		else
			assert(d.member == s->write && !s->planned);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char buf[LIM_FEED_MSG];
	static struct snapshot s, again;
	size_t len;

	if (!snap_decode(slice_of(data, size), &s))
		return 0;
	assert(snap_check(&s) && is_snap_same(&s, &s));
	assert(snap_why_text((enum snap_why)s.write_why)[0] != '\0' ||
	    s.write_why == SNAP_WHY_NONE);
	for (unsigned i = 0; i < s.n; i++) {
		assert(snap_role_name((enum snap_role)s.m[i].role) != NULL);
		assert(snap_why_name((enum snap_why)s.m[i].why) != NULL);
	}
	len = snap_encode(&s, buf, sizeof(buf));
	assert(len == size);
	assert(snap_decode(slice_of(buf, len), &again));
	assert(memcmp(&s, &again, sizeof(s)) == 0);
	route_all(&s);
	return 0;
}
