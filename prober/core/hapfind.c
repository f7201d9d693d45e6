/*
 * hapfind.c - discovery; see hapfind.h. Called by happass.c for each cluster,
 * each second and whenever HAProxy's process or the members change.
 *
 * A server that is added begins with the weight of one that leaves, and gets
 * its own as the last of its commands: one that was cut off half-way is taken
 * up like one whose member came back.
 */
#include "hapfind.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct finding {
	const struct hap_find_in *in;
	struct mono now;
	struct hap_memory *mem;
	struct hap_cmds *out;
	unsigned missing;
	unsigned begun; /* where the commands of this server begin */
	bool cut;       /* one of them could not be said */
	bool full;      /* for lack of room */
};

/*
 * The commands of one server in one backend are said all or none: one that is
 * ready and not yet told to be idle would take sessions by the weight of one
 * that leaves. What they would change is seen again.
 */
static void begin_group(struct finding *f)
{
	f->begun = f->out->n;
	f->cut = f->full = false;
}

/* Gives: whether something was said. */
static bool end_group(struct finding *f)
{
	if (f->cut)
		f->out->n = f->begun;
	for (unsigned i = f->begun; i < f->out->n; i++)
		f->out->joined[i] = i > f->begun;
	return f->out->n > f->begun;
}

/* "VERB CLUSTER_BACKEND/SERVER REST". */
static void say(struct finding *f, const char *verb, enum hap_backend b,
    const char *server, const char *rest)
{
	struct hap_cmds *out = f->out;

	f->cut |= !is_hap_safe(server) || !is_hap_safe(f->in->snap->cluster) ||
	    strpbrk(rest, ";\n") != NULL;
	if (!f->cut && out->n == LIM_HAP_CMDS)
		f->cut = f->full = true;
	if (f->cut)
		return;
	int n = snprintf(out->line[out->n], LIM_HAP_CMD, "%s %s_%s/%s%s%s",
	    verb, f->in->snap->cluster, hap_backend_suffix(b), server,
	    rest[0] != '\0' ? " " : "", rest);
	f->cut = n < 0 || n >= LIM_HAP_CMD;
	if (!f->cut)
		out->n++;
}

/* "192.0.2.1:5432", "[2001:db8::1]:5432": as `show stat` has it. */
static void addr_text(const struct hap_found *m, char out[static HAP_ADDR])
{
	bool six = strchr(m->addr, ':') != NULL;

	(void)snprintf(out, HAP_ADDR, "%s%s%s:%u", six ? "[" : "", m->addr,
	    six ? "]" : "", (unsigned)m->port);
}

/* Numeric, so that nothing else can stand in it. */
static bool is_address(const char *addr)
{
	return addr[0] != '\0' &&
	    addr[strspn(addr, "0123456789abcdefABCDEF.:")] == '\0';
}

/* What the third way's checks ask, as its lines in the file have it. */
static void classic_words(
    const struct hap_words *w, const struct hap_found *m, char *out, size_t n)
{
	static const char *const tuned =
	    "inter 1s fastinter 500ms rise 1 fall 2";
	static const char *const stock = "inter 3s fall 3 rise 2";
	bool tls = m->rest_tls;
	bool apart =
	    is_address(m->rest_addr) && strcmp(m->rest_addr, m->addr) != 0;

	(void)snprintf(out, n,
	    "check%s%s port %u %s on-marked-down shutdown-sessions%s%s%s%s",
	    apart ? " addr " : "", apart ? m->rest_addr : "",
	    (unsigned)m->rest_port, w->stock ? stock : tuned,
	    tls ? " check-ssl verify required ca-file " : "",
	    tls ? (w->ca[0] != '\0' ? w->ca : "@system-ca") : "",
	    tls && w->pem[0] != '\0' ? " crt " : "", tls ? w->pem : "");
}

static void our_words(
    const struct hap_words *w, enum hap_backend b, char *out, size_t n)
{
	char most[32] = "";

	if (b == HAP_FALLBACK)
		(void)snprintf(
		    most, sizeof(most), " maxconn %" PRIu32, w->fallback_max);
	(void)snprintf(out, n,
	    "check addr %s port %u inter 1s fastinter 500ms downinter 200ms "
	    "rise 1 fall 3%s",
	    w->check_addr, (unsigned)w->check_port, most);
}

