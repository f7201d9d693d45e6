/* The hold: order, pace, turns, time, and what leaves in between. */
#include "unit.h"

#include "hold.h"

static struct hold h;

static struct mono at_ms(int64_t ms)
{
	return mono_add((struct mono){1000000}, dur_ms(ms));
}

static void add(uint16_t queue, uint32_t conn, uint64_t id, int64_t ms)
{
	struct hold_stream s = {{conn, 1}, id, 1, {0}};

	hold_add(&h, queue, &s, at_ms(ms), dur_ms(10000));
}

/* Releases what may go at that time; gives how many, checks their order. */
static unsigned release(int64_t ms, uint64_t *next)
{
	struct hold_entry *e;
	unsigned n = 0;

	while ((e = hold_look(&h, at_ms(ms))) != NULL) {
		assert_true(e->s.stream_id == *next);
		(*next)++;
		n++;
		hold_done(&h, e);
	}
	return n;
}

static void in_order_and_at_the_pace(void **state)
{
	uint64_t next = 0;
	unsigned sum;

	(void)state;
	hold_init(&h, 1000, 500);
	for (uint64_t i = 0; i < 100; i++)
		add(3, 1, i, 0);
	/* Nothing changed: nobody is looked at. */
	assert_null(hold_look(&h, at_ms(1)));
	assert_true(hold_pause(&h, at_ms(1)).us < 0);
	hold_scan(&h, 3);
	sum = release(5, &next);
	assert_int_equal(sum, 10); /* 20 ms of 500 a second, at once */
	assert_true(hold_pause(&h, at_ms(5)).us > 0);
	assert_true(hold_pause(&h, at_ms(5)).us <= 2001);
	assert_int_equal(release(6, &next), 0);
	assert_int_equal(release(7, &next), 1);
	assert_int_equal(release(11, &next), 2);
	for (int64_t ms = 12; h.n > 0; ms++) {
		assert_true(ms < 200);
		sum = release(ms, &next);
		assert_true(sum <= 1);
	}
	assert_int_equal(next, 100);
	assert_false(is_hold_scanning(&h, 3));
}

static void a_long_pause_saves_no_more_than_the_burst(void **state)
{
	uint64_t next = 0;

	(void)state;
	hold_init(&h, 1000, 500);
	for (uint64_t i = 0; i < 50; i++)
		add(0, 1, i, 0);
	hold_scan(&h, 0);
	assert_int_equal(release(1, &next), 10);
	assert_int_equal(release(60000, &next), 10);
	/* A rate of less than one in 20 ms lets one go at a time. */
	hold_init(&h, 1000, 1);
	next = 0;
	for (uint64_t i = 0; i < 3; i++)
		add(0, 1, i, 0);
	hold_scan(&h, 0);
	assert_int_equal(release(0, &next), 1);
	assert_int_equal(release(999, &next), 0);
	assert_int_equal(release(1001, &next), 1);
}

/* Who cannot go yet keeps its place and is passed; later ones may go. */
static void some_stay(void **state)
{
	struct hold_entry *e;
	uint64_t seen = 0;

	(void)state;
	hold_init(&h, 10, 1000000);
	for (uint64_t i = 0; i < 6; i++)
		add(0, 1, i, 0);
	hold_scan(&h, 0);
	while ((e = hold_look(&h, at_ms(1))) != NULL) {
		assert_true(e->s.stream_id == seen++);
		if (e->s.stream_id % 2 == 0)
			hold_pass(&h, e);
		else
			hold_done(&h, e);
	}
	assert_int_equal(seen, 6);
	assert_int_equal(h.n, 3);
	hold_scan(&h, 0);
	for (uint64_t i = 0; i < 6; i += 2) {
		e = hold_look(&h, at_ms(2));
		assert_non_null(e);
		assert_true(e->s.stream_id == i);
		hold_done(&h, e);
	}
	assert_null(hold_look(&h, at_ms(2)));
}

/* Who comes while others are being released stands behind them. */
static void late_comers(void **state)
{
	uint64_t next = 0;

	(void)state;
	hold_init(&h, 100, 50);
	for (uint64_t i = 0; i < 5; i++)
		add(0, 1, i, 0);
	hold_scan(&h, 0);
	assert_int_equal(release(0, &next), 1);
	assert_true(is_hold_scanning(&h, 0));
	add(0, 1, 5, 1);
	for (int64_t ms = 20; ms < 200; ms += 20)
		(void)release(ms + 1, &next);
	assert_int_equal(next, 6);
}

static void clusters_take_turns(void **state)
{
	struct hold_entry *e;
	unsigned first[3] = {0};

	(void)state;
	hold_init(&h, 1000, 1500);
	for (uint64_t i = 0; i < 100; i++) {
		for (uint16_t q = 0; q < 3; q++)
			add((uint16_t)(q * 100), 1, i, 0);
	}
	for (uint16_t q = 0; q < 3; q++)
		hold_scan(&h, (uint16_t)(q * 100));
	while ((e = hold_look(&h, at_ms(1))) != NULL) {
		first[e->queue / 100]++;
		hold_done(&h, e);
	}
	for (unsigned q = 0; q < 3; q++)
		assert_int_equal(first[q], 10);
}

