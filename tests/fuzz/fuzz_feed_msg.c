/*
 * What a message decodes to encodes to a message that decodes to the same; of
 * the same length, but for STATS, which other versions have shorter or longer.
 */
#include <stdint.h>

#include "feed_msg.c"
#include "snapshot.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char buf[LIM_FEED_MSG];
	static struct feed_msg m, again;
	size_t len;

	if (feed_decode(slice_of(data, size), &m) != FEED_OK)
		return 0;
	assert(m.kind > FEED_NONE && m.kind < FEED_KIND_N);
	len = feed_encode(&m, buf, sizeof(buf));
	assert(len == size || (m.kind == FEED_STATS && len > 0));
	assert(feed_decode(slice_of(buf, len), &again) == FEED_OK);
	assert(memcmp(&m, &again, sizeof(m)) == 0);
	return 0;
}
