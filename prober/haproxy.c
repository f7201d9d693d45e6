/*
 * haproxy.c - the HAProxies of this host: each has its pass (happass: what it
 * says of its servers, repairs, discovery) and its moves (hapmove); the old
 * processes of each master are hapold's. Each conversation has connections of
 * its own, so that none waits for another, and a HAProxy that is away, frozen
 * or reloaded keeps nobody from the others.
 * Source: design, "HAProxy"; facts measured on 2.6.12.
 */
#include "haproxy.h"

#include <assert.h>
#include <ev.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "cluster.h"
#include "hapcull.h"
#include "hapmove.h"
#include "hapold.h"
#include "happass.h"
#include "haptext.h"
#include "log.h"

#define HAPROXY_MAGIC 0x68617079u
/* Processes whose checks come at the same time: one each, and a few that a
   reload has just left. */
#define PIDS 16
/* What policy ends goes a few at a time: pools connect anew at their pace. */
#define CULL_MS 2000
#define CULL_AT_ONCE 40

/* One HAProxy. */
struct link {
	struct haproxy *h;
	struct happass pass;
	struct hapmove move;
	struct hapold own; /* what policy ends */
};

/* The processes that reloads of one HAProxy left. */
struct master {
	struct haproxy *h;
	struct hapold old;
	bool said_away;
};

struct haproxy {
	unsigned magic;
	struct app *app;
	struct link *link[LIM_HAPROXIES];
	uint8_t link_n;
	struct master *master[LIM_HAPROXIES];
	uint8_t master_n;
	struct hapcull cull;
	struct mono cull_next;
	unsigned cull_left; /* of this time, in all */
	uint64_t pid[PIDS]; /* those known, the oldest is replaced */
	uint8_t pid_next;
	uint64_t last_pid;
	struct log_rate rate; /* of reloads: who asks may name any pid */
};

/* ---- what all of them allow -------------------------------------------- */

/* Since when the classic way would have routed as it would now. */
static void note_classic(
    const struct publish_site *was, struct publish_site *site, struct mono now)
{
	site->classic_write_at = was->classic_write_at;
	site->classic_read_at = was->classic_read_at;
	if (memcmp(was->classic_write, site->classic_write,
		sizeof(site->classic_write)) != 0)
		site->classic_write_at = now;
	if (memcmp(was->classic_read, site->classic_read,
		sizeof(site->classic_read)) != 0)
		site->classic_read_at = now;
}

/* A connection may come by any of them: what one forbids is forbidden. */
static void merge(struct publish_site *to, const struct publish_site *one)
{
	for (int i = 0; i < LIM_MEMBERS; i++) {
		to->routable[i] &= one->routable[i];
		to->drained[i] |= one->drained[i];
		to->classic_write[i] |= one->classic_write[i];
		to->classic_read[i] |= one->classic_read[i];
	}
}

/* One that is not there places nothing, unless there is no other. */
static void merge_site(struct haproxy *h, uint16_t cluster)
{
	struct publish_site site = {0};
	bool heard = false, all_gone = true;

	for (unsigned i = 0; i < h->link_n; i++)
		all_gone &= h->link[i]->pass.gone;
	for (int i = 0; i < LIM_MEMBERS; i++)
		site.routable[i] = true;
	for (unsigned i = 0; i < h->link_n; i++) {
		const struct happass *p = &h->link[i]->pass;

		if (!p->cluster[cluster].heard || (p->gone && !all_gone))
			continue;
		merge(&site, &p->cluster[cluster].site);
		heard = true;
	}
	if (!heard)
		return;
	note_classic(&h->app->cluster[cluster]->site, &site, mono_now());
	cluster_set_site(h->app->cluster[cluster], &site);
}

/* Every other second: what policy ends, in old processes too. */
static void cull(struct haproxy *h)
{
	struct mono now = mono_now();

	if (is_mono_before(now, h->cull_next))
		return;
	h->cull_next = mono_add(now, dur_ms(CULL_MS));
	h->cull_left = CULL_AT_ONCE;
	if (!hapcull_look(&h->cull, h->app, now))
		return;
	for (unsigned i = 0; i < h->link_n; i++)
		hapold_run(&h->link[i]->own);
	for (unsigned i = 0; i < h->master_n; i++)
		hapold_run(&h->master[i]->old);
}

static void site_cb(void *arg, uint16_t cluster)
{
	struct link *l = arg;

	assert(l->h->magic == HAPROXY_MAGIC);
	merge_site(l->h, cluster);
}

static void all_cb(void *arg)
{
	struct link *l = arg;

	assert(l->h->magic == HAPROXY_MAGIC);
	for (uint16_t i = 0; i < l->h->app->cluster_n; i++)
		merge_site(l->h, i);
}

