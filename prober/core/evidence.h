/*
 * evidence.h - what each source says of each member, and when it was true.
 *
 * One sink for every edge: ev_put(). Pure: time comes in, nothing is asked.
 * Evidence never expires here; verdict and reads compare its age.
 * No name here may be one of libev's (EV_NONE, ev_init): edges include both.
 */
#ifndef EVIDENCE_H
#define EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "ev_item.h"
#include "lag.h"
#include "lim.h"
#include "mono.h"

/*
 * What one source last said of one member. A denial says that no server is
 * there; it stands until the server is seen alive. One STOPPING is a question
 * (57P01 also ends a backend that somebody terminated): the next answer, asked
 * for at once, makes it a denial or takes it back.
 */
struct ev_slot {
	struct mono at, asked; /* of the last word of any kind */
	enum ev_rc rc;
	struct mono ok_at, ok_asked; /* of the last OK: age of the content */
	struct mono alive_at;     /* OK; SQL also AUTH, BUSY, TLS: it lives */
	struct mono ending_at;    /* a first STOPPING */
	enum ev_rc denied;        /* REFUSED, STARTING, STOPPING; or NONE */
	struct mono denied_at;    /* the last denial's, kept when it is over */
	struct mono silent_since; /* first TIMEOUT with no answer after it */
	struct mono lost_since;   /* first LOST with nothing else after it */
	struct mono said_at;      /* since when the content says the same */
};

struct ev_member {
	struct ev_dcs_member dcs;
	struct mono since; /* this slot is this member's, at this address */
	struct ev_slot rest_slot, sql_slot;
	struct ev_rest rest; /* content of the last OK that had any */
	struct ev_sql sql;
	struct mono left_at; /* its key went away at; unset: it is there */
	struct mono held_key_until; /* held the leader key last at; fence */
	struct mono led_at;         /* was confirmed as leader last at */
	uint64_t sysid;
};

/* The cluster's keys, as the DCS has them now. */
struct ev_dcs {
	struct mono fresh_at;    /* last event or heartbeat answer */
	bool configured, synced; /* synced: a whole read was taken */
	int8_t leader;           /* index, -1: no key, -2: names nobody known */
	char leader_name[LIM_NAME];
	int64_t leader_rev;    /* revision of the key, grows at each move */
	struct mono leader_at; /* when this holder's key was seen first */
	bool pause, standby_cluster, failsafe_mode, sync_mode;
	char sync_standby[LIM_MEMBERS][LIM_NAME];
	uint8_t sync_n;
	bool failover_due; /* a failover key without scheduled_at, or due */
	struct mono failover_at;
	uint64_t sysid; /* initialize */
};

struct cluster_ev {
	char name[LIM_NAME];
	struct ev_dcs dcs;
	uint8_t n;
	struct ev_member m[LIM_MEMBERS];
	struct lag_ring lag; /* the leader's LSN over time */
	bool sql_configured;
	bool hold; /* an operator's: no writes at all */
	int8_t
	    force; /* an operator's: this member; -1 none, EV_FORCE_UNKNOWN */
	struct mono confirmed_at;  /* the present leader was confirmed at */
	int8_t confirmed;          /* index, -1 none */
	int8_t written;            /* the last verdict's target */
	struct mono written_at;    /* since when */
	struct mono transition_at; /* see is_ev_transition() */
};

/* Forced to one that is no member here: a target elsewhere, may be. */
#define EV_FORCE_UNKNOWN (-2)
/* A silence needs a listener: questions further apart than this, as after a
   SIGSTOP of our own, do not add up to one. */
#define EV_SILENCE_GAP_MS 3000
/* Nobody asks every 20 ms for longer than this without something new. */
#define EV_TRANSITION_MAX_MS 60000
/* A member whose key is gone is still one for as long: the DCS may have been
   wiped, and Patroni writes its key anew within loop_wait. */
#define EV_LEFT_GRACE_MS 30000

/* Needs: ev is the caller's memory. Sets the indices to -1. */
void ev_reset(struct cluster_ev *ev, const char *name, bool dcs_configured,
    bool sql_configured);

/*
 * Takes one answer. Older than what is there (by `asked`), or asked before the
 * slot was this member's: ignored; LOCAL counts as no answer. A REST answer
 * without a word on PostgreSQL (role or state unknown) is a sign of Patroni's
 * life and leaves the content as it is.
 * Needs: item->member < ev->n, item->at >= item->asked.
 * Gives: whether a verdict could change by it.
 */
bool ev_put(struct cluster_ev *ev, const struct ev_item *item);

/*
 * Members keep their index while they are there; a member whose key went away
 * stays with left_at set and its slot is reused only when none is free. Names
 * that are not is_snap_name() are passed over. Another name in the leader key
 * starts a transition and notes the former holder for the fence; a new revision
 * with the same name is a renewal. In the first view `history_leader` counts as
 * a former holder until now: before our start there was no watch.
 * Gives: whether the leader key changed hands.
 */
bool ev_put_dcs(
    struct cluster_ev *ev, const struct ev_view *view, struct mono at);

/*
 * Members by Patroni's /cluster, for as long as no DCS was read whole: who they
 * are and where, and the synchronous ones; nothing of who leads. Later ones
 * are ignored.
 */
void ev_put_roster(
    struct cluster_ev *ev, const struct ev_view *view, struct mono at);

/* The heartbeat, asked at `at`, proved the view still true. */
void ev_dcs_alive(struct cluster_ev *ev, struct mono at);

/*
 * Remembers what was decided: who is confirmed since when, whether a
 * transition begins or ends. To be called after each verdict_write(), before
 * reads_judge() and publish().
 */
struct verdict;
void ev_note_verdict(
    struct cluster_ev *ev, const struct verdict *v, struct mono now);

/* Gives: index of the member of that name, -1 none. */
int ev_find(const struct cluster_ev *ev, const char *name);

/* Its key is there, or was a moment ago, or the leader key names it. */
bool is_ev_member(const struct cluster_ev *ev, int member, struct mono now);

/* The DCS is configured, was read whole, and was heard within max_age. */
struct policy;
bool is_ev_dcs_fresh(
    const struct cluster_ev *ev, const struct policy *pol, struct mono now);

/*
 * A primary that takes no writes (default_transaction_read_only), by the last
 * word of SQL: said in recovery it is of the replica that it was.
 */
static inline bool is_ev_read_only(const struct ev_member *m)
{
	return m->sql.read_only && !m->sql.in_recovery;
}

/* Seen live: SQL answered within its max_age, or REST within max_age_claim. */
bool is_ev_live(const struct cluster_ev *ev, int member,
    const struct policy *pol, struct mono now);

/*
 * From the loss of a confirmed leader, or the key's move, or a due failover
 * key, until the next confirmation; at most EV_TRANSITION_MAX_MS.
 */
bool is_ev_transition(const struct cluster_ev *ev, struct mono now);

const char *ev_rc_name(enum ev_rc rc);

#endif
