/* GET /patroni's body: what is not a status leaves nothing behind. */
#include <stdint.h>

#include "json.c"
#include "patroni_json.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ev_rest nothing = {0};
	struct ev_dcs_member m = {0};
	struct ev_rest rest;
	cJSON *doc = json_parse(slice_of(data, size));

	patroni_tags(json_get(doc, "tags"), &m);
	assert(m.weight <= WEIGHT_MAX);
	cJSON_Delete(doc);
	if (!patroni_json_status(slice_of(data, size), &rest))
		assert(memcmp(&rest, &nothing, sizeof(rest)) == 0);
	assert(rest.role < EV_ROLE_N && rest.state < EV_STATE_N);
	assert(!rest.primary_200);
	assert(!rest.streaming || rest.streaming_known);
	assert(rest.role != EV_ROLE_PRIMARY || !rest.streaming_known);
	return 0;
}
