/*
 * hapjoin.c - see hapjoin.h. Called by happass.c, once a second and cluster.
 */
#include "hapjoin.h"

#include <assert.h>
#include <string.h>

#include "app.h"
#include "cluster.h"
#include "member.h"
#include "resolve.h"

/* What HAProxy refuses it refuses again: asked at once so often, then ever
   more rarely. */
#define TRIES_AT_ONCE 2
#define RETRY_MAX_S 60

static struct hap_words words_of(const struct cluster *c)
{
	const struct conf *conf = c->app->conf;
	const char *addr = conf->prober.http_address;

	/* Wherever the prober listens, HAProxy is on the same host. */
	if (strcmp(addr, "0.0.0.0") == 0)
		addr = "127.0.0.1";
	else if (strcmp(addr, "::") == 0)
		addr = "::1";
	return (struct hap_words){.check_addr = addr,
	    .check_port = conf->prober.http_port,
	    .fallback_max = c->conf->hap.read_fallback_max,
	    .stock = conf->haproxy.classic_checks == CONF_CHECKS_STOCK,
	    .send_proxy = c->conf->hap.send_proxy,
	    .ca = c->conf->rest_ca,
	    .pem = c->conf->hap.rest_pem};
}

static void find_member(
    const struct cluster *c, const char *name, struct hap_found *out)
{
	int i = ev_find(&c->ev, name);

	memset(out, 0, sizeof(*out));
	if (i < 0)
		return;
	const struct ev_dcs_member *d = &c->ev.m[i].dcs;
	uint16_t own = is_member_proxied(c, i) ? d->proxy_port : d->port;
	memcpy(out->addr, c->front[i], sizeof(out->addr));
	out->port =
	    c->conf->hap.server_port != 0 ? c->conf->hap.server_port : own;
	if (!resolve_get(c->app->resolve, d->api_host, out->rest_addr))
		out->rest_addr[0] = '\0';
	out->rest_port = d->api_port;
	out->rest_tls = d->api_tls;
}

/* Is who has no key no member? Not while the DCS is out of reach. */
static bool may_leave(const struct cluster *c, struct mono now)
{
	return c->snap.n > 0 && !is_ev_transition(&c->ev, now) &&
	    (c->conf->etcd_n == 0 || is_ev_dcs_fresh(&c->ev, &c->policy, now));
}

void hapjoin_find(struct hapjoin *j, struct cluster *c,
    const struct snapshot *named, const struct hap_view *view,
    struct hap_cmds *out)
{
	struct hap_found found[LIM_MEMBERS];
	struct mono now = mono_now();

	assert(j != NULL && c != NULL && named != NULL && out != NULL);
	j->asked = c->conf->discover && is_cluster_usable(c, now) &&
	    !is_mono_before(now, j->retry);
	if (!j->asked)
		return;
	for (int i = 0; i < named->n; i++)
		find_member(c, named->m[i].name, &found[i]);
	const struct hap_words words = words_of(c);
	const struct hap_find_in in = {.snap = named,
	    .view = view,
	    .found = found,
	    .words = &words,
	    .may_leave = may_leave(c, now),
	    .patience = c->conf->leave_timeout};
	j->begin = out->n;
	j->found = hap_find(&in, now, &j->mem, out);
}

/* What HAProxy took is missing no more: as long as they get fewer it goes on,
   and what had no room is not refused. */
bool hapjoin_sent(struct hapjoin *j, unsigned fit, struct mono now)
{
	int64_t s;

	assert(j != NULL);
	if (!j->asked)
		return false;
	j->asked = false;
	if (j->found > 0 && j->begin >= fit)
		return true;
	if (j->found < j->missing)
		j->fails = 0;
	j->missing = j->found;
	if (j->found == 0)
		return false;
	if (j->fails < UINT8_MAX)
		j->fails++;
	if (j->fails <= TRIES_AT_ONCE)
		return true;
	s = INT64_C(1) << (j->fails < 8 ? j->fails - TRIES_AT_ONCE : 6);
	j->retry =
	    mono_add(now, dur_ms((s < RETRY_MAX_S ? s : RETRY_MAX_S) * 1000));
	return false;
}

void hapjoin_anew(struct hapjoin *j)
{
	assert(j != NULL);
	j->fails = 0;
	j->retry = (struct mono){0};
}
