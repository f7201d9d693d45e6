/*
 * render.c - the parts of HAProxy's file in their order, and the sum at its
 * end; see render.h.
 */
#include "render.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "render_int.h"

#define SUM_LEAD "# patroute-sum "
#define SUM_DIGITS 16

/* FNV-1a: against a slip of the hand, not against malice. */
static uint64_t sum_of(struct slice text)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < text.len; i++)
		h = (h ^ text.p[i]) * 1099511628211u;
	return h;
}

static void sum_text(struct slice text, char out[static 64])
{
	(void)snprintf(
	    out, 64, SUM_LEAD "%0*" PRIx64 "\n", SUM_DIGITS, sum_of(text));
}

bool is_render_untouched(struct slice text)
{
	size_t len = strlen(SUM_LEAD) + SUM_DIGITS + 1;
	char sum[64];

	if (text.len < len)
		return false;
	sum_text(slice_of(text.p, text.len - len), sum);
	return memcmp(text.p + text.len - len, sum, len) == 0;
}

/* Ends the stream that wrote *text, with the sum behind it. */
static char *finish(FILE *f, char **text, const size_t *len)
{
	char sum[64];

	if (fflush(f) == 0) {
		sum_text(slice_of(*text, *len), sum);
		(void)fputs(sum, f);
	}
	if (fclose(f) == 0)
		return *text;
	free(*text);
	return NULL;
}

char *render_haproxy(const struct render *r)
{
	const struct conf *c = r->conf;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert(c != NULL && r->cluster != NULL);
	if (f == NULL)
		return NULL;
	render_global(f, c);
	render_frontend(f, c);
	for (uint16_t i = 0; i < c->cluster_n; i++)
		render_backends(f, r, i);
	render_agent(f, c);
	render_pages(f, c);
	/* What stands there does not take the pages' defaults for its own. */
	if (c->haproxy.extra.n > 0)
		(void)fputs("\ndefaults\n\n", f);
	for (unsigned i = 0; i < c->haproxy.extra.n; i++)
		(void)fprintf(f, "%s\n", c->haproxy.extra.line[i]);
	return finish(f, &text, &len);
}

/* The message of both engines: what the agent is told of a connection. */
static void put_message(FILE *f, const char *engine)
{
	(void)fprintf(f,
	    "spoe-message %s\n"
	    "%s"
	    "    args listen=so_name src=src sport=src_port sni=req.ssl_sni "
	    "first=req.payload(0,0),bytes(0,1024)\n"
	    "spoe-group %s\n"
	    "    messages %s\n",
	    engine,
	    strcmp(engine, "hold") == 0
		? ""
		: "    # The first bytes, cut to 1 KiB: a longer startup "
		  "packet "
		  "would not fit the\n"
		  "    # frame, and then nobody would be asked.\n",
	    engine, engine);
}

static void put_route(FILE *f)
{
	(void)fputs(
	    "[route]\n"
	    "spoe-agent route\n"
	    "    groups route\n"
	    "    option var-prefix patroute\n"
	    "    # The agent may set these and no others.\n"
	    "    register-var-names server action reason\n"
	    "    option pipelining\n"
	    "    # With async the streams of a dead SPOP connection would wait "
	    "all of\n"
	    "    # `timeout processing` (2.6, 3.0).\n"
	    "    no option async\n"
	    "    no option send-frag-payload\n"
	    "    # With the default of 20 held streams block the others (2.6, "
	    "3.0; 3.1 and\n"
	    "    # later ignore it).\n"
	    "    max-waiting-frames 10000\n"
	    "    # So many unanswered in a second (and thread), and the agent "
	    "is not asked\n"
	    "    # for the rest of it: nobody waits, and nothing keeps HAProxy "
	    "trying a dead\n"
	    "    # one (2.6, 3.0). Not so below: who is to wait must not be "
	    "refused.\n"
	    "    maxerrrate 5\n"
	    "    timeout hello 500ms\n"
	    "    # Below the longest hold it would end held streams.\n"
	    "    timeout idle 1h\n"
	    "    timeout processing 100ms\n"
	    "    use-backend agent\n",
	    f);
	put_message(f, "route");
}

static void put_hold(FILE *f, struct dur longest)
{
	char idle[RENDER_DUR], processing[RENDER_DUR], hold[RENDER_DUR];

	(void)fprintf(f,
	    "\n[hold]\n"
	    "spoe-agent hold\n"
	    "    groups hold\n"
	    "    option var-prefix patroute\n"
	    "    register-var-names server action reason\n"
	    "    option pipelining\n"
	    "    no option async\n"
	    "    no option send-frag-payload\n"
	    "    max-waiting-frames 10000\n"
	    "    timeout hello 500ms\n"
	    "    # Above the longest hold, or it would end held streams, and "
	    "not far above:\n"
	    "    # for nearly every stream that it holds HAProxy (2.6, 3.0) "
	    "opens another\n"
	    "    # connection, whether or not those of the last hold stand "
	    "idle.\n"
	    "    timeout idle %s\n"
	    "    # Above the agent's longest hold_timeout (%s), below the "
	    "frontend's\n"
	    "    # inspect-delay.\n"
	    "    timeout processing %s\n"
	    "    use-backend agent\n",
	    render_dur(dur_us(longest.us + 20000000), idle),
	    render_dur(longest, hold),
	    render_dur(dur_us(longest.us + 1000000), processing));
	put_message(f, "hold");
}

