/* First bytes of a connection: what is not OK leaves the intent as it was. */
#include <stdint.h>

#include "startup.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct intent was = {.listen = 3,
	    .want = INTENT_REPLICA,
	    .flags = size % 2 == 0 ? INTENT_F_CHOOSE : INTENT_F_FALLBACK,
	    .max_lag_bytes = UINT64_MAX,
	    .max_lag_ms = UINT32_MAX};
	struct intent it = was;

	if (startup_parse(slice_of(data, size), &it) != STARTUP_OK)
		assert(memcmp(&it, &was, sizeof(it)) == 0);
	assert(it.listen == 3 && it.want >= INTENT_PRIMARY);
	assert(it.want <= INTENT_ANY && (it.flags & was.flags) == was.flags);
	if ((it.flags & INTENT_F_OPTIONS) == 0)
		assert(it.want == was.want && it.min_lsn == 0);
	assert((was.flags & INTENT_F_CHOOSE) != 0 ||
	    (it.flags & INTENT_F_OPTIONS) == 0);
	it = was;
	startup_sni(slice_of(data, size), &it);
	assert(it.want >= INTENT_PRIMARY && it.want <= INTENT_ANY);
	return 0;
}
