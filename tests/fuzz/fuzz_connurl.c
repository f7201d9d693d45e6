/* A member's URL: a host is a name or an address, nothing else, or nothing. */
#include <stdint.h>

#include "connurl.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct connurl url;

	if (connurl_parse(slice_of(data, size), &url)) {
		assert(url.scheme != CONNURL_NONE && url.port != 0);
		assert(url.host[0] != '\0' && strlen(url.host) < LIM_ADDR);
		assert(strpbrk(url.host, "/@,[] \n\"'\\") == NULL);
	} else {
		assert(url.scheme == CONNURL_NONE && url.port == 0);
		assert(url.host[0] == '\0');
	}
	return 0;
}
