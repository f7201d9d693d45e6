/*
 * orders.h - what an operator has ordered of one cluster: hold, force, drain,
 * observe; which of it is in force, and until when.
 *
 * An order is a key in etcd (all hosts see it) or this host's own. Its end
 * is counted on our own clock from when we learnt of it, so that no foreign
 * clock can prolong it; a key's lease may end it before. Precedence: hold over
 * force over drain over the verdict; the host's own over etcd's.
 * Pure but for cJSON's allocation in the decoder.
 */
#ifndef ORDERS_H
#define ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "lim.h"
#include "mono.h"
#include "slice.h"

#define ORDERS_REASON 160 /* with NUL */
#define ORDERS_BY 96
#define ORDERS_MAX (LIM_MEMBERS + 3)
#define ORDERS_FOR_MAX_S 604800L /* 7 days */
#define ORDERS_CLASSIC "classic" /* force it: HAProxy's third way */
/* A value of a key; etcd's own bound is far above. */
#define ORDERS_VALUE 2048

enum order_kind {
	ORDER_NONE = 0,
	ORDER_HOLD,
	ORDER_FORCE,
	ORDER_DRAIN,
	ORDER_MODE, /* observe, or live: against the configuration's */
	ORDER_KIND_N
};

struct order {
	enum order_kind kind;
	bool is_host;          /* this host's alone */
	bool is_observe;       /* of a MODE */
	bool is_over;          /* its end has come, and is said */
	bool is_end_ours;      /* until_ms is what we made of no end */
	char member[LIM_NAME]; /* of DRAIN and FORCE; FORCE: or "classic" */
	char reason[ORDERS_REASON], by[ORDERS_BY];
	int64_t at_ms, until_ms; /* wall clock, to be shown; 0: not known */
	struct mono until;       /* unset: until it is taken back */
};

struct order_set {
	unsigned n;
	struct order o[ORDERS_MAX];
};

/* Those in force; NULL: none. */
struct orders {
	const struct order *hold, *force, *mode;
	const struct order_set *etcd, *host;
};

/*
 * One key below /patroute/SCOPE/: "hold", "force", "drain/MEMBER", "mode", and
 * its value. Hostile: any bytes will do. `now` and `wall` are when it was
 * learnt; what the value says of its length is bounded by ORDERS_FOR_MAX_S.
 * Gives: false, and ORDER_NONE, if it is no order.
 */
struct order_when {
	struct mono now;
	int64_t wall_ms;
};
bool order_decode(struct slice key, struct slice value, struct order_when when,
    struct order *out) __attribute__((warn_unused_result));

/* The value of its key, in buf. Gives: its length, 0 if it does not fit. */
size_t order_encode(const struct order *o, char *buf, size_t size)
    __attribute__((warn_unused_result));

#define ORDERS_KEY (LIM_NAME + 8)
/* The key below the prefix: "drain/node1". */
const char *order_key(const struct order *o, char buf[static ORDERS_KEY]);

/*
 * May it be a key's last part: a name, no path, of no other key than its own?
 */
bool is_order_member(const char *name);

/*
 * Below which a cluster's keys are: /patroute/SCOPE/, and where Patroni's
 * namespace is not /service /patroute/@NAMESPACE/SCOPE/, with '@' for each of
 * its slashes. No two clusters' are the same.
 */
#define ORDERS_PREFIX LIM_TEXT
const char *order_prefix(
    const char *ns, const char *scope, char buf[static ORDERS_PREFIX]);

/* Puts it in place of one of its kind (and member). Gives: false: no room. */
bool order_set_put(struct order_set *s, const struct order *o)
    __attribute__((warn_unused_result));

/* Index of the order of this kind (and, of a drain, member), -1 none. */
int order_set_find(
    const struct order_set *s, enum order_kind kind, const char *member);
void order_set_remove(struct order_set *s, int i);

/* The first whose time is over and that is not yet said to be, -1 none. */
int order_set_over(const struct order_set *s, struct mono now);

/* Same kind, member, words and end (as they were written). */
bool is_order_same(const struct order *a, const struct order *b);

/* Sets may be NULL: none. The orders point into them; none is over. */
struct orders orders_of(
    const struct order_set *etcd, const struct order_set *host);

/* Is this member's drain ordered, by whom it may be? NULL: no. */
const struct order *orders_drain(const struct orders *o, const char *member);

static inline bool is_orders_classic(const struct orders *o)
{
	return o->hold == NULL && o->force != NULL &&
	    is_slice_eq(slice_str(o->force->member), ORDERS_CLASSIC);
}

const char *order_kind_name(enum order_kind k);

/*
 * Text from outside, for logs, pages and labels: what is no printable
 * character becomes '?', broken UTF-8 too, and it is cut to fit.
 */
void order_text(struct slice s, char *buf, size_t size);

#endif
