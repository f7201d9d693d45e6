/*
 * From bytes to a snapshot: the DCS's keys, Patroni's and PostgreSQL's answers
 * in any order, at any time, and whatever is in them, no snapshot that is not
 * sound, and no write to a member of which was last heard, by an SQL answer
 * that may still be believed, that it is in recovery.
 *
 * One record a line: a letter, of the answers a member's digit, and the text.
 *   kNAME=VALUE  a key is set      xNAME  it is gone       XDIR  a directory
 *   v            what the keys say is taken as evidence
 *   h            etcd's heartbeat  oBODY  GET /cluster
 *   rNBODY       GET /patroni      pNBODY the same, GET /primary answered 200
 *   qNFIELDS     SQL's row, its fields between '|', "~" is NULL
 *   eNTEXT       SQL failed so     fNDIGIT a probe that ended so, by SQL or
 *                                  (a letter) by REST
 *   tMS          time goes by      sDIGITS what HAProxy has of the members
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "dcs_keys.h"
#include "evidence.h"
#include "num.h"
#include "patroni_json.h"
#include "pg_error.h"
#include "pg_row.h"
#include "publish.h"
#include "reads.h"
#include "roster_json.h"
#include "verdict.h"
#include "word.h"

#define PREFIX "/service/main/"
#define RECORDS 150

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct judge {
	struct dcs_keys keys;
	struct cluster_ev ev;
	struct conf_cluster conf;
	struct policy pol;
	struct verdict v;
	struct reads_state reads;
	struct publish_site site;
	char addr[LIM_MEMBERS][LIM_ADDR];
	struct snapshot snap;
	struct mono now;
	int64_t rev;
};

static void begin(struct judge *j, bool has_dcs, bool has_sql)
{
	memset(j, 0, sizeof(*j));
	if (!dcs_keys_init(&j->keys, PREFIX))
		abort();
	memcpy(j->conf.name, "main", 5);
	j->conf.max_age_dcs = dur_ms(3000);
	j->conf.max_age_rest = dur_ms(3000);
	j->conf.max_age_sql = dur_ms(2000);
	j->conf.fence = dur_ms(30000);
	j->conf.silence = dur_ms(2000);
	j->conf.silence_close = j->conf.follow_grace = dur_ms(10000);
	j->conf.max_lag = (struct conf_lag){16 << 20, 1000};
	j->conf.lag_grace = j->conf.slow_start = dur_ms(1000);
	j->conf.read_fallback = SNAP_FALLBACK_PRIMARY;
	j->pol = policy_of(&j->conf);
	j->site.unknown = true;
	j->snap.boot_id = 1;
	j->now = (struct mono){1000000};
	j->rev = 1;
	ev_reset(&j->ev, "main", has_dcs, has_sql);
}

/* SQL answered last of all, and may still be believed. */
static bool is_sql_last(const struct judge *j, const struct ev_member *m)
{
	const struct ev_slot *sql = &m->sql_slot;

	return j->ev.sql_configured && sql->rc == EV_RC_OK &&
	    is_mono_fresh(sql->ok_at, j->pol.max_age_sql, j->now) &&
	    is_mono_before(m->rest_slot.ok_at, sql->ok_at);
}

static void see(struct judge *j)
{
	static unsigned char buf[LIM_FEED_MSG];
	static struct snapshot again;
	const struct publish_in in = {.ev = &j->ev,
	    .conf = &j->conf,
	    .pol = &j->pol,
	    .verdict = &j->v,
	    .reads = &j->reads,
	    .site = &j->site,
	    .addr = (const char(*)[LIM_ADDR])j->addr};
	size_t n;

	j->v = verdict_write(&j->ev, &j->pol, j->now);
	assert(j->v.write < j->ev.n && snap_why_name(j->v.why) != NULL);
	if (j->v.write >= 0) {
		const struct ev_member *m = &j->ev.m[j->v.write];

		assert(m->sql_slot.denied == EV_RC_NONE);
		assert(!is_sql_last(j, m) || !m->sql.in_recovery);
	}
	ev_note_verdict(&j->ev, &j->v, j->now);
	reads_judge(&j->ev, &j->pol, j->now, &j->reads);
	(void)publish(&in, j->now, &j->snap);
	n = snap_encode(&j->snap, buf, sizeof(buf));
	assert(n > 0 && snap_decode(slice_of(buf, n), &again));
	assert(is_snap_same(&again, &j->snap));
}

static void put(struct judge *j, struct ev_item *item, unsigned member)
{
	if (member >= j->ev.n)
		return;
	item->member = (uint8_t)member;
	item->at = j->now;
	item->asked = (struct mono){j->now.us - 100};
	(void)ev_put(&j->ev, item);
}

/* Cuts what is before `end` off *s; all of it where there is none. */
static struct slice cut(struct slice *s, char end)
{
	const unsigned char *at = s->len > 0 ? memchr(s->p, end, s->len) : NULL;
	struct slice head =
	    slice_of(s->p, at != NULL ? (size_t)(at - s->p) : s->len);

	*s = slice_skip(*s, at != NULL ? head.len + 1 : head.len);
	return head;
}

static void key(struct judge *j, char kind, struct slice s)
{
	char name[512] = PREFIX;
	size_t n = strlen(PREFIX);
	struct slice last = cut(&s, kind == 'k' ? '=' : '\n');

	if (last.len > sizeof(name) - n)
		return;
	if (last.len > 0)
		memcpy(name + n, last.p, last.len);
	last = slice_of(name, n + last.len);
	if (kind == 'k')
		dcs_keys_put(&j->keys, last, s, j->rev++);
	else if (kind == 'x')
		dcs_keys_del(&j->keys, last);
	else
		dcs_keys_del_dir(&j->keys, last);
	assert(j->keys.view.n <= LIM_MEMBERS);
	assert(is_dcs_keys_leader(&j->keys, last) ==
	    is_slice_eq(last, PREFIX "leader"));
}