static void pass_begins_cb(void *arg)
{
	struct link *l = arg;

	assert(l->h->magic == HAPROXY_MAGIC);
	hapmove_sweep(&l->move);
	if (l == l->h->link[0])
		cull(l->h);
}

/* ---- moves --------------------------------------------------------------- */

static void closes_now_cb(void *arg)
{
	struct link *l = arg;
	struct haproxy *h = l->h;

	assert(h->magic == HAPROXY_MAGIC);
	for (unsigned i = 0; i < h->master_n; i++)
		hapold_run(&h->master[i]->old);
}

static void answer_cb(void *arg, struct slice line)
{
	struct link *l = arg;

	assert(l->h->magic == HAPROXY_MAGIC);
	/* One that has just joined has no session to close yet. */
	if (!is_slice_eq(line, "No such server."))
		happass_log_answer(&l->pass, line);
}

void haproxy_move(struct haproxy *h, uint16_t cluster, uint32_t closing)
{
	if (h == NULL) /* the first verdict comes before HAProxy's part */
		return;
	assert(h->magic == HAPROXY_MAGIC && cluster < h->app->cluster_n);
	for (unsigned i = 0; i < h->link_n; i++) {
		/* The servers' states follow before their next checks. */
		happass_now(&h->link[i]->pass);
		hapmove_begin(&h->link[i]->move, cluster, closing);
	}
}

void haproxy_seen(struct haproxy *h)
{
	if (h == NULL) /* the feed lives a little longer */
		return;
	assert(h->magic == HAPROXY_MAGIC);
	for (unsigned i = 0; i < h->link_n; i++)
		hapmove_kick(&h->link[i]->move);
}

/* ---- old processes ------------------------------------------------------ */

/* The first HAProxy's moves stand for all: each is told the same. */
static bool is_closing(
    const struct haproxy *h, uint16_t cluster, struct slice server)
{
	const struct cluster *c = h->app->cluster[cluster];
	uint32_t closing = hapmove_closing(&h->link[0]->move, cluster);

	for (int m = 0; m < c->ev.n && closing != 0; m++)
		if ((closing & UINT32_C(1) << m) &&
		    is_slice_eq(
			server, conf_server_of(c->conf, c->ev.m[m].dcs.name)))
			return true;
	return false;
}

static bool is_culled(struct haproxy *h, const struct haptext_session *s)
{
	if (h->cull_left == 0 ||
	    !is_hapcull_due(&h->cull, h->app, s, mono_now()))
		return false;
	h->cull_left--;
	return true;
}

static bool culls_cb(void *arg, const struct haptext_session *s)
{
	struct link *l = arg;

	assert(l->h->magic == HAPROXY_MAGIC);
	return is_culled(l->h, s);
}

static void cull_done_cb(void *arg, const char *why)
{
	struct link *l = arg;

	(void)why; /* the pass says what there is to say */
	assert(l->h->magic == HAPROXY_MAGIC);
}

static bool closes_cb(void *arg, const struct haptext_session *s)
{
	struct master *m = arg;
	struct haproxy *h = m->h;

	assert(h->magic == HAPROXY_MAGIC);
	if (is_culled(h, s))
		return true;
	for (uint16_t i = 0; i < h->app->cluster_n; i++) {
		enum hap_backend b = HAP_READ;

		if (!haptext_backend(
			s->backend, h->app->cluster[i]->conf->name, &b))
			continue;
		if (is_hap_closed(cluster_snapshot(h->app->cluster[i]), b) &&
		    is_closing(h, i, s->server))
			return true;
	}
	return false;
}

static void old_done_cb(void *arg, const char *why)
{
	struct master *m = arg;

	assert(m->h->magic == HAPROXY_MAGIC);
	if (why != NULL && !m->said_away)
		log_warnx("drop haproxy master_socket=%s why=%s",
		    m->old.cli.path, why);
	else if (why == NULL && m->said_away)
		log_info("ready haproxy master_socket=%s", m->old.cli.path);
	m->said_away = why != NULL;
}

/* ---- the rest ------------------------------------------------------------ */

static bool is_pid_known(const struct haproxy *h, uint64_t pid)
{
	for (unsigned i = 0; i < PIDS; i++)
		if (h->pid[i] == pid)
			return true;
	return false;
}

