/*
 * num.c - numbers, durations and sizes from text; see num.h.
 *
 * Every product and sum is checked before it is formed.
 */
#include "num.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* Digits at the front of s. Gives how many; 0 for none or too large. */
static size_t digits(struct slice s, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
		unsigned d = (unsigned)(s.p[i] - '0');

		if (v > (UINT64_MAX - d) / 10)
			return 0;
		v = v * 10 + d;
	}
	*out = v;
	return i;
}

/* A number and one of `units`, which a unit without a name ends. */
static bool with_unit(struct slice s, const struct unit *units, uint64_t *out)
{
	uint64_t v;
	size_t n = digits(s, &v);
	struct slice rest;

	if (n == 0)
		return false;
	rest = slice_skip(s, n);
	for (; units->name != NULL; units++) {
		if (!is_slice_eq(rest, units->name))
			continue;
		if (v > UINT64_MAX / units->factor)
			return false;
		*out = v * units->factor;
		return true;
	}
	return false;
}

bool num_u64(struct slice s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v;
	size_t n;

	assert(out != NULL && min <= max);
	n = digits(s, &v);
	if (n == 0 || n != s.len || v < min || v > max)
		return false;
	*out = v;
	return true;
}

bool num_dur(struct slice s, struct dur min, struct dur max, struct dur *out)
{
	/* PostgreSQL manual, "Parameter Names and Values". */
	static const struct unit units[] = {{"us", 1}, {"ms", 1000},
	    {"s", 1000000}, {"min", 60000000}, {"h", 3600000000},
	    {"d", 86400000000}, {NULL, 0}};
	uint64_t v;

	assert(out != NULL && min.us <= max.us);
	if (!with_unit(s, units, &v) || v > INT64_MAX)
		return false;
	if ((int64_t)v < min.us || (int64_t)v > max.us)
		return false;
	*out = dur_us((int64_t)v);
	return true;
}

bool num_size(struct slice s, uint64_t min, uint64_t max, uint64_t *out)
{
	static const struct unit units[] = {{"B", 1}, {"kB", 1ULL << 10},
	    {"MB", 1ULL << 20}, {"GB", 1ULL << 30}, {"TB", 1ULL << 40},
	    {NULL, 0}};
	uint64_t v;

	assert(out != NULL && min <= max);
	if (!with_unit(s, units, &v) || v < min || v > max)
		return false;
	*out = v;
	return true;
}