char *render_spoe(const struct render *r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert(r->conf != NULL);
	if (f == NULL)
		return NULL;
	(void)fputs(
	    "# Made by `patroutectl render` of patroute.conf: how HAProxy asks "
	    "the agent\n"
	    "# (patroute-spoa). A change by hand is lost when it is made "
	    "again.\n"
	    "#\n"
	    "# Two engines with the same question: `route` is always answered "
	    "at once, so\n"
	    "# that a hung agent costs a connection 100 ms; `hold` waits for a "
	    "leader. It is\n"
	    "# asked only by those whom `route` told to wait and, while the "
	    "prober's check\n"
	    "# holds, by those whom it told nothing before the first checks of "
	    "a new HAProxy:\n"
	    "# there a hung agent costs its `timeout processing` at most.\n",
	    f);
	put_route(f);
	put_hold(f, render_longest_hold(r->conf));
	return finish(f, &text, &len);
}

const char *render_dur(struct dur d, char buf[static RENDER_DUR])
{
	static const struct {
		int64_t us;
		const char *unit;
	} units[] = {{3600000000, "h"}, {60000000, "m"}, {1000000, "s"},
	    {1000, "ms"}, {1, "us"}};
	unsigned i = 0;

	while (i < 4 && (d.us % units[i].us != 0 || d.us < units[i].us))
		i++;
	(void)snprintf(buf, RENDER_DUR, "%lld%s",
	    (long long)(d.us / units[i].us), units[i].unit);
	return buf;
}

const char *render_at(
    const char *host, uint16_t port, char buf[static RENDER_AT])
{
	bool in6 = strchr(host, ':') != NULL;

	(void)snprintf(buf, RENDER_AT, "%s%s%s:%u", in6 ? "[" : "", host,
	    in6 ? "]" : "", (unsigned)port);
	return buf;
}

const char *render_prober(const struct conf *c)
{
	const char *addr = c->prober.http_address;

	if (strcmp(addr, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(addr, "::") == 0 ? "::1" : addr;
}

/* This host's only while it has it: a virtual IP. */
static bool is_moving(const char *addr)
{
	return strcmp(addr, "*") != 0 && strcmp(addr, "0.0.0.0") != 0 &&
	    strcmp(addr, "::") != 0 && strcmp(addr, "::1") != 0 &&
	    strncmp(addr, "127.", 4) != 0;
}

void render_bind(FILE *f, const struct conf_binds *own,
    const struct conf_binds *all, uint16_t port)
{
	const struct conf_binds *b = own->n > 0 ? own : all;
	bool moving = false;
	char at[RENDER_AT];

	(void)fputs("    bind ", f);
	for (unsigned i = 0; i < b->n; i++) {
		(void)fprintf(f, "%s%s", i > 0 ? "," : "",
		    render_at(b->addr[i], port, at));
		moving = moving || is_moving(b->addr[i]);
	}
	if (moving)
		(void)fputs(" transparent", f);
}

void render_extra(FILE *f, const struct conf_lines *l)
{
	for (unsigned i = 0; i < l->n; i++)
		(void)fprintf(f, "    %s\n", l->line[i]);
}

struct dur render_longest_hold(const struct conf *c)
{
	struct dur d = c->agent.hold_timeout;

	if (c->agent.min_lsn_wait.us > d.us)
		d = c->agent.min_lsn_wait;
	for (uint16_t i = 0; i < c->listen_n; i++)
		if (c->listen[i].hold_timeout.us > d.us)
			d = c->listen[i].hold_timeout;
	return d;
}

bool is_render_choice(const struct conf_listen *l)
{
	return l->startup_options && l->target != INTENT_PRIMARY;
}

bool is_render_any(const struct conf_listen *l)
{
	return l->target == INTENT_ANY ||
	    (l->target == INTENT_REPLICA && l->startup_options);
}

bool is_render_sync(const struct conf_listen *l)
{
	return l->target == INTENT_SYNC;
}

bool has_render(
    const struct conf *c, int cluster, bool (*is)(const struct conf_listen *l))
{
	for (uint16_t i = 0; i < c->listen_n; i++)
		if ((cluster == -1 || c->listen[i].cluster == cluster) &&
		    is(&c->listen[i]))
			return true;
	return false;
}

uint32_t render_share(const struct conf *c, uint16_t listen)
{
	uint64_t left = c->haproxy.maxconn - c->haproxy.stats_maxconn;
	uint32_t n = 0;

	if (c->listen[listen].hap.maxconn > 0)
		return c->listen[listen].hap.maxconn;
	for (uint16_t i = 0; i < c->listen_n; i++) {
		left -= c->listen[i].hap.maxconn;
		n += c->listen[i].hap.maxconn == 0;
	}
	assert(n > 0); /* this one */
	return (uint32_t)(left / n);
}
