/*
 * HAProxy's `show stat`: whatever comes, no command names what it must not, and
 * every state is one of ours.
 */
#include <stdint.h>

#include "hapsync.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct snapshot make(void)
{
	struct snapshot s = {.boot_id = 1, .n = 3, .write = 0};

	memcpy(s.cluster, "main", 5);
	for (unsigned i = 0; i < s.n; i++) {
		memcpy(s.m[i].server, "psql-1", 7);
		s.m[i].server[5] = (char)('1' + i);
		s.m[i].flags = SNAP_F_LIVE;
	}
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct snapshot s = make();
	struct hap_view view;
	struct hap_cmds cmds;

	assert(hap_parse_stat(slice_of(data, size), &s, &view) == view.known);
	for (unsigned b = 0; b < HAP_BACKEND_N; b++)
		for (unsigned i = 0; i < LIM_MEMBERS; i++)
			assert(view.srv[b][i] <= HAP_SRV_OTHER &&
			    (i < s.n || view.srv[b][i] == HAP_SRV_NONE));
	hap_repair(&s, &view, &cmds);
	assert(cmds.n <= 2U * s.n && (view.known || cmds.n == 0));
	for (unsigned i = 0; i < cmds.n; i++)
		assert(strncmp(cmds.line[i], "set server main_", 16) == 0 &&
		    strpbrk(cmds.line[i], ";\n") == NULL);
	return 0;
}
