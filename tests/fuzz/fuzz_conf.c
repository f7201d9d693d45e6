/* patroute.conf: a sound configuration, or one sentence on one line. */
#include <stdint.h>

#include "conf.c"
#include "conf_check.c"
#include "conf_scan.c"
#include "conf_set.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_err err;
	struct conf *c = conf_parse("fuzz.conf", slice_of(data, size), &err);

	if (c == NULL) {
		assert(strncmp(err.text, "fuzz.conf:", 10) == 0);
		assert(strlen(err.text) > 12);
		return 0;
	}
	assert(err.text[0] == '\0' && c->cluster_n > 0 && c->listen_n > 0);
	for (uint16_t i = 0; i < c->listen_n; i++) {
		struct intent it = conf_listen_intent(c, i);

		assert(it.want >= INTENT_PRIMARY && it.want <= INTENT_ANY);
		assert(c->listen[i].cluster < c->cluster_n);
		assert(conf_listen_by_port(c, c->listen[i].port) == i);
	}
	conf_free(c);
	return 0;
}
