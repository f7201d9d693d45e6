/*
 * How well a host routes: each line of what moves the address, and what does
 * not. By the numbers of the cluster: it leaves a host for one that is better
 * by more than 50.
 */
#include "health.h"
#include "world.h"

#include <stdlib.h>

#define STICKINESS 50

static void the_host_itself(void **state)
{
	static const struct {
		struct health_in in;
		uint8_t score;
		const char *why;
	} t[] = {
	    {{true, true, true}, 100, ""},
	    {{true, false, true}, 80, "no agent has the verdict"},
	    {{true, true, false}, 80, "the DCS is out of reach"},
	    {{true, false, false}, 60,
		"no agent has the verdict; the DCS is out of reach"},
	    {{false, true, true}, 0,
		"HAProxy does not answer at its stats socket"},
	    {{false, false, false}, 0,
		"HAProxy does not answer at its stats socket; no agent has "
		"the verdict; the DCS is out of reach"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct health h = health_judge(&t[i].in);

		assert_int_equal(h.score, t[i].score);
		assert_string_equal(h.why, t[i].why);
	}
}

/* What the second and third way mend never moves the address; HAProxy's end
   does, even to a host that lacks all the rest. */
static void what_moves_the_address(void **state)
{
	struct health_in in = {true, true, true};
	unsigned best, worst, fallen;

	(void)state;
	best = health_judge(&in).score;
	in.agent = in.dcs = false;
	worst = health_judge(&in).score;
	in = (struct health_in){false, true, true};
	fallen = health_judge(&in).score;
	assert_true(worst + STICKINESS > best);
	assert_true(fallen + STICKINESS < worst);
	assert_int_equal(fallen, HEALTH_FALLEN);
}

static void members_out_of_reach(void **state)
{
	static const struct {
		const char *missing, *others;
		uint8_t from, to;
	} t[] = {
	    {"", "", 100, 100},
	    {"", "main/a main/b", 100, 100},
	    /* Nobody reaches it. */
	    {"main/b", "", 100, 100},
	    {"main/b", "main/a main/c\nmain/a", 100, 100},
	    /* One of them does. */
	    {"main/b", "main/a main/b", 100, 0},
	    {"main/b", "main/a\nmain/a main/b main/c\n", 80, 0},
	    {"main/a main/b", "\n\n main/b", 100, 0},
	    {"main/b", "main/b", 0, 0},
	    /* Another's of the same name, or the beginning of one. */
	    {"main/b", "other/b main/b2 main/ b main", 100, 100},
	    {"main/*", "main/b", 100, 100},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct health h = {.score = t[i].from};

		health_compare(
		    &h, slice_str(t[i].missing), slice_str(t[i].others));
		if (h.score != t[i].to)
			fail_msg("line %zu: %u", i, h.score);
		assert_int_equal(h.why[0] != '\0',
		    t[i].to != t[i].from ||
			(t[i].from == 0 && t[i].others[0] != '\0'));
	}
}

/* The longest names leave the sentence whole. */
static void long_names(void **state)
{
	struct health_in in = {false, false, false};
	struct health h = health_judge(&in);
	char word[4 * LIM_NAME];

	(void)state;
	memset(word, 'x', sizeof(word));
	health_compare(
	    &h, slice_of(word, sizeof(word)), slice_of(word, sizeof(word)));
	assert_int_equal(h.score, 0);
	assert_true(strlen(h.why) < sizeof(h.why));
}

static char *reached(const struct world *w, int64_t ms, bool live)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	health_members(&w->ev, &w->pol, at(ms), live, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void assert_reached(
    const struct world *w, int64_t ms, const char *live, const char *away)
{
	char *is = reached(w, ms, true), *isnt = reached(w, ms, false);

	assert_string_equal(is, live);
	assert_string_equal(isnt, away);
	free(is);
	free(isnt);
}

/* SQL or REST, either will do; that nobody leads costs nothing. */
static void who_is_reached(void **state)
{
	static struct world w;

	(void)state;
	world_init(&w, 3);
	world_key(&w, A, at(0));
	world_run(&w, 0, 3000);
	assert_reached(&w, 3000, "main/a main/b main/c", "");
	w.peer[B].sql = EV_RC_TIMEOUT;
	w.peer[C].sql = w.peer[C].rest = EV_RC_TIMEOUT;
	world_run(&w, 3500, 8000);
	assert_reached(&w, 8000, "main/a main/b", "main/c");
	w.peer[C].rest = EV_RC_OK;
	world_key(&w, -1, at(8500));
	w.peer[A].primary = false;
	world_run(&w, 8500, 12000);
	assert_int_equal(w.v.write, -1);
	assert_reached(&w, 12000, "main/a main/b main/c", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_host_itself),
	    cmocka_unit_test(what_moves_the_address),
	    cmocka_unit_test(members_out_of_reach),
	    cmocka_unit_test(long_names),
	    cmocka_unit_test(who_is_reached),
	};

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
