/*
 * hapfind.h - discovery: a member that joins becomes a server of HAProxy, one
 * that leaves is drained and removed, one that moved is followed.
 *
 * Pure. A server that was added is known by its id (HAP_OURS and above), and
 * one that is on its way out by its weight too: so HAProxy itself remembers
 * which maint is ours, whatever becomes of the prober, and an operator's is
 * left alone. A server of HAProxy's file is never removed, and its address is
 * changed only after it was seen to be the member's.
 * Source: management.txt, 9.3 (add server, del server, set server … addr).
 */
#ifndef HAPFIND_H
#define HAPFIND_H

#include "hapsync.h"
#include "mono.h"

#define HAP_OURS 7100u     /* the first id of those that were added */
#define HAP_OURS_N 64u     /* in one backend */
#define HAP_OURS_OUT 251u  /* their weight while they are on their way out */
#define HAP_OURS_WEIGHT 1u /* HAProxy's own default */

/* Where HAProxy finds a member. */
struct hap_found {
	char addr[LIM_ADDR]; /* numeric; "": not known */
	uint16_t port;
	char rest_addr[LIM_ADDR]; /* Patroni's; "": addr */
	uint16_t rest_port;       /* 0: not known */
	bool rest_tls;
};

/* What the lines of HAProxy's file say of each server, which a server that is
   added does not inherit. */
struct hap_words {
	const char *check_addr; /* the prober's */
	uint16_t check_port;
	uint32_t fallback_max;
	bool stock; /* the third way's timings */
	bool send_proxy;
	const char *ca, *pem; /* of the third way's checks by TLS; "" */
};

/* A server that is drained, and since when. */
struct hap_leaving {
	char server[LIM_NAME];
	struct mono since;
};
#define HAP_LEAVING_N 8

/* A server of HAProxy's file that had its member's own address: the first and
   the last one that both had. The file may have another on purpose, now or
   after the next reload. */
struct hap_followed {
	char server[LIM_NAME];
	char first[HAP_ADDR], last[HAP_ADDR];
};

/* What is remembered of a cluster between two looks; zeroed at first. */
struct hap_memory {
	struct hap_followed followed[LIM_MEMBERS];
	struct hap_leaving leaving[HAP_LEAVING_N];
};

struct hap_find_in {
	const struct snapshot *snap; /* each member with its server's name */
	const struct hap_view *view;
	const struct hap_found *found; /* by snapshot member index */
	const struct hap_words *words;
	bool may_leave;      /* who is not in snap is no member */
	struct dur patience; /* with the sessions of one that leaves */
};

/*
 * Appends to *out what makes HAProxy's servers those of the members. Gives: how
 * many servers are missing, in all backends; what of them was said, or had no
 * room, is due once more.
 */
unsigned hap_find(const struct hap_find_in *in, struct mono now,
    struct hap_memory *mem, struct hap_cmds *out);

static inline bool is_hap_ours(const struct hap_row *r)
{
	return r->id >= HAP_OURS && r->id < HAP_OURS + HAP_OURS_N;
}

/* A maint or drain on it is ours. */
static inline bool is_hap_leaving(const struct hap_row *r)
{
	return is_hap_ours(r) && r->weight == HAP_OURS_OUT;
}

#endif