static uint32_t free_id(const struct hap_view *v, enum hap_backend b)
{
	uint64_t used = 0;

	for (unsigned i = 0; i < v->n; i++)
		if (v->row[i].backend == b && is_hap_ours(&v->row[i]))
			used |= UINT64_C(1) << (v->row[i].id - HAP_OURS);
	for (unsigned i = 0; i < HAP_OURS_N; i++)
		if ((used & UINT64_C(1) << i) == 0)
			return HAP_OURS + i;
	return 0;
}

/*
 * What any server begins with: for us as one that belongs elsewhere, for the
 * third way as one that was not asked yet. Its own checks say better.
 */
static void begin_server(
    struct finding *f, enum hap_backend b, const char *server)
{
	char weight[24];

	say(f, "enable health", b, server, "");
	say(f, "set server", b, server, "state ready");
	say(f, "set server", b, server,
	    b < HAP_BACKEND_N ? "health stopping" : "health down");
	(void)snprintf(weight, sizeof(weight), "weight %u", HAP_OURS_WEIGHT);
	say(f, "set server", b, server, weight);
}

static void add_server(struct finding *f, enum hap_backend b, int i)
{
	const struct hap_found *m = &f->in->found[i];
	const char *server = f->in->snap->m[i].server;
	char words[LIM_HAP_CMD / 2], addr[HAP_ADDR], rest[LIM_HAP_CMD];
	uint32_t id = free_id(f->in->view, b);

	if (id == 0) /* more servers than the backend has room for */
		return;
	if (b < HAP_BACKEND_N)
		our_words(f->in->words, b, words, sizeof(words));
	else
		classic_words(f->in->words, m, words, sizeof(words));
	addr_text(m, addr);
	(void)snprintf(rest, sizeof(rest), "%s %s%s id %" PRIu32 " weight %u",
	    addr, words, f->in->words->send_proxy ? " send-proxy-v2" : "", id,
	    HAP_OURS_OUT);
	say(f, "add server", b, server, rest);
	begin_server(f, b, server);
}

static void move_server(
    struct finding *f, const struct hap_row *r, const struct hap_found *m)
{
	char rest[HAP_ADDR + 32];

	(void)snprintf(
	    rest, sizeof(rest), "addr %s port %u", m->addr, (unsigned)m->port);
	say(f, "set server", r->backend, r->server, rest);
}

/* What is remembered of that server, or room for it. Gives: NULL if there is
   none. */
static struct hap_followed *followed(struct hap_memory *mem, const char *name)
{
	struct hap_followed *room = NULL;

	for (int i = 0; i < LIM_MEMBERS; i++) {
		struct hap_followed *o = &mem->followed[i];

		if (strcmp(o->server, name) == 0)
			return o;
		if (room == NULL && o->server[0] == '\0')
			room = o;
	}
	return room;
}

static void remember(
    struct hap_followed *o, const char *server, const char *addr)
{
	memcpy(o->last, addr, sizeof(o->last));
	if (o->server[0] != '\0')
		return;
	memcpy(o->server, server, sizeof(o->server));
	memcpy(o->first, addr, sizeof(o->first));
}

/* Is that server to have another address than it has? */
static bool is_to_move(
    struct finding *f, const struct hap_row *r, const char *addr)
{
	struct hap_followed *o;

	if (r->addr[0] == '\0')
		return false;
	if (is_hap_ours(r))
		return strcmp(r->addr, addr) != 0;
	o = followed(f->mem, r->server);
	if (o == NULL)
		return false;
	if (strcmp(r->addr, addr) != 0)
		return strcmp(r->addr, o->first) == 0 ||
		    strcmp(r->addr, o->last) == 0;
	remember(o, r->server, addr);
	return false;
}

