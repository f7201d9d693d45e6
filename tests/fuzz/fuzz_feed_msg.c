/* A message that decodes encodes to the very bytes it came from. */
#include <stdint.h>

#include "feed_msg.c"
#include "snapshot.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char buf[LIM_FEED_MSG];
	static struct feed_msg m;
	size_t len;

	if (feed_decode(slice_of(data, size), &m) != FEED_OK)
		return 0;
	assert(m.kind > FEED_NONE && m.kind < FEED_KIND_N);
	len = feed_encode(&m, buf, sizeof(buf));
	assert(len == size && memcmp(buf, data, size) == 0);
	return 0;
}
