/*
 * test_hapsync.c - HAProxy's words and the commands to it.
 */
#include "world.h"

#include "hapsync.h"

static struct snapshot make(int write)
{
	struct snapshot s = {.boot_id = 1, .n = 3, .write = (int8_t)write};

	(void)snprintf(s.cluster, sizeof(s.cluster), "main");
	for (int i = 0; i < 3; i++) {
		struct snap_member *m = &s.m[i];

		(void)snprintf(m->name, LIM_NAME, "node%d", i + 1);
		(void)snprintf(m->server, LIM_NAME, "psql-%d", i + 1);
		m->role = i == write ? SNAP_ROLE_LEADER : SNAP_ROLE_REPLICA;
		m->flags = i == write ? SNAP_F_LIVE : SNAP_F_LIVE | SNAP_F_READ;
		m->weight = 100;
	}
	return s;
}

static bool parse(const char *csv, struct hap_view *v)
{
	struct snapshot s = make(A);

	return hap_parse_stat(slice_str(csv), &s, v);
}

static void states_are_found_by_column_name(void **state)
{
	static const char *const csv[] = {
	    /* 2.6's order, cut short; then another one. */
	    "# pxname,svname,qcur,qmax,status,weight,\n"
	    "main_write,psql-1,0,0,UP,1,\n"
	    "main_write,psql-2,0,0,NOLB,1,\n"
	    "main_write,psql-3,0,0,DOWN 1/2,1,\n"
	    "main_write,BACKEND,0,0,UP,1,\n"
	    "main_read,psql-1,0,0,MAINT (via main_write/psql-1),1,\n"
	    "main_read,psql-2,0,0,DRAIN (agent),1,\n"
	    "main_read,psql-3,0,0,UP 1/3,1,\n"
	    "main_read,BACKEND,0,0,UP,1,\n"
	    "mainly_read,psql-1,0,0,DOWN,1,\n"
	    "main_fallback,psql-1,0,0,no check,1,\n"
	    "main_classic_write,psql-1,0,0,UP,1,\n"
	    "main_classic_read,psql-2,0,0,UP,1,\n"
	    "main_classic_any,psql-3,0,0,DOWN,1,\n",
	    "# status,x,svname,pxname\r\n"
	    "UP,\"a,\"\"b\",psql-1,main_write\r\n"
	    "NOLB 2/3,,psql-2,main_write\r\n"
	    "DOWN,,psql-3,main_write\r\n"
	    "UP,,BACKEND,main_write\r\n"
	    "MAINT(resolution),,psql-1,main_read\r\n"
	    "DRAIN,,psql-2,main_read\r\n"
	    "\"UP\",,psql-3,main_read\r\n"
	    "DOWN,,BACKEND,main_read\r\n"
	    "DOWN,,psql-1,other_read\r\n"
	    "no check,,psql-1,main_fallback\r\n"
	    "UP 1/2,,psql-1,main_classic_write\r\n"
	    "UP,,psql-2,main_classic_read\r\n"
	    "DOWN 1/2,,psql-3,main_classic_any"};

	(void)state;
	for (size_t i = 0; i < COUNT(csv); i++) {
		struct hap_view v;

		assert_true(parse(csv[i], &v));
		assert_true(v.known);
		assert_int_equal(v.srv[HAP_WRITE][A], HAP_SRV_UP);
		assert_int_equal(v.srv[HAP_WRITE][B], HAP_SRV_NOLB);
		assert_int_equal(v.srv[HAP_WRITE][C], HAP_SRV_DOWN);
		assert_int_equal(v.srv[HAP_READ][A], HAP_SRV_MAINT);
		assert_int_equal(v.srv[HAP_READ][B], HAP_SRV_DRAIN);
		assert_int_equal(v.srv[HAP_READ][C], HAP_SRV_UP);
		assert_int_equal(v.srv[HAP_FALLBACK][A], HAP_SRV_UNCHECKED);
		assert_int_equal(v.srv[HAP_FALLBACK][B], HAP_SRV_NONE);
		assert_int_equal(v.srv[HAP_CLASSIC_WRITE][A], HAP_SRV_UP);
		assert_int_equal(v.srv[HAP_CLASSIC_WRITE][B], HAP_SRV_NONE);
		assert_int_equal(v.srv[HAP_CLASSIC_READ][B], HAP_SRV_UP);
		assert_int_equal(v.srv[HAP_CLASSIC_ANY][C], HAP_SRV_DOWN);
		assert_true(v.has[HAP_WRITE] && v.has[HAP_READ]);
		assert_false(v.has[HAP_FALLBACK]);
	}
}

