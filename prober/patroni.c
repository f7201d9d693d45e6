/*
 * patroni.c - see patroni.h. Called by the prober's ticks; reports to a sink.
 *
 * Patroni closes the connection after each answer, and from 4.0.8 five silent
 * connections disable it: at most one request, with a hard deadline.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "patroni.h"
#include "patroni_json.h"
#include "roster_json.h"
#include "tick.h"

#define PROBE_MAGIC 0x50617472u

struct patroni_probe {
	unsigned magic;
	struct http_client *http;
	struct patroni_cfg cfg;
	struct sink sink;
	uint8_t member;
	char addr[LIM_ADDR], name[LIM_ADDR];
	uint16_t port;
	bool tls;
	struct http_req *req;
	struct http_kept kept;
	enum patroni_ask what;
};

static struct patroni_probe *probe_of(void *p)
{
	struct patroni_probe *probe = p;

	assert(probe != NULL && probe->magic == PROBE_MAGIC);
	return probe;
}

/* Patroni gives a status body with 200 and 503; anything else is not it. */
static enum ev_rc read_answer(const struct patroni_probe *p,
    const struct http_answer *a, struct ev_rest *rest)
{
	if (a->rc != EV_RC_OK)
		return a->rc;
	if (a->status != 200 && a->status != 503)
		return EV_RC_PARSE;
	if (!patroni_json_status(a->body, rest))
		return EV_RC_PARSE;
	rest->primary_200 = p->what == PATRONI_PRIMARY && a->status == 200;
	return EV_RC_OK;
}

static void tell_roster(
    const struct patroni_probe *p, const struct http_answer *a)
{
	struct ev_view view;

	if (a->rc == EV_RC_OK && a->status == 200 &&
	    roster_json(a->body, &view))
		p->cfg.roster(p->cfg.arg, &view, a->asked);
}

static void done_cb(void *arg, const struct http_answer *a)
{
	struct patroni_probe *p = probe_of(arg);
	struct ev_item item = {.src = EV_REST,
	    .member = p->member,
	    .asked = a->asked,
	    .at = a->at};

	p->req = NULL;
	if (p->what == PATRONI_CLUSTER) {
		tell_roster(p, a);
		return;
	}
	item.rc = read_answer(p, a, &item.u.rest);
	p->sink.item(p->sink.arg, &item);
}

static const char *path_of(enum patroni_ask what)
{
	switch (what) {
	case PATRONI_STATUS:
		return "/patroni";
	case PATRONI_PRIMARY:
		return "/primary";
	case PATRONI_CLUSTER:
		return "/cluster";
	case PATRONI_ASK_NONE:
		break;
	}
	assert(false && "nothing to ask");
	return "/";
}

bool patroni_probe_ask(struct patroni_probe *p, enum patroni_ask what)
{
	struct http_ask ask = {.fresh = true,
	    .kept = &p->kept,
	    .deadline = dur_ms(TICK_DEADLINE_MS),
	    .done = done_cb,
	    .arg = p};

	(void)probe_of(p);
	if (p->req != NULL || p->addr[0] == '\0')
		return false;
	assert(what != PATRONI_CLUSTER || p->cfg.roster != NULL);
	p->what = what;
	ask.addr = p->addr;
	ask.name = p->name;
	ask.port = p->port;
	ask.tls = p->tls;
	if (p->cfg.creds != NULL) {
		ask.pem = &p->cfg.creds->pem;
		ask.auth = creds_auth(p->cfg.creds);
	}
	ask.path = path_of(what);
	p->req = http_client_ask(p->http, &ask);
	return p->req != NULL;
}

void patroni_probe_target(struct patroni_probe *p, const char *addr,
    const char *name, uint16_t port, bool tls)
{
	struct slice n = slice_str(name != NULL ? name : addr);

	(void)probe_of(p);
	if (strcmp(p->addr, addr) == 0 && is_slice_eq(n, p->name) &&
	    p->port == port && p->tls == tls)
		return;
	http_client_cancel(&p->req);
	/* What does not fit is no address: nothing is asked. */
	if (!slice_copy(n, p->name, sizeof(p->name)) ||
	    !slice_copy(slice_str(addr), p->addr, sizeof(p->addr)))
		p->addr[0] = '\0';
	p->port = port;
	p->tls = tls;
}

bool is_patroni_probe_busy(const struct patroni_probe *p)
{
	assert(p != NULL && p->magic == PROBE_MAGIC);
	return p->req != NULL;
}

struct patroni_probe *patroni_probe_new(struct http_client *http,
    const struct patroni_cfg *cfg, const struct sink *sink, uint8_t member)
{
	struct patroni_probe *p = calloc(1, sizeof(*p));

	assert(http != NULL && cfg != NULL);
	assert(sink != NULL && sink->item != NULL);
	if (p == NULL)
		return NULL;
	p->magic = PROBE_MAGIC;
	p->http = http;
	p->cfg = *cfg;
	p->sink = *sink;
	p->member = member;
	return p;
}

void patroni_probe_free(struct patroni_probe *p)
{
	if (p == NULL)
		return;
	http_client_cancel(&probe_of(p)->req);
	http_kept_free(&p->kept);
	p->magic = 0;
	free(p);
}
