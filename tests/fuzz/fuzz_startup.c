/* First bytes of a connection: what is not OK leaves the intent as it was. */
#include <stdint.h>

#include "startup.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slice first, uint8_t flags)
{
	const struct intent was = {.listen = 3,
	    .want = INTENT_REPLICA,
	    .flags = flags,
	    .max_lag_bytes = UINT64_MAX,
	    .max_lag_ms = UINT32_MAX};
	struct intent it = was;

	if (startup_parse(first, &it) != STARTUP_OK)
		assert(memcmp(&it, &was, sizeof(it)) == 0);
	assert(it.listen == 3 && it.want >= INTENT_PRIMARY);
	assert(it.want <= INTENT_ANY && (it.flags & flags) == flags);
	if ((it.flags & INTENT_F_OPTIONS) == 0)
		assert(it.want == was.want && it.min_lsn == 0);
	assert((flags & INTENT_F_CHOOSE) != 0 ||
	    (it.flags & INTENT_F_OPTIONS) == 0);
	it = was;
	startup_sni(first, &it);
	assert(it.want >= INTENT_PRIMARY && it.want <= INTENT_ANY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(slice_of(data, size), INTENT_F_CHOOSE);
	check(slice_of(data, size), INTENT_F_FALLBACK);
	return 0;
}