static void rows_say_all_there_is(void **state)
{
	static const char csv[] =
	    "# pxname,svname,scur,status,weight,sid,check_status,check_code,"
	    "last_chk,addr\n"
	    "main_read,psql-2,3,NOLB,251,7101,L7OKC,404,\"a, b\",[::1]:5432\n"
	    "main_read,stranger,-1,UP,x,99999999999,INI,,\x01\x7f,\n";
	struct hap_view v;
	const struct hap_row *r;

	(void)state;
	assert_true(parse(csv, &v));
	assert_int_equal(v.n, 2);
	r = hap_row_of(&v, HAP_READ, "psql-2");
	assert_non_null(r);
	assert_int_equal(r->sessions, 3);
	assert_int_equal(r->weight, 251);
	assert_int_equal(r->id, 7101);
	assert_string_equal(r->status, "NOLB");
	assert_string_equal(r->check, "L7OKC/404");
	assert_string_equal(r->why, "a, b");
	assert_string_equal(r->addr, "[::1]:5432");
	r = hap_row_of(&v, HAP_READ, "stranger");
	assert_non_null(r);
	assert_int_equal(r->sessions, 0);
	assert_int_equal(r->id, 0);
	assert_string_equal(r->check, "INI");
	assert_string_equal(r->why, "??");
	assert_null(hap_row_of(&v, HAP_WRITE, "psql-2"));
}

static void what_is_no_stat_is_not_known(void **state)
{
	static const char *const odd[] = {"", "\n", "# pxname,svname\n",
	    "main_write,psql-1,UP\n", "Unknown command.\n",
	    "#pxname,svname,status\nmain_write,psql-1,UP\n"};

	(void)state;
	for (size_t i = 0; i < COUNT(odd); i++) {
		struct hap_view v;

		assert_false(parse(odd[i], &v));
		assert_false(v.known);
		assert_int_equal(v.srv[HAP_WRITE][A], HAP_SRV_NONE);
	}
}

static void unknown_state_is_there_and_left_alone(void **state)
{
	struct snapshot s = make(A);
	struct hap_view v;
	struct hap_cmds cmds;

	(void)state;
	assert_true(parse("# pxname,svname,status\n"
			  "main_write,psql-1,LIMBO\nmain_write\n,,\n",
	    &v));
	assert_int_equal(v.srv[HAP_WRITE][A], HAP_SRV_OTHER);
	hap_repair(&s, &v, &cmds);
	assert_int_equal(cmds.n, 0);
}

