/*
 * meter.h - what all parts of the meter share: one loop, one history, one
 * login, and the statements that ask a server who it is.
 */
#ifndef METER_METER_H
#define METER_METER_H

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>

#include <ev.h>

#include "history.h"
#include "pgc.h"

#define METER_TARGETS 16
#define METER_MEMBERS 8
#define METER_ETCD 5
#define METER_SESSIONS 512
#define METER_NAME 32
#define METER_SQL 512

enum kind {
	KIND_NONE = 0,
	KIND_WRITE,
	KIND_READ,
	KIND_ANY
};

struct targets;
struct sessions;
struct members;
struct etcd;

struct meter {
	struct ev_loop *loop;
	struct hist *hist;
	struct pgc_login login; /* what targets and members start from */
	struct scram_cache scram;
	char table[METER_NAME];
	char run[METER_NAME];
	struct targets *targets;
	struct sessions *sessions;
	struct members *members;
	struct etcd *etcd;
	bool started;
};

/* What a server said of itself, and of the write it was given. */
struct who {
	char addr[48]; /* empty: it did not say */
	bool in_recovery;
	int64_t at_ns; /* when the first row came */
	int64_t txid;  /* 0: no write was accepted */
};

/*
 * Writes the statement for one question: who are you, and for KIND_WRITE a
 * row besides, in one query, so that a standby still says who it is before
 * it refuses (25006).
 * Needs: label, run and table are plain words (checked when they are set).
 */
void who_query(const struct meter *m, enum kind kind, const char *label,
    int64_t seq, char sql[static METER_SQL]);

/* Takes one row of the answer. */
void who_row(struct who *w, const struct pgw_msg *row);

/* Gives: true if `s` is a word of letters, digits, '_', '-' and '.'. */
bool is_word(const char *s);

/* The same, but a target's label may be several words. */
bool is_label(const char *s);

#endif
