/*
 * test_hapfind.c - who joins, leaves or moves, and what HAProxy is told.
 */
#include "world.h"

#include "hapfind.h"

/* node1..node3, of which HAProxy's file has the first two. */
struct site {
	struct snapshot snap;
	struct hap_view view;
	struct hap_found found[LIM_MEMBERS];
	struct hap_words words;
	struct hap_memory mem;
	struct hap_cmds out;
	bool may_leave;
	int64_t now_ms;
};

static void row(
    struct site *t, enum hap_backend b, const char *server, const char *addr)
{
	struct hap_row *r = &t->view.row[t->view.n++];

	*r = (struct hap_row){
	    .backend = b, .state = HAP_SRV_UP, .weight = 1, .id = 1};
	(void)snprintf(r->server, sizeof(r->server), "%s", server);
	(void)snprintf(r->addr, sizeof(r->addr), "%s", addr);
}

static struct site *make(int members)
{
	struct site *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->view.known = true;
	t->words = (struct hap_words){.check_addr = "127.0.0.1",
	    .check_port = 7100,
	    .fallback_max = 100,
	    .ca = "",
	    .pem = ""};
	(void)snprintf(t->snap.cluster, LIM_NAME, "main");
	t->snap.n = (uint8_t)members;
	t->may_leave = true;
	t->now_ms = 1000000;
	for (int i = 0; i < members; i++) {
		(void)snprintf(t->snap.m[i].server, LIM_NAME, "psql-%d", i + 1);
		(void)snprintf(t->found[i].addr, LIM_ADDR, "10.0.0.%d", i + 1);
		t->found[i].port = 5432;
		t->found[i].rest_port = 8008;
	}
	return t;
}

static bool find(struct site *t)
{
	const struct hap_find_in in = {.snap = &t->snap,
	    .view = &t->view,
	    .found = t->found,
	    .words = &t->words,
	    .may_leave = t->may_leave,
	    .patience = dur_ms(60000)};

	t->out.n = 0;
	return hap_find(&in, (struct mono){t->now_ms * 1000}, &t->mem, &t->out);
}