static void assert_lines(
    const struct hap_cmds *cmds, const char *const lines[], size_t n)
{
	assert_int_equal(cmds->n, n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(cmds->line[i], lines[i]);
}

static void move_is_in_designs_order(void **state)
{
	static const char *const lines[] = {
	    "set server main_write/psql-1 health stopping",
	    "set server main_write/psql-2 health up",
	    "set server main_read/psql-2 health stopping",
	    "shutdown sessions server main_write/psql-1",
	    "shutdown sessions server main_fallback/psql-1",
	    "shutdown sessions server main_classic_write/psql-1"};
	struct snapshot s = make(B);
	struct hap_cmds cmds;

	(void)state;
	hap_move(&s, "psql-1", &cmds);
	assert_lines(&cmds, lines, COUNT(lines));
}

static void move_from_or_to_nobody(void **state)
{
	static const char *const to[] = {
	    "set server main_write/psql-2 health up",
	    "set server main_read/psql-2 health stopping"};
	static const char *const from[] = {
	    "set server main_write/psql-1 health stopping",
	    "shutdown sessions server main_write/psql-1",
	    "shutdown sessions server main_fallback/psql-1",
	    "shutdown sessions server main_classic_write/psql-1"};
	struct snapshot s = make(B);
	struct hap_cmds cmds;

	(void)state;
	hap_move(&s, NULL, &cmds);
	assert_lines(&cmds, to, COUNT(to));
	/* The same server, confirmed anew: its own sessions stay. */
	hap_move(&s, "psql-2", &cmds);
	assert_lines(&cmds, to, COUNT(to));
	s = make(-1);
	hap_move(&s, "psql-1", &cmds);
	assert_lines(&cmds, from, COUNT(from));
}

static void observed_sessions_of_the_classic_way_stay(void **state)
{
	static const char *const lines[] = {
	    "set server main_write/psql-1 health stopping",
	    "set server main_write/psql-2 health up",
	    "set server main_read/psql-2 health stopping",
	    "shutdown sessions server main_write/psql-1",
	    "shutdown sessions server main_fallback/psql-1"};
	struct snapshot s = make(B);
	struct hap_cmds cmds;

	(void)state;
	for (int b = 0; b < HAP_PLACES_N; b++)
		assert_int_equal(is_hap_closed(&s, (enum hap_backend)b),
		    b == HAP_WRITE || b == HAP_FALLBACK ||
			b == HAP_CLASSIC_WRITE);
	s.observe = true;
	hap_move(&s, "psql-1", &cmds);
	assert_lines(&cmds, lines, COUNT(lines));
	assert_false(is_hap_closed(&s, HAP_CLASSIC_WRITE));
}

/* Members stand elsewhere in a later snapshot than that of the view. */
static void another_snapshots_view_repairs_nothing(void **state)
{
	struct snapshot s = make(A);
	struct hap_view v;
	struct hap_cmds cmds;

	(void)state;
	s.seq = 7;
	assert_true(hap_parse_stat(
	    slice_str("# pxname,svname,status\nmain_write,psql-2,UP\n"), &s,
	    &v));
	assert_true(hap_repair(&s, &v, &cmds));
	assert_int_equal(cmds.n, 1);
	s.seq = 8;
	assert_false(hap_repair(&s, &v, &cmds));
	assert_int_equal(cmds.n, 0);
}

static void odd_name_is_never_in_a_command(void **state)
{
	struct snapshot s = make(B);
	struct hap_cmds cmds;

	(void)state;
	hap_move(&s, "a/b health down;x", &cmds);
	for (unsigned i = 0; i < cmds.n; i++)
		assert_null(strchr(cmds.line[i], ';'));
	assert_int_equal(cmds.n, 2);
	(void)snprintf(s.cluster, sizeof(s.cluster), "ma;in");
	hap_move(&s, "psql-1", &cmds);
	assert_int_equal(cmds.n, 0);
}

static void repair_says_only_what_differs(void **state)
{
	static const char *const lines[] = {
	    "set server main_write/psql-1 health up",
	    "set server main_write/psql-2 health stopping",
	    "set server main_read/psql-1 health stopping",
	    "set server main_read/psql-2 health up",
	    "set server main_fallback/psql-2 health stopping"};
	struct snapshot s = make(A);
	struct hap_view v = {.known = true};
	struct hap_cmds cmds;

	(void)state;
	v.srv[HAP_WRITE][A] = HAP_SRV_NOLB;
	v.srv[HAP_WRITE][B] = HAP_SRV_UP;
	v.srv[HAP_WRITE][C] = HAP_SRV_NOLB;
	v.srv[HAP_READ][A] = HAP_SRV_DOWN;
	v.srv[HAP_READ][B] = HAP_SRV_DOWN;
	v.srv[HAP_READ][C] = HAP_SRV_UP;
	v.srv[HAP_FALLBACK][A] = HAP_SRV_UP;
	v.srv[HAP_FALLBACK][B] = HAP_SRV_UP;
	v.srv[HAP_FALLBACK][C] = HAP_SRV_UNCHECKED;
	v.srv[HAP_CLASSIC_WRITE][B] = HAP_SRV_UP;
	hap_repair(&s, &v, &cmds);
	assert_lines(&cmds, lines, COUNT(lines));
	v.known = false;
	hap_repair(&s, &v, &cmds);
	assert_int_equal(cmds.n, 0);
}

static void repair_leaves_operators_and_the_dead_alone(void **state)
{
	struct snapshot s = make(A);
	struct hap_view v = {.known = true};
	struct hap_cmds cmds;

	(void)state;
	s.m[C].flags = 0;
	v.srv[HAP_WRITE][A] = HAP_SRV_MAINT;
	v.srv[HAP_WRITE][B] = HAP_SRV_DRAIN;
	v.srv[HAP_WRITE][C] = HAP_SRV_UP;
	v.srv[HAP_READ][C] = HAP_SRV_UP;
	hap_repair(&s, &v, &cmds);
	assert_int_equal(cmds.n, 0);
}

static void checks_are_answered_by_role(void **state)
{
	struct snapshot s = make(A);

	(void)state;
	s.m[C].flags = 0;
	assert_int_equal(hap_check_code(&s, HAP_WRITE, "psql-1"), 200);
	assert_int_equal(hap_check_code(&s, HAP_WRITE, "psql-2"), 404);
	assert_int_equal(hap_check_code(&s, HAP_WRITE, "psql-3"), 503);
	assert_int_equal(hap_check_code(&s, HAP_READ, "psql-1"), 404);
	assert_int_equal(hap_check_code(&s, HAP_READ, "psql-2"), 200);
	assert_int_equal(hap_check_code(&s, HAP_READ, "psql-3"), 503);
	assert_int_equal(hap_check_code(&s, HAP_FALLBACK, "psql-1"), 200);
	assert_int_equal(hap_check_code(&s, HAP_READ, "node1"), 503);
	assert_int_equal(hap_check_code(&s, HAP_READ, ""), 503);
	s.write = -1;
	assert_int_equal(hap_check_code(&s, HAP_WRITE, "psql-1"), 404);
}

static void a_check_says_why(void **state)
{
	static const struct {
		const char *server, *why;
	} all[] = {
	    {"psql-1", "leader: holds the leader key and accepts writes"},
	    {"psql-2", "replica, 4096 bytes and 7 ms behind: fit for reads"},
	    {"psql-3", "no role: it answers neither by SQL nor by REST"},
	    {"else", "no member of this name"},
	};
	struct snapshot s = make(A);
	char why[LIM_TEXT];

	(void)state;
	s.write_why = SNAP_WHY_LEADER;
	s.m[B].why = SNAP_WHY_REPLICA;
	s.m[B].lag_bytes = 4096;
	s.m[B].lag_ms = 7;
	s.m[C].role = SNAP_ROLE_NONE;
	s.m[C].why = SNAP_WHY_SILENT;
	s.m[C].lag_bytes = SNAP_LAG_UNKNOWN;
	for (size_t i = 0; i < COUNT(all); i++) {
		hap_check_why(&s, all[i].server, why);
		assert_string_equal(why, all[i].why);
	}
}

static void commands_are_bounded(void **state)
{
	struct snapshot s = {.boot_id = 1, .write = -1, .n = LIM_MEMBERS};
	struct hap_view v = {.known = true};
	struct hap_cmds cmds;

	(void)state;
	memset(s.cluster, 'm', LIM_NAME - 1);
	for (int i = 0; i < LIM_MEMBERS; i++) {
		memset(s.m[i].server, 's', LIM_NAME - 1);
		s.m[i].server[0] = (char)('A' + i % 26);
		s.m[i].server[1] = (char)('A' + i / 26);
		s.m[i].flags = SNAP_F_LIVE;
		v.srv[HAP_WRITE][i] = v.srv[HAP_READ][i] = HAP_SRV_UP;
	}
	hap_repair(&s, &v, &cmds);
	assert_int_equal(cmds.n, 2 * LIM_MEMBERS);
	assert_true(strlen(cmds.line[0]) < LIM_TEXT - 1);
	assert_string_equal(
	    cmds.line[0] + strlen(cmds.line[0]) - 16, " health stopping");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(states_are_found_by_column_name),
	    cmocka_unit_test(rows_say_all_there_is),
	    cmocka_unit_test(what_is_no_stat_is_not_known),
	    cmocka_unit_test(unknown_state_is_there_and_left_alone),
	    cmocka_unit_test(move_is_in_designs_order),
	    cmocka_unit_test(move_from_or_to_nobody),
	    cmocka_unit_test(observed_sessions_of_the_classic_way_stay),
	    cmocka_unit_test(another_snapshots_view_repairs_nothing),
	    cmocka_unit_test(odd_name_is_never_in_a_command),
	    cmocka_unit_test(repair_says_only_what_differs),
	    cmocka_unit_test(repair_leaves_operators_and_the_dead_alone),
	    cmocka_unit_test(checks_are_answered_by_role),
	    cmocka_unit_test(a_check_says_why),
	    cmocka_unit_test(commands_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
