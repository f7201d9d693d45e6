/* An order's key and value from etcd: "KEY\0VALUE"; what is taken is sound,
   and written again it is the same order. */
#include <stdint.h>

#include "json.c"
#include "orders.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void see(const struct order *o, struct order_when when)
{
	char value[ORDERS_VALUE], key[ORDERS_KEY];
	struct order back;
	size_t n = order_encode(o, value, sizeof(value));

	assert(n > 0 && memchr(o->member, 0, LIM_NAME) != NULL);
	assert(o->kind == ORDER_MODE ||
	    (is_mono_before(when.now, o->until) &&
		mono_sub(o->until, when.now).us <=
		    ORDERS_FOR_MAX_S * 1000000LL));
	assert(order_decode(
	    slice_str(order_key(o, key)), slice_of(value, n), when, &back));
	assert(is_order_same(o, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct order_when when = {{1}, 1};
	const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
	size_t n = end == NULL ? size : (size_t)(end - data);
	struct order o;

	if (order_decode(slice_of(data, n),
		end == NULL ? slice_of(data, 0)
			    : slice_of(end + 1, size - n - 1),
		when, &o))
		see(&o, when);
	else
		assert(o.kind == ORDER_NONE);
	return 0;
}
