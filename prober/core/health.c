/*
 * health.c - see health.h. Called for /health and by `--health`.
 */
#include "health.h"

#include <assert.h>
#include <string.h>

/* Of CLUSTER/MEMBER: the sentence around it fits as well. */
#define WORD_SHOWN ((size_t)2 * LIM_NAME)

static void cost(struct health *h, uint8_t points, const char *why)
{
	size_t n = strlen(h->why);

	h->score =
	    points < h->score ? (uint8_t)(h->score - points) : HEALTH_FALLEN;
	(void)snprintf(
	    h->why + n, sizeof(h->why) - n, "%s%s", n > 0 ? "; " : "", why);
}

struct health health_judge(const struct health_in *in)
{
	struct health h = {.score = HEALTH_BEST};

	assert(in != NULL);
	if (!in->haproxy)
		cost(&h, HEALTH_BEST,
		    "HAProxy does not answer at its stats socket");
	if (!in->agent)
		cost(&h, HEALTH_AGENT_COSTS, "no agent has the verdict");
	if (!in->dcs)
		cost(&h, HEALTH_DCS_COSTS, "the DCS is out of reach");
	return h;
}

void health_members(const struct cluster_ev *ev, const struct policy *pol,
    struct mono now, bool live, FILE *out)
{
	assert(
	    ev != NULL && pol != NULL && out != NULL && ev->n <= LIM_MEMBERS);
	for (uint8_t i = 0; i < ev->n; i++) {
		if (is_ev_member(ev, i, now) &&
		    is_ev_live(ev, i, pol, now) == live)
			(void)fprintf(out, "%s%s/%s", ftell(out) > 0 ? " " : "",
			    ev->name, ev->m[i].dcs.name);
	}
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Takes the first word off *s. Gives: an empty one at the end. */
static struct slice next_word(struct slice *s)
{
	struct slice word;
	size_t n = 0;

	while (s->len > 0 && is_blank(s->p[0]))
		*s = slice_skip(*s, 1);
	while (n < s->len && !is_blank(s->p[n]))
		n++;
	word = slice_of(s->p, n);
	*s = slice_skip(*s, n);
	return word;
}

static bool has_word(struct slice list, struct slice word)
{
	struct slice one;

	while ((one = next_word(&list)).len > 0) {
		if (one.len == word.len && memcmp(one.p, word.p, one.len) == 0)
			return true;
	}
	return false;
}

void health_compare(struct health *h, struct slice missing, struct slice others)
{
	struct slice word;
	char why[LIM_TEXT];

	assert(h != NULL);
	while ((word = next_word(&missing)).len > 0) {
		if (!has_word(others, word))
			continue;
		(void)snprintf(why, sizeof(why),
		    "%.*s is out of reach, and other hosts reach it",
		    (int)(word.len < WORD_SHOWN ? word.len : WORD_SHOWN),
		    (const char *)word.p);
		cost(h, HEALTH_BEST, why);
		return;
	}
}
