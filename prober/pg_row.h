/*
 * pg_row.h - the one question put to PostgreSQL, and its answer's row.
 *
 * Needs no right but CONNECT. One row, so that all of it is of one moment:
 * pg_is_in_recovery() is asked once and guards what raises an error on the
 * other side of a promotion.
 */
#ifndef PG_ROW_H
#define PG_ROW_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "ev_item.h"

/*
 * The timeline on a primary is that of the segment it writes now;
 * pg_control_checkpoint() still says the old one after a promotion.
 * What was received last outlives a promotion: asked for in recovery only.
 * Without pg_read_all_stats the walreceiver's row is there, its status NULL.
 */
#define PG_ROW_SQL                                                         \
	"SELECT r, pg_catalog.current_setting('transaction_read_only'),"   \
	" CASE WHEN r THEN pg_catalog.pg_last_wal_replay_lsn()"            \
	" ELSE pg_catalog.pg_current_wal_lsn() END,"                       \
	" CASE WHEN r THEN pg_catalog.pg_last_wal_receive_lsn() END,"      \
	" CASE WHEN NOT r THEN pg_catalog.substr(pg_catalog."              \
	"pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) END,"     \
	" w.pid, w.status"                                                 \
	" FROM (SELECT pg_catalog.pg_is_in_recovery() AS r OFFSET 0) AS s" \
	" LEFT JOIN pg_catalog.pg_stat_wal_receiver AS w ON true"

/* Gives: false unless res is the answer to PG_ROW_SQL. */
bool pg_row_read(const PGresult *res, struct ev_sql *out)
    __attribute__((warn_unused_result));

#endif
