/* load_hist.c - see load_hist.h. */
#include "load_hist.h"

static unsigned bucket_of(uint64_t ns)
{
	unsigned power = 0, i;

	while (ns >> power >= HIST_SUB * 2)
		power++;
	i = power * HIST_SUB + (unsigned)(ns >> power);
	return i < HIST_N ? i : HIST_N - 1;
}

static double bucket_us(unsigned i)
{
	unsigned power;

	if (i < HIST_SUB * 2)
		return i / 1e3;
	power = i / HIST_SUB - 1;
	return (double)((uint64_t)(i - power * HIST_SUB) << power) / 1e3;
}

void hist_add(struct hist *h, int64_t us)
{
	h->n[bucket_of(us > 0 ? (uint64_t)us * 1000 : 0)]++;
}

double hist_at(const struct hist *h, double p)
{
	uint64_t all = 0, sum = 0;

	for (unsigned i = 0; i < HIST_N; i++)
		all += h->n[i];
	for (unsigned i = 0; i < HIST_N && all > 0; i++) {
		sum += h->n[i];
		if ((double)sum >= p * (double)all)
			return bucket_us(i);
	}
	return 0;
}

void hist_print(const struct hist *h, FILE *out)
{
	const char *sep = "";

	(void)fputc('[', out);
	for (unsigned i = 0; i < HIST_N; i++) {
		if (h->n[i] == 0)
			continue;
		(void)fprintf(out, "%s[%.1f, %llu]", sep, bucket_us(i),
		    (unsigned long long)h->n[i]);
		sep = ", ";
	}
	(void)fputc(']', out);
}