static void see(struct site *t, const char *const lines[], size_t n)
{
	assert_int_equal(t->out.n, n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(t->out.line[i], lines[i]);
}

static void a_member_that_joins_is_added(void **state)
{
	static const char *const lines[] = {
	    "add server main_read/psql-2 10.0.0.2:5432 check addr 127.0.0.1 "
	    "port 7100 inter 1s fastinter 500ms downinter 200ms rise 1 fall 3 "
	    "id 7100 weight 251",
	    "enable health main_read/psql-2",
	    "set server main_read/psql-2 state ready",
	    "set server main_read/psql-2 health stopping",
	    "set server main_read/psql-2 weight 1"};
	struct site *t = make(2);

	(void)state;
	t->view.has[HAP_READ] = true;
	row(t, HAP_READ, "psql-1", "10.0.0.1:5432");
	assert_true(find(t));
	see(t, lines, COUNT(lines));
	row(t, HAP_READ, "psql-2", "10.0.0.2:5432");
	t->view.row[1].id = HAP_OURS;
	assert_false(find(t));
	assert_int_equal(t->out.n, 0);
	free(t);
}

static void each_backend_has_its_own_words(void **state)
{
	static const struct {
		enum hap_backend b;
		const char *line, *health;
	} all[] = {
	    {HAP_FALLBACK,
		"add server main_fallback/psql-1 [fd00::1]:5432 check addr "
		"127.0.0.1 port 7100 inter 1s fastinter 500ms downinter 200ms "
		"rise 1 fall 3 maxconn 100 send-proxy-v2 id 7100 weight 251",
		"set server main_fallback/psql-1 health stopping"},
	    {HAP_CLASSIC_WRITE,
		"add server main_classic_write/psql-1 [fd00::1]:5432 check "
		"addr 10.0.0.8 port 8008 inter 1s fastinter 500ms rise 1 fall "
		"2 on-marked-down shutdown-sessions check-ssl verify required "
		"ca-file /ca.pem crt /own.pem send-proxy-v2 id 7100 weight "
		"251",
		"set server main_classic_write/psql-1 health down"},
	};
	struct site *t = make(1);

	(void)state;
	(void)snprintf(t->found[0].addr, LIM_ADDR, "fd00::1");
	(void)snprintf(t->found[0].rest_addr, LIM_ADDR, "10.0.0.8");
	t->found[0].rest_tls = true;
	t->words.ca = "/ca.pem";
	t->words.pem = "/own.pem";
	t->words.send_proxy = true;
	for (size_t i = 0; i < COUNT(all); i++) {
		memset(t->view.has, 0, sizeof(t->view.has));
		t->view.has[all[i].b] = true;
		assert_true(find(t));
		assert_string_equal(t->out.line[0], all[i].line);
		assert_string_equal(t->out.line[3], all[i].health);
	}
	/* Where Patroni is asked is not known: the third way does without. */
	t->found[0].rest_port = 0;
	assert_false(find(t));
	free(t);
}

static void ids_are_not_used_twice(void **state)
{
	struct site *t = make(3);

	(void)state;
	t->view.has[HAP_READ] = true;
	row(t, HAP_READ, "psql-1", "10.0.0.1:5432");
	row(t, HAP_READ, "psql-2", "10.0.0.2:5432");
	t->view.row[0].id = HAP_OURS;
	t->view.row[1].id = HAP_OURS + 2;
	assert_true(find(t));
	assert_non_null(strstr(t->out.line[0], " id 7101 "));
	free(t);
}

static void one_that_leaves_is_drained_and_removed(void **state)
{
	static const char *const drain[] = {
	    "set server main_read/psql-9 weight 251",
	    "set server main_read/psql-9 state drain"};
	static const char *const gone[] = {
	    "set server main_read/psql-9 state maint",
	    "del server main_read/psql-9"};
	static const char *const cut[] = {
	    "set server main_read/psql-9 state maint",
	    "shutdown sessions server main_read/psql-9"};
	struct site *t = make(1);
	struct hap_row *r;

	(void)state;
	t->view.has[HAP_READ] = true;
	row(t, HAP_READ, "psql-1", "10.0.0.1:5432");
	row(t, HAP_READ, "psql-9", "10.0.0.9:5432");
	r = &t->view.row[1];
	/* The file's own stays. */
	assert_false(find(t));
	assert_int_equal(t->out.n, 0);
	r->id = HAP_OURS + 3;
	/* Nobody leaves while the DCS is out of reach. */
	t->may_leave = false;
	assert_false(find(t));
	assert_int_equal(t->out.n, 0);
	t->may_leave = true;
	assert_false(find(t));
	see(t, drain, COUNT(drain));
	r->state = HAP_SRV_DRAIN;
	r->weight = HAP_OURS_OUT;
	r->sessions = 2;
	assert_false(find(t));
	assert_int_equal(t->out.n, 0);
	r->sessions = 0;
	assert_false(find(t));
	see(t, gone, COUNT(gone));
	r->sessions = 2;
	t->now_ms += 61000;
	assert_false(find(t));
	see(t, cut, COUNT(cut));
	free(t);
}

static void an_operators_maint_outlives_the_member(void **state)
{
	static const enum hap_srv_state taken_out[] = {
	    HAP_SRV_MAINT, HAP_SRV_DRAIN};
	struct site *t = make(1);

	(void)state;
	t->view.has[HAP_READ] = true;
	row(t, HAP_READ, "psql-1", "10.0.0.1:5432");
	row(t, HAP_READ, "psql-9", "10.0.0.9:5432");
	t->view.row[1].id = HAP_OURS;
	for (size_t i = 0; i < COUNT(taken_out); i++) {
		t->view.row[1].state = taken_out[i];
		assert_false(find(t));
		assert_int_equal(t->out.n, 0);
	}
	t->view.row[1].state = HAP_SRV_NOLB;
	assert_false(find(t));
	assert_int_equal(t->out.n, 2);
	free(t);
}

static void one_that_comes_back_is_taken_up(void **state)
{
	static const char *const lines[] = {"enable health main_write/psql-1",
	    "set server main_write/psql-1 state ready",
	    "set server main_write/psql-1 health stopping",
	    "set server main_write/psql-1 weight 1"};
	struct site *t = make(1);

	(void)state;
	t->view.has[HAP_WRITE] = true;
	row(t, HAP_WRITE, "psql-1", "10.0.0.1:5432");
	t->view.row[0].id = HAP_OURS;
	t->view.row[0].weight = HAP_OURS_OUT;
	t->view.row[0].state = HAP_SRV_MAINT;
	assert_true(find(t));
	see(t, lines, COUNT(lines));
	/* An operator's maint has the server's own weight. */
	t->view.row[0].weight = 1;
	assert_false(find(t));
	assert_int_equal(t->out.n, 0);
	free(t);
}

static void an_address_is_followed_where_it_was_the_members(void **state)
{
	static const char *const lines[] = {
	    "set server main_read/psql-1 addr 10.0.0.77 port 6432"};
	struct site *t = make(2);

	(void)state;
	t->view.has[HAP_READ] = true;
	row(t, HAP_READ, "psql-1", "10.0.0.1:5432");
	row(t, HAP_READ, "psql-2", "10.9.9.9:6432");
	assert_false(find(t));
	assert_int_equal(t->out.n, 0);
	(void)snprintf(t->found[0].addr, LIM_ADDR, "10.0.0.77");
	t->found[0].port = 6432;
	assert_false(find(t));
	see(t, lines, COUNT(lines));
	/* A reload brings the file's address back, and an operator another. */
	(void)snprintf(t->view.row[0].addr, HAP_ADDR, "10.0.0.77:6432");
	assert_false(find(t));
	assert_int_equal(t->out.n, 0);
	(void)snprintf(t->view.row[0].addr, HAP_ADDR, "10.0.0.1:5432");
	assert_false(find(t));
	see(t, lines, COUNT(lines));
	(void)snprintf(t->view.row[0].addr, HAP_ADDR, "10.0.0.1:6432");
	assert_false(find(t));
	assert_int_equal(t->out.n, 0);
	/* One that was added is the prober's anyway. */
	t->view.row[1].id = HAP_OURS;
	memset(&t->mem, 0, sizeof(t->mem));
	assert_false(find(t));
	assert_int_equal(t->out.n, 1);
	assert_string_equal(t->out.line[0],
	    "set server main_read/psql-2 addr 10.0.0.2 port 5432");
	free(t);
}

static void strange_names_and_addresses_are_not_said(void **state)
{
	static const char *const name[] = {
	    "a b", "a;b", "a/b", "a\nb", "\xc3\xa9", ""};
	static const char *const addr[] = {
	    "10.0.0.1;quit", "unix@/x", "host", "10.0.0.1 weight 9", ""};
	struct site *t = make(2);

	(void)state;
	t->view.has[HAP_READ] = true;
	t->snap.n = 1;
	for (size_t i = 0; i < COUNT(name); i++) {
		(void)snprintf(t->snap.m[0].server, LIM_NAME, "%s", name[i]);
		(void)find(t);
		assert_int_equal(t->out.n, 0);
	}
	(void)snprintf(t->snap.m[0].server, LIM_NAME, "psql-1");
	for (size_t i = 0; i < COUNT(addr); i++) {
		(void)snprintf(t->found[0].addr, LIM_ADDR, "%s", addr[i]);
		assert_false(find(t));
		assert_int_equal(t->out.n, 0);
	}
	/* Two members of one name: the first has it. */
	(void)snprintf(t->found[0].addr, LIM_ADDR, "10.0.0.1");
	t->snap.n = 2;
	(void)snprintf(t->snap.m[1].server, LIM_NAME, "psql-1");
	assert_true(find(t));
	assert_int_equal(t->out.n, 5);
	free(t);
}

static void all_at_once_is_bounded(void **state)
{
	struct site *t = make(LIM_MEMBERS);

	(void)state;
	for (int b = 0; b < HAP_PLACES_N; b++)
		t->view.has[b] = true;
	assert_true(find(t));
	assert_in_range(t->out.n, LIM_HAP_CMDS - 5, LIM_HAP_CMDS);
	/* No server is left half-way. */
	assert_int_equal(t->out.n % 5, 0);
	for (unsigned i = 0; i < t->out.n; i++)
		assert_int_equal(t->out.joined[i], i % 5 != 0);
	t->view.known = false;
	assert_false(find(t));
	assert_int_equal(t->out.n, 0);
	free(t);
}

/* Room for `left` commands more, and the member's server comes back. */
static void find_with_room_for(struct site *t, unsigned left)
{
	const struct hap_find_in in = {.snap = &t->snap,
	    .view = &t->view,
	    .found = t->found,
	    .words = &t->words,
	    .may_leave = true,
	    .patience = dur_ms(60000)};

	t->out.n = LIM_HAP_CMDS - left;
	(void)hap_find(&in, (struct mono){1000000}, &t->mem, &t->out);
}

static void a_server_is_told_all_or_nothing(void **state)
{
	struct site *t = make(1);

	(void)state;
	t->view.has[HAP_WRITE] = true;
	row(t, HAP_WRITE, "psql-1", "10.0.0.1:5432");
	t->view.row[0].id = HAP_OURS;
	t->view.row[0].weight = HAP_OURS_OUT;
	for (unsigned left = 0; left < 4; left++) {
		find_with_room_for(t, left);
		assert_int_equal(t->out.n, LIM_HAP_CMDS - left);
	}
	find_with_room_for(t, 4);
	assert_int_equal(t->out.n, LIM_HAP_CMDS);
	/* Who leaves is drained as soon as it has that weight. */
	t->view.row[0].weight = 1;
	(void)snprintf(t->view.row[0].server, LIM_NAME, "psql-9");
	t->view.has[HAP_WRITE] = false;
	find_with_room_for(t, 1);
	assert_int_equal(t->out.n, LIM_HAP_CMDS - 1);
	/* Words of the configuration do not end a command, nor part any. */
	t->view.n = 0;
	t->view.has[HAP_CLASSIC_WRITE] = true;
	t->found[0].rest_tls = true;
	t->words.ca = "/a;b.pem";
	assert_false(find(t));
	assert_int_equal(t->out.n, 0);
	free(t);
}

/* One cluster more, whose servers HAProxy has all still to get. */
static void find_in(struct site *t, unsigned cluster)
{
	const struct hap_find_in in = {.snap = &t->snap,
	    .view = &t->view,
	    .found = t->found,
	    .words = &t->words};

	(void)snprintf(t->snap.cluster, LIM_NAME, "cluster-%u", cluster);
	(void)hap_find(&in, (struct mono){1000000}, &t->mem, &t->out);
}

/* Wherever the line ends, it ends between two servers. */
static void a_line_is_never_cut_within_a_server(void **state)
{
	struct site *t = make(4);
	unsigned parted = 0;

	(void)state;
	for (int b = 0; b < HAP_BACKEND_N; b++)
		t->view.has[b] = true;
	for (unsigned c = 0; c < 20; c++)
		find_in(t, c);
	assert_in_range(t->out.n, LIM_HAP_CMDS - 5, LIM_HAP_CMDS);
	for (size_t bytes = 0, used = 0, whole = 0, i = 0; bytes < 12000;
	     bytes++) {
		unsigned fit = hap_fit(&t->out, bytes);

		for (; i < t->out.n &&
		     used + strlen(t->out.line[i]) + (i > 0) <= bytes;
		     i++)
			used += strlen(t->out.line[i]) + (i > 0);
		whole = i / 5 * 5;
		parted += i != whole;
		assert_int_equal(fit, whole);
	}
	assert_in_range(parted, 1, 12000);
	t->out.n = 0;
	assert_int_equal(hap_fit(&t->out, 12000), 0);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_member_that_joins_is_added),
	    cmocka_unit_test(each_backend_has_its_own_words),
	    cmocka_unit_test(ids_are_not_used_twice),
	    cmocka_unit_test(one_that_leaves_is_drained_and_removed),
	    cmocka_unit_test(one_that_comes_back_is_taken_up),
	    cmocka_unit_test(an_address_is_followed_where_it_was_the_members),
	    cmocka_unit_test(strange_names_and_addresses_are_not_said),
	    cmocka_unit_test(all_at_once_is_bounded),
	    cmocka_unit_test(an_operators_maint_outlives_the_member),
	    cmocka_unit_test(a_server_is_told_all_or_nothing),
	    cmocka_unit_test(a_line_is_never_cut_within_a_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
