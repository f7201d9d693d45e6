/* GET /cluster's body: what names nobody leaves nothing behind. */
#include <stdint.h>

#include "connurl.c"
#include "json.c"
#include "roster_json.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ev_view nothing = {0};
	struct ev_view v;

	if (!roster_json(slice_of(data, size), &v)) {
		assert(memcmp(&v, &nothing, sizeof(v)) == 0);
		return 0;
	}
	assert(v.n > 0 && v.n <= LIM_MEMBERS && v.sync_n <= v.n);
	for (int i = 0; i < v.n; i++) {
		const struct ev_dcs_member *m = &v.m[i];

		assert(m->present && m->name[0] != '\0');
		assert(memchr(m->name, 0, LIM_NAME) != NULL);
		assert(m->host[0] == '\0' || m->port != 0);
		assert(m->role < EV_ROLE_N && m->state < EV_STATE_N);
	}
	return 0;
}
