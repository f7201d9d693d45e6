/*
 * pg_row.c - see pg_row.h. Called by postgres.c; asks nothing itself.
 */
#include <assert.h>
#include <string.h>

#include "lsn.h"
#include "pg_row.h"

enum {
	COL_IN_RECOVERY = 0,
	COL_READ_ONLY,
	COL_LSN,
	COL_RECEIVE_LSN,
	COL_TLI,
	COL_RECEIVER_PID,
	COL_RECEIVER_STATUS,
	COL_N
};

static struct slice column(const PGresult *res, int col)
{
	return slice_of(
	    PQgetvalue(res, 0, col), (size_t)PQgetlength(res, 0, col));
}

/* NULL (nothing replayed yet, a primary has received nothing) is unknown. */
static bool read_lsn(const PGresult *res, int col, uint64_t *out)
{
	*out = 0;
	return PQgetisnull(res, 0, col) || lsn_parse(column(res, col), out);
}

/* Eight hexadecimal digits of a segment's name. */
static bool read_tli(const PGresult *res, uint32_t *out)
{
	struct slice s = column(res, COL_TLI);
	uint32_t n = 0;
	size_t i;

	*out = 0;
	if (PQgetisnull(res, 0, COL_TLI))
		return true;
	if (s.len != 8)
		return false;
	for (i = 0; i < s.len; i++) {
		if (s.p[i] >= '0' && s.p[i] <= '9')
			n = n << 4 | (uint32_t)(s.p[i] - '0');
		else if (s.p[i] >= 'A' && s.p[i] <= 'F')
			n = n << 4 | (uint32_t)(s.p[i] - 'A' + 10);
		else
			return false;
	}
	*out = n;
	return true;
}

/* No walreceiver is an answer; one whose status we may not see is none. */
static void read_receiver(const PGresult *res, struct ev_sql *out)
{
	if (!out->in_recovery)
		return;
	if (PQgetisnull(res, 0, COL_RECEIVER_PID)) {
		out->streaming_known = true;
		return;
	}
	if (PQgetisnull(res, 0, COL_RECEIVER_STATUS))
		return;
	out->streaming_known = true;
	out->streaming =
	    is_slice_eq(column(res, COL_RECEIVER_STATUS), "streaming");
}

bool pg_row_read(const PGresult *res, struct ev_sql *out)
{
	struct slice recovery, read_only;

	assert(res != NULL && out != NULL);
	memset(out, 0, sizeof(*out));
	if (PQntuples(res) != 1 || PQnfields(res) != COL_N)
		return false;
	recovery = column(res, COL_IN_RECOVERY);
	read_only = column(res, COL_READ_ONLY);
	if (!is_slice_eq(recovery, "t") && !is_slice_eq(recovery, "f"))
		return false;
	if (!is_slice_eq(read_only, "on") && !is_slice_eq(read_only, "off"))
		return false;
	out->in_recovery = is_slice_eq(recovery, "t");
	out->read_only = is_slice_eq(read_only, "on");
	read_receiver(res, out);
	return read_lsn(res, COL_LSN, &out->lsn) &&
	    read_lsn(res, COL_RECEIVE_LSN, &out->receive_lsn) &&
	    read_tli(res, &out->tli);
}