static void time_is_over(void **state)
{
	struct hold_entry *e;
	unsigned n = 0;

	(void)state;
	hold_init(&h, 100, 500);
	for (uint64_t i = 0; i < 20; i++)
		add((uint16_t)(i % 2), 1, i, (int64_t)i * 10);
	assert_null(hold_expired(&h, at_ms(9999)));
	while ((e = hold_expired(&h, at_ms(10090))) != NULL) {
		assert_true(e->s.stream_id <= 9);
		hold_drop(&h, e);
		n++;
	}
	assert_int_equal(n, 10);
	assert_int_equal(h.n, 10);
	assert_non_null(hold_expired(&h, at_ms(10100)));
}

static void full(void **state)
{
	(void)state;
	hold_init(&h, 2, 500);
	assert_false(is_hold_full(&h));
	add(0, 1, 1, 0);
	add(1, 1, 2, 0);
	assert_true(is_hold_full(&h));
	hold_drop(&h, hold_first(&h, 0));
	assert_false(is_hold_full(&h));
	/* A reload may lower the bound below those who wait. */
	hold_limit(&h, 0, 500);
	assert_true(is_hold_full(&h));
	hold_init(&h, LIM_HELD, 500);
	for (uint32_t i = 0; i < LIM_HELD; i++)
		add((uint16_t)(i % LIM_CLUSTERS), i, i, 0);
	assert_true(is_hold_full(&h));
}

static void connections_end(void **state)
{
	struct hold_stream s = {{7, 1}, 3, 1, {0}};
	uint64_t next = 0;

	(void)state;
	hold_init(&h, 100, 1000000);
	for (uint64_t i = 0; i < 10; i++)
		add(0, i % 2 == 0 ? 7 : 8, i, 0);
	/* Another generation of the same number is another connection. */
	hold_drop_conn(&h, (struct conn_ref){7, 2});
	assert_int_equal(h.n, 10);
	hold_scan(&h, 0);
	/* The one under the cursor goes too. */
	hold_drop_conn(&h, (struct conn_ref){7, 1});
	assert_int_equal(h.n, 5);
	s.conn.index = 8;
	hold_drop_stream(&h, &s);
	assert_int_equal(h.n, 4);
	for (uint64_t id = 1; h.n > 0; id += 2) {
		if (id == 3)
			continue;
		next = id;
		struct hold_entry *e = hold_look(&h, at_ms(1));
		assert_non_null(e);
		assert_true(e->s.stream_id == next);
		hold_done(&h, e);
	}
}

/* A million steps against a plain array that does the same slowly. */
struct model {
	uint64_t id[64];
	unsigned n;
};

static void model_drop(struct model *m, uint64_t id)
{
	for (unsigned i = 0; i < m->n; i++) {
		if (m->id[i] != id)
			continue;
		memmove(&m->id[i], &m->id[i + 1],
		    (m->n - i - 1) * sizeof(m->id[0]));
		m->n--;
		return;
	}
	fail();
}

static void as_a_plain_list(void **state)
{
	uint64_t seed = unit_seed(), id = 0;
	struct model m[4] = {0};

	(void)state;
	hold_init(&h, 64, 1000000);
	for (unsigned step = 0; step < 300000; step++) {
		uint16_t q = (uint16_t)(unit_random(&seed) % 4);
		int64_t ms = step / 8;
		struct hold_entry *e;

		switch (unit_random(&seed) % 4) {
		case 0:
		case 1:
			if (is_hold_full(&h))
				break;
			add(q, (uint32_t)(id % 5), id, ms);
			m[q].id[m[q].n++] = id++;
			break;
		case 2:
			hold_scan(&h, q);
			break;
		default:
			e = hold_look(&h, at_ms(ms));
			if (e == NULL)
				break;
			if (unit_random(&seed) % 2 == 0) {
				hold_pass(&h, e);
				break;
			}
			model_drop(&m[e->queue], e->s.stream_id);
			hold_done(&h, e);
			break;
		}
		e = hold_first(&h, q);
		for (unsigned i = 0; i < m[q].n; i++) {
			assert_non_null(e);
			assert_true(e->s.stream_id == m[q].id[i]);
			e = hold_next(&h, e);
		}
		assert_null(e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_order_and_at_the_pace),
	    cmocka_unit_test(a_long_pause_saves_no_more_than_the_burst),
	    cmocka_unit_test(some_stay),
	    cmocka_unit_test(late_comers),
	    cmocka_unit_test(clusters_take_turns),
	    cmocka_unit_test(time_is_over),
	    cmocka_unit_test(full),
	    cmocka_unit_test(connections_end),
	    cmocka_unit_test(as_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