static void rest(struct judge *j, unsigned member, bool primary, struct slice s)
{
	struct ev_item item = {.src = EV_REST, .rc = EV_RC_PARSE};

	if (patroni_json_status(s, &item.u.rest)) {
		item.rc = EV_RC_OK;
		item.u.rest.primary_200 = primary;
		assert(word_of_answer(&item.u.rest) < WORD_N);
	}
	put(j, &item, member);
}

static void row(struct judge *j, unsigned member, struct slice s)
{
	static PGresAttDesc names[12];
	PGresult *res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	struct ev_item item = {.src = EV_SQL, .rc = EV_RC_PARSE};
	char text[64];
	int n = 1;

	for (size_t i = 0; i < s.len; i++)
		n += s.p[i] == '|' && n < 12;
	for (int i = 0; i < 12; i++)
		names[i].name = text;
	text[0] = '\0';
	if (res == NULL || !PQsetResultAttrs(res, n, names))
		abort();
	for (int i = 0; i < n; i++) {
		struct slice f = cut(&s, '|');
		bool is_null = is_slice_eq(f, "~");

		if (!slice_copy(f, text, sizeof(text)))
			text[0] = '\0';
		if (!PQsetvalue(res, 0, i, is_null ? NULL : text,
			is_null ? -1 : (int)strlen(text)))
			abort();
	}
	if (pg_row_read(res, &item.u.sql))
		item.rc = EV_RC_OK;
	assert(item.u.sql.streaming_known || !item.u.sql.streaming);
	PQclear(res);
	put(j, &item, member);
}

static void failed(struct judge *j, unsigned member, struct slice s)
{
	struct ev_item item = {.src = EV_SQL};
	char text[512], state[PG_SQLSTATE];

	if (!slice_copy(s, text, sizeof(text)))
		return;
	if (pg_error_sqlstate(text, state)) {
		assert(strlen(state) == PG_SQLSTATE - 1);
		item.rc = pg_error_of_sqlstate(state, text, (j->rev & 1) != 0);
	}
	if (item.rc == EV_RC_NONE)
		item.rc = pg_error_of_libpq(text);
	assert(item.rc > EV_RC_OK && ev_rc_name(item.rc) != NULL);
	put(j, &item, member);
}

/* '2' and so on are rcs of SQL, 'b' and so on the same of REST. */
static void ended(struct judge *j, unsigned member, struct slice s)
{
	struct ev_item item = {.src = EV_SQL};
	unsigned rc = s.len > 0 ? s.p[0] : 0;

	item.src = rc >= 'a' ? EV_REST : EV_SQL;
	rc -= rc >= 'a' ? 'a' : '0';
	if (rc <= EV_RC_OK || rc >= EV_RC_N)
		return;
	item.rc = (enum ev_rc)rc;
	put(j, &item, member);
}

static void roster(struct judge *j, struct slice s)
{
	struct ev_view view;

	if (roster_json(s, &view))
		ev_put_roster(&j->ev, &view, j->now);
}

static void site(struct judge *j, struct slice s)
{
	j->site.unknown = s.len == 0;
	for (size_t i = 0; i < LIM_MEMBERS; i++) {
		j->site.routable[i] = i < s.len && (s.p[i] & 1) != 0;
		j->site.drained[i] = i < s.len && (s.p[i] & 2) != 0;
	}
}

static void take_time(struct judge *j, struct slice s)
{
	uint64_t ms;

	if (num_u64(s, 1, 100000, &ms))
		j->now.us += (int64_t)ms * 1000;
}

/* What concerns one member: its digit stands before the text. */
static void member(struct judge *j, char kind, struct slice s)
{
	unsigned i = s.len > 0 ? s.p[0] - (unsigned)'0' : LIM_MEMBERS;

	s = slice_skip(s, s.len > 0 ? 1 : 0);
	if (kind == 'r' || kind == 'p')
		rest(j, i, kind == 'p', s);
	else if (kind == 'q')
		row(j, i, s);
	else if (kind == 'e')
		failed(j, i, s);
	else
		ended(j, i, s);
}

static void record(struct judge *j, struct slice s)
{
	char kind = s.len > 0 ? (char)s.p[0] : '\0';

	s = slice_skip(s, s.len > 0 ? 1 : 0);
	j->now.us += 1000;
	if (kind == 'k' || kind == 'x' || kind == 'X')
		key(j, kind, s);
	else if (kind == 'v')
		(void)ev_put_dcs(&j->ev, &j->keys.view, j->now);
	else if (kind == 'h')
		ev_dcs_alive(&j->ev, j->now);
	else if (kind == 'o')
		roster(j, s);
	else if (kind == 't')
		take_time(j, s);
	else if (kind == 's')
		site(j, s);
	else if (kind != '\0' && strchr("rpqef", kind) != NULL)
		member(j, kind, s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct judge j;
	struct slice s = slice_of(data, size);
	struct slice line = cut(&s, '\n');
	bool has_dcs = line.len == 0 || line.p[0] != '-';

	/* The first line: "-" without a DCS, "+" or nothing with one; a second
	   letter: without SQL. */
	begin(&j, has_dcs, line.len < 2);
	for (int i = 0; s.len > 0 && i < RECORDS; i++) {
		record(&j, cut(&s, '\n'));
		see(&j);
	}
	return 0;
}