static void find_server(struct finding *f, enum hap_backend b, int i)
{
	const struct hap_found *m = &f->in->found[i];
	const char *server = f->in->snap->m[i].server;
	const struct hap_row *r = hap_row_of(f->in->view, b, server);
	char addr[HAP_ADDR];

	begin_group(f);
	if (r == NULL) {
		if (b < HAP_BACKEND_N || m->rest_port != 0)
			add_server(f, b, i);
		f->missing += end_group(f) || f->full;
		return;
	}
	addr_text(m, addr);
	if (is_to_move(f, r, addr))
		move_server(f, r, m);
	if (is_hap_leaving(r))
		begin_server(f, b, server);
	f->missing += (end_group(f) || f->full) && is_hap_leaving(r);
}

/* Since when it leaves; now, if there is no room to remember it. */
static struct mono leaves_since(struct finding *f, const char *server)
{
	struct hap_leaving *room = NULL;

	for (int i = 0; i < HAP_LEAVING_N; i++) {
		struct hap_leaving *l = &f->mem->leaving[i];

		if (strcmp(l->server, server) == 0)
			return l->since;
		if (room == NULL && l->server[0] == '\0')
			room = l;
	}
	if (room != NULL &&
	    slice_copy(slice_str(server), room->server, sizeof(room->server)))
		room->since = f->now;
	return f->now;
}

/* Who is back, or gone, leaves no more. */
static void forget(struct finding *f)
{
	for (int i = 0; i < HAP_LEAVING_N; i++) {
		struct hap_leaving *l = &f->mem->leaving[i];
		bool there = false;

		for (unsigned r = 0; r < f->in->view->n && !there; r++)
			there = is_hap_leaving(&f->in->view->row[r]) &&
			    strcmp(f->in->view->row[r].server, l->server) == 0;
		if (!there)
			l->server[0] = '\0';
	}
}

/* What an operator has taken out stays as it is, until it is ready again. */
static bool is_operators(const struct hap_row *r)
{
	return !is_hap_leaving(r) &&
	    (r->state == HAP_SRV_MAINT || r->state == HAP_SRV_DRAIN);
}

static void say_leave(struct finding *f, const struct hap_row *r)
{
	struct mono since = leaves_since(f, r->server);
	bool over = mono_sub(f->now, since).us >= f->in->patience.us;
	char weight[24];

	if (!is_hap_leaving(r)) {
		(void)snprintf(
		    weight, sizeof(weight), "weight %u", HAP_OURS_OUT);
		say(f, "set server", r->backend, r->server, weight);
		say(f, "set server", r->backend, r->server, "state drain");
		return;
	}
	if (r->sessions > 0 && !over)
		return;
	say(f, "set server", r->backend, r->server, "state maint");
	if (r->sessions > 0) /* they end, and the next look removes it */
		say(f, "shutdown sessions server", r->backend, r->server, "");
	else
		say(f, "del server", r->backend, r->server, "");
}

static void remove_server(struct finding *f, const struct hap_row *r)
{
	if (is_operators(r))
		return;
	begin_group(f);
	say_leave(f, r);
	(void)end_group(f);
}

/* Two members whose servers have one name: it is the first one's. */
static bool is_named_twice(const struct snapshot *s, int i)
{
	return hap_member_of(s, s->m[i].server) != i;
}

unsigned hap_find(const struct hap_find_in *in, struct mono now,
    struct hap_memory *mem, struct hap_cmds *out)
{
	assert(in != NULL && mem != NULL && out != NULL);
	struct finding f = {.in = in, .now = now, .mem = mem, .out = out};
	if (!in->view->known)
		return 0;
	for (int b = 0; b < HAP_PLACES_N; b++) {
		if (!in->view->has[b])
			continue;
		for (int i = 0; i < in->snap->n; i++)
			if (is_address(in->found[i].addr) &&
			    in->found[i].port != 0 &&
			    !is_named_twice(in->snap, i))
				find_server(&f, (enum hap_backend)b, i);
	}
	if (!in->may_leave)
		return f.missing;
	for (unsigned r = 0; r < in->view->n; r++)
		if (is_hap_ours(&in->view->row[r]) &&
		    hap_member_of(in->snap, in->view->row[r].server) == -1)
			remove_server(&f, &in->view->row[r]);
	forget(&f);
	return f.missing;
}
