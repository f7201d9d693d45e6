/* What the desk reads before it knows who speaks: the PROXY header. */
#include <stdint.h>

#include "proxy2.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy2 p;

	switch (proxy2_get(slice_of(data, size), &p)) {
	case PROXY2_OK:
		assert(p.size >= HEADER_N && p.size <= size);
		assert(p.size <= HEADER_N + PROXY2_MAX);
		break;
	case PROXY2_MORE:
		assert(size < HEADER_N + PROXY2_MAX);
		break;
	case PROXY2_BAD:
		break;
	}
	return 0;
}