void haproxy_checked(struct haproxy *h, uint64_t pid)
{
	assert(h != NULL && h->magic == HAPROXY_MAGIC);
	uint64_t was = h->last_pid;
	uint32_t suppressed = 0;
	h->last_pid = pid;
	if (is_pid_known(h, pid))
		return;
	h->pid[h->pid_next++ % PIDS] = pid;
	if (was != 0 &&
	    log_rate_ok(&h->rate, 5, dur_ms(1000), mono_now(), &suppressed))
		log_info("reload haproxy pid=%" PRIu64 " was=%" PRIu64
			 " suppressed=%u",
		    pid, was, suppressed);
	for (unsigned i = 0; i < h->link_n; i++)
		happass_anew(&h->link[i]->pass);
}

void haproxy_look(struct haproxy *h)
{
	if (h == NULL) /* the first members may come before HAProxy's part */
		return;
	assert(h->magic == HAPROXY_MAGIC);
	for (unsigned i = 0; i < h->link_n; i++)
		happass_anew(&h->link[i]->pass);
}

void haproxy_forget(struct haproxy *h, uint16_t cluster, uint8_t member)
{
	if (h == NULL)
		return;
	assert(h->magic == HAPROXY_MAGIC && member < LIM_MEMBERS);
	for (unsigned i = 0; i < h->link_n; i++) {
		struct publish_site *s =
		    &h->link[i]->pass.cluster[cluster].site;

		s->routable[member] = s->drained[member] = false;
		s->classic_write[member] = s->classic_read[member] = false;
	}
}

void haproxy_state(const struct haproxy *h, struct haproxy_state *out)
{
	assert(h != NULL && h->magic == HAPROXY_MAGIC && out != NULL);
	memset(out, 0, sizeof(*out));
	out->reachable = true;
	out->pid = h->last_pid;
	for (unsigned i = 0; i < h->link_n; i++) {
		const struct link *l = h->link[i];

		out->reachable &= l->pass.reachable;
		if (i == 0 || is_mono_before(l->pass.heard_at, out->heard_at))
			out->heard_at = l->pass.heard_at;
		out->repairs += l->pass.repaired;
		if (l->move.moves > out->moves)
			out->moves = l->move.moves;
		if (l->move.last.us > out->last_move.us)
			out->last_move = l->move.last;
	}
	for (unsigned i = 0; i < h->master_n; i++) {
		out->closed_old += h->master[i]->old.shut;
		out->old_n = (uint8_t)(out->old_n + h->master[i]->old.pid_n);
	}
}

const struct hap_row *haproxy_rows(
    const struct haproxy *h, uint8_t process, uint16_t cluster, uint16_t *n)
{
	assert(h != NULL && h->magic == HAPROXY_MAGIC && n != NULL);
	*n = 0;
	if (process >= h->link_n)
		return NULL;
	const struct happass_cluster *k =
	    &h->link[process]->pass.cluster[cluster];
	*n = k->n;
	return k->row;
}

static bool add_link(struct haproxy *h, const char *path)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return false;
	l->h = h;
	h->link[h->link_n++] = l;
	happass_init(&l->pass, h->app, path,
	    &(struct happass_sink){pass_begins_cb, site_cb, all_cb, l});
	hapmove_init(&l->move, h->app, path,
	    &(struct hapmove_sink){closes_now_cb, answer_cb, l});
	hapold_init_own(&l->own, h->app->loop, path,
	    &(struct hapold_sink){culls_cb, cull_done_cb, l});
	return true;
}

static bool add_master(struct haproxy *h, const char *path)
{
	struct master *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return false;
	m->h = h;
	h->master[h->master_n++] = m;
	hapold_init(&m->old, h->app->loop, path,
	    &(struct hapold_sink){closes_cb, old_done_cb, m});
	return true;
}

struct haproxy *haproxy_new(struct app *app)
{
	struct haproxy *h = calloc(1, sizeof(*h));
	const struct conf_prober *p = &app->conf->prober;
	bool ok = true;

	if (h == NULL)
		return NULL;
	h->magic = HAPROXY_MAGIC;
	h->app = app;
	for (unsigned i = 0; ok && i < p->haproxy_socket.n; i++)
		ok = add_link(h, p->haproxy_socket.path[i]);
	for (unsigned i = 0; ok && i < p->haproxy_master_socket.n; i++)
		ok = add_master(h, p->haproxy_master_socket.path[i]);
	if (ok)
		return h;
	haproxy_free(h);
	return NULL;
}

void haproxy_free(struct haproxy *h)
{
	if (h == NULL)
		return;
	assert(h->magic == HAPROXY_MAGIC);
	for (unsigned i = 0; i < h->link_n; i++) {
		happass_stop(&h->link[i]->pass);
		hapmove_stop(&h->link[i]->move);
		hapold_stop(&h->link[i]->own);
		free(h->link[i]);
	}
	for (unsigned i = 0; i < h->master_n; i++) {
		hapold_stop(&h->master[i]->old);
		free(h->master[i]);
	}
	h->magic = 0;
	free(h);
}
