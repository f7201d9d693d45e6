/* Numbers, durations, sizes and LSNs: bounded, and LSNs come back. */
#include <stdint.h>

#include "lsn.c"
#include "num.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_of(data, size);
	struct dur d = {0};
	uint64_t v = 0;
	char text[LSN_TEXT];

	if (num_u64(s, 3, 1000000, &v))
		assert(v >= 3 && v <= 1000000);
	if (num_u64(s, 0, UINT64_MAX, &v))
		assert(size > 0);
	if (num_dur(s, dur_us(5), dur_ms(86400000), &d))
		assert(d.us >= 5 && d.us <= 86400000000);
	if (num_size(s, 2, 1 << 30, &v))
		assert(v >= 2 && v <= 1 << 30);
	if (lsn_parse(s, &v)) {
		uint64_t again = 0;

		if (!lsn_parse(slice_str(lsn_text(v, text)), &again))
			assert(false);
		assert(again == v);
	}
	return 0;
}
