/*
 * feed_later.c - feed_msg.c with the counter `later` added as its rule says:
 * a member of the struct, a line at the table's end. CMakeLists.txt makes that
 * source from ours; its names are not ours, for a test links both.
 */
#include "feed_later.h"

#define feed_encode later_encode
#define feed_decode later_decode
#include "later/feed_msg.c"

bool later_decode_stats(struct slice in, struct later_stats *out)
{
	static struct feed_msg m;
	const struct feed_counts *c = &m.u.counts;

	if (feed_decode(in, &m) != FEED_OK || m.kind != FEED_STATS || c->n > 1)
		return false;
	*out = (struct later_stats){.last = c->all.hold_recent_ms,
	    .later = c->all.later,
	    .is_split = c->is_split,
	    .n = c->n};
	if (c->n > 0 && strcmp(c->of[0].cluster, "main") == 0)
		out->same = c->of[0].observed.same[OBSERVE_WRITE];
	return true;
}

size_t later_encode_stats(
    const struct later_stats *s, unsigned char *buf, size_t size)
{
	static struct feed_msg m;
	struct feed_counts *c = &m.u.counts;

	memset(&m, 0, sizeof(m));
	m.kind = FEED_STATS;
	c->all.hold_recent_ms = s->last;
	c->all.later = s->later;
	c->is_split = s->is_split;
	c->n = s->n;
	(void)slice_copy(slice_str("main"), c->of[0].cluster, LIM_NAME);
	c->of[0].observed.same[OBSERVE_WRITE] = s->same;
	return feed_encode(&m, buf, size);
}
