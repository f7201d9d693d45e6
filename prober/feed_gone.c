/*
 * feed_gone.c - see feed_gone.h. Called by feed.c; no I/O.
 */
#include "feed_gone.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void feed_gone_init(struct feed_gone *g, uint16_t cluster_n)
{
	assert(g != NULL && cluster_n <= LIM_CLUSTERS);
	memset(g, 0, sizeof(*g));
	g->cluster_n = cluster_n;
}

void feed_gone_end(struct feed_gone *g)
{
	assert(g != NULL);
	for (unsigned i = 0; i < LIM_FEED_CLIENTS; i++) {
		free(g->of[i].observed);
		g->of[i].observed = NULL;
	}
}

void feed_gone_add(struct feed_observed *to, const struct feed_observed *n)
{
	for (int k = 0; k < OBSERVE_KINDS; k++) {
		to->same[k] += n->same[k];
		to->differs[k] += n->differs[k];
	}
}

static void raise_to(uint64_t *to, uint64_t n)
{
	if (*to < n)
		*to = n;
}

void feed_gone_raise(
    struct feed_observed *to, const struct feed_observed *from, uint16_t n)
{
	assert(to != NULL && from != NULL);
	for (uint16_t i = 0; i < n; i++)
		for (int k = 0; k < OBSERVE_KINDS; k++) {
			raise_to(&to[i].same[k], from[i].same[k]);
			raise_to(&to[i].differs[k], from[i].differs[k]);
		}
}

void feed_gone_keep(
    struct feed_gone *g, uint64_t boot_id, struct feed_observed *observed)
{
	unsigned at;

	assert(g != NULL);
	if (observed == NULL)
		return;
	at = g->next;
	g->next = (at + 1) % LIM_FEED_CLIENTS;
	for (uint16_t i = 0; g->of[at].observed != NULL && i < g->cluster_n;
	     i++)
		feed_gone_add(&g->sum[i], &g->of[at].observed[i]);
	free(g->of[at].observed);
	g->of[at].boot_id = boot_id;
	g->of[at].observed = observed;
}

struct feed_observed *feed_gone_back(struct feed_gone *g, uint64_t boot_id)
{
	assert(g != NULL);
	for (unsigned i = 0; i < LIM_FEED_CLIENTS; i++) {
		struct feed_observed *found = g->of[i].observed;

		if (found == NULL || g->of[i].boot_id != boot_id)
			continue;
		g->of[i].observed = NULL;
		return found;
	}
	return NULL;
}

void feed_gone_sum(
    const struct feed_gone *g, uint16_t cluster, struct feed_observed *out)
{
	assert(g != NULL && out != NULL && cluster < g->cluster_n);
	feed_gone_add(out, &g->sum[cluster]);
	for (unsigned i = 0; i < LIM_FEED_CLIENTS; i++)
		if (g->of[i].observed != NULL)
			feed_gone_add(out, &g->of[i].observed[cluster]);
}
