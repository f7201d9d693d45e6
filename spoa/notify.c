/*
 * notify.c - the messages of a NOTIFY; see notify.h.
 */
#include "notify.h"

#include "spop.h"

/* Where an argument goes; `src` and `sport` are for HAProxy's own log. */
static struct slice *place_of(struct notify *n, struct slice key)
{
	if (is_slice_eq(key, "listen"))
		return &n->listen;
	if (is_slice_eq(key, "first"))
		return &n->first;
	if (is_slice_eq(key, "sni"))
		return &n->sni;
	return NULL;
}

static void take_argument(
    struct notify *n, struct slice key, const struct spop_value *v)
{
	struct slice *place = place_of(n, key);

	if (place == NULL)
		return;
	/* A sample that HAProxy could not fetch comes as NULL. */
	if (v->type == SPOP_NULL)
		return;
	if ((v->type != SPOP_STRING && v->type != SPOP_BINARY) ||
	    place->p != NULL) {
		n->is_odd = true;
		return;
	}
	*place = v->bytes;
}

static bool read_message(struct slice *in, struct notify *n)
{
	struct spop_value v;
	struct slice name, key;
	uint8_t args;
	bool ours;

	if (!spop_message_get(in, &name, &args))
		return false;
	ours = is_slice_eq(name, "route") || is_slice_eq(name, "hold");
	if (ours && n->engine != NOTIFY_NONE)
		n->is_odd = true;
	if (ours)
		n->engine = name.p[0] == 'r' ? NOTIFY_ROUTE : NOTIFY_HOLD;
	for (unsigned i = 0; i < args; i++) {
		if (!spop_pair_get(in, &key, &v))
			return false;
		if (ours)
			take_argument(n, key, &v);
	}
	return true;
}

bool notify_get(struct slice payload, struct notify *out)
{
	assert(out != NULL);
	*out = (struct notify){0};
	while (payload.len > 0) {
		if (!read_message(&payload, out))
			return false;
	}
	if (out->listen.len == 0)
		out->is_odd = true;
	return true;
}
