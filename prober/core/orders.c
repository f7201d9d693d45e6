/*
 * orders.c - see orders.h. Called by cluster_orders.c and the edges that read
 * and write orders.
 */
#include "orders.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "snapshot.h"

/* Bytes of the character at the front, 0 if it is none. RFC 3629. */
static size_t utf8_len(struct slice s)
{
	unsigned char c = s.p[0];
	size_t n = c < 0x80 ? 1
	    : c < 0xc2      ? 0
	    : c < 0xe0      ? 2
	    : c < 0xf0      ? 3
			    : 4;

	if (c > 0xf4 || n > s.len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, above U+10FFFF. */
	if ((c == 0xe0 && s.p[1] < 0xa0) || (c == 0xed && s.p[1] > 0x9f) ||
	    (c == 0xf0 && s.p[1] < 0x90) || (c == 0xf4 && s.p[1] > 0x8f))
		return 0;
	/* C1 controls are no text either. */
	return c == 0xc2 && s.p[1] < 0xa0 ? 0 : n;
}

void order_text(struct slice s, char *buf, size_t size)
{
	size_t used = 0;

	assert(buf != NULL && size > 0);
	while (s.len > 0) {
		size_t n = utf8_len(s);
		bool good =
		    n > 1 || (n == 1 && s.p[0] >= 0x20 && s.p[0] != 0x7f);

		if ((good ? n : 1) > size - 1 - used)
			break;
		if (good)
			memcpy(buf + used, s.p, n);
		else
			buf[used] = '?';
		used += good ? n : 1;
		s = slice_skip(s, good ? n : 1);
	}
	buf[used] = '\0';
}

bool is_order_member(const char *name)
{
	assert(name != NULL);
	return is_snap_name(name) && strchr(name, '/') == NULL &&
	    strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

#define ORDERS_PLACE ((size_t)2 * LIM_NAME)

/* '@' stands for a slash, so one of its own is told apart. */
static void add_namespace(const char *ns, char buf[static ORDERS_PLACE])
{
	size_t used = 0;

	for (; *ns != '\0' && used + 2 < ORDERS_PLACE; ns++) {
		if (*ns == '@' || *ns == '%')
			buf[used++] = '%';
		buf[used] = *ns;
		if (*ns == '/')
			buf[used] = '@';
		used++;
	}
	buf[used] = '\0';
}

const char *order_prefix(
    const char *ns, const char *scope, char buf[static ORDERS_PREFIX])
{
	char place[ORDERS_PLACE] = "";

	assert(ns != NULL && ns[0] == '/' && scope != NULL);
	/* A scope must not look like a namespace either. */
	if (strcmp(ns, "/service") != 0 || scope[0] == '@')
		add_namespace(ns, place);
	(void)snprintf(buf, ORDERS_PREFIX, "/patroute/%s%s%s/", place,
	    place[0] != '\0' ? "/" : "", scope);
	return buf;
}

static bool take_name(struct slice s, char out[static LIM_NAME])
{
	return slice_copy(s, out, LIM_NAME) && is_snap_name(out);
}

static bool take_key(struct slice key, struct order *o)
{
	if (is_slice_eq(key, "hold"))
		o->kind = ORDER_HOLD;
	else if (is_slice_eq(key, "force"))
		o->kind = ORDER_FORCE;
	else if (is_slice_eq(key, "mode"))
		o->kind = ORDER_MODE;
	else if (is_slice_start(key, "drain/") &&
	    take_name(slice_skip(key, 6), o->member) &&
	    is_order_member(o->member))
		o->kind = ORDER_DRAIN;
	return o->kind != ORDER_NONE;
}

/* By hand: etcdctl put …/mode observe. */
static bool take_mode(struct slice word, struct order *o)
{
	o->is_observe = is_slice_eq(word, "observe");
	return o->is_observe || is_slice_eq(word, "live");
}

/* How long it was meant to last, by its own writer's clock. */
static void take_end(struct order *o, struct order_when when)
{
	int64_t ms = o->until_ms - o->at_ms;

	if (o->at_ms <= 0 || ms <= 0 || ms > (int64_t)ORDERS_FOR_MAX_S * 1000)
		ms = (int64_t)ORDERS_FOR_MAX_S * 1000;
	if (o->kind != ORDER_MODE || o->until_ms > 0)
		o->until = mono_add(when.now, dur_ms(ms));
	o->is_end_ours = o->until_ms <= 0;
	if (o->is_end_ours && is_mono_set(o->until))
		o->until_ms = when.wall_ms + ms;
}

static bool take_value(
    const cJSON *doc, struct order_when when, struct order *o)
{
	if (!cJSON_IsObject(doc) || json_i64(doc, "v") < 1)
		return false;
	order_text(json_str(doc, "reason"), o->reason, sizeof(o->reason));
	order_text(json_str(doc, "by"), o->by, sizeof(o->by));
	o->at_ms = json_i64(doc, "at_ms");
	o->until_ms = json_i64(doc, "until_ms");
	take_end(o, when);
	if (o->kind == ORDER_MODE)
		return take_mode(json_str(doc, "mode"), o);
	return o->kind != ORDER_FORCE ||
	    take_name(json_str(doc, "member"), o->member);
}

bool order_decode(struct slice key, struct slice value, struct order_when when,
    struct order *out)
{
	bool ok;

	assert(out != NULL && is_mono_set(when.now));
	*out = (struct order){.kind = ORDER_NONE};
	ok = take_key(key, out) && value.len <= ORDERS_VALUE;
	if (ok && (out->kind != ORDER_MODE || !take_mode(value, out))) {
		cJSON *doc = json_parse(value);

		ok = take_value(doc, when, out);
		cJSON_Delete(doc);
	}
	if (!ok)
		*out = (struct order){.kind = ORDER_NONE};
	return ok;
}

/* Needs: order_text() has seen it. */
static void put_str(FILE *f, const char *key, const char *s)
{
	(void)fprintf(f, ",\"%s\":\"", key);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			(void)fputc('\\', f);
		(void)fputc(*s, f);
	}
	(void)fputc('"', f);
}

size_t order_encode(const struct order *o, char *buf, size_t size)
{
	FILE *f = fmemopen(buf, size, "w");
	long used;

	assert(o != NULL && o->kind > ORDER_NONE && o->kind < ORDER_KIND_N);
	if (f == NULL)
		return 0;
	(void)fputs("{\"v\":1", f);
	if (o->kind == ORDER_MODE)
		put_str(f, "mode", o->is_observe ? "observe" : "live");
	if (o->member[0] != '\0')
		put_str(f, "member", o->member);
	put_str(f, "reason", o->reason);
	put_str(f, "by", o->by);
	(void)fprintf(f, ",\"at_ms\":%" PRId64, o->at_ms);
	if (o->until_ms > 0)
		(void)fprintf(f, ",\"until_ms\":%" PRId64, o->until_ms);
	(void)fputc('}', f);
	used = ftell(f);
	if (fflush(f) != 0 || ferror(f) != 0 || used < 0 ||
	    (size_t)used >= size)
		used = 0;
	(void)fclose(f);
	return (size_t)used;
}

const char *order_key(const struct order *o, char buf[static ORDERS_KEY])
{
	assert(o != NULL && o->kind > ORDER_NONE && o->kind < ORDER_KIND_N);
	(void)snprintf(buf, ORDERS_KEY, "%s%s%s", order_kind_name(o->kind),
	    o->kind == ORDER_DRAIN ? "/" : "",
	    o->kind == ORDER_DRAIN ? o->member : "");
	return buf;
}

int order_set_find(
    const struct order_set *s, enum order_kind kind, const char *member)
{
	for (unsigned i = 0; s != NULL && i < s->n; i++)
		if (s->o[i].kind == kind &&
		    (kind != ORDER_DRAIN ||
			strcmp(s->o[i].member, member) == 0))
			return (int)i;
	return -1;
}

bool order_set_put(struct order_set *s, const struct order *o)
{
	int i;

	assert(s != NULL && o != NULL && o->kind != ORDER_NONE);
	i = order_set_find(s, o->kind, o->member);
	if (i == -1 && s->n == ORDERS_MAX)
		return false;
	if (i == -1)
		i = (int)s->n++;
	s->o[i] = *o;
	return true;
}

void order_set_remove(struct order_set *s, int i)
{
	assert(s != NULL && i >= 0 && (unsigned)i < s->n);
	s->n--;
	memmove(&s->o[i], &s->o[i + 1],
	    (s->n - (unsigned)i) * sizeof(struct order));
}

int order_set_over(const struct order_set *s, struct mono now)
{
	for (unsigned i = 0; s != NULL && i < s->n; i++)
		if (!s->o[i].is_over && is_mono_set(s->o[i].until) &&
		    !is_mono_before(now, s->o[i].until))
			return (int)i;
	return -1;
}

bool is_order_same(const struct order *a, const struct order *b)
{
	return a->kind == b->kind && a->is_observe == b->is_observe &&
	    strcmp(a->member, b->member) == 0 &&
	    strcmp(a->reason, b->reason) == 0 && strcmp(a->by, b->by) == 0 &&
	    a->at_ms == b->at_ms &&
	    (a->until_ms == b->until_ms || (a->is_end_ours && b->is_end_ours));
}

/* An order that is over may stay in its set for as long as its key does. */
static const struct order *in_force(
    const struct order_set *s, enum order_kind kind, const char *member)
{
	int i = order_set_find(s, kind, member);

	return i == -1 || s->o[i].is_over ? NULL : &s->o[i];
}

static const struct order *first_of(const struct order_set *s,
    const struct order_set *other, enum order_kind kind, const char *member)
{
	const struct order *o = in_force(s, kind, member);

	return o != NULL ? o : in_force(other, kind, member);
}

struct orders orders_of(
    const struct order_set *etcd, const struct order_set *host)
{
	return (struct orders){.hold = first_of(host, etcd, ORDER_HOLD, ""),
	    .force = first_of(host, etcd, ORDER_FORCE, ""),
	    .mode = first_of(host, etcd, ORDER_MODE, ""),
	    .etcd = etcd,
	    .host = host};
}

const struct order *orders_drain(const struct orders *o, const char *member)
{
	assert(o != NULL && member != NULL);
	return first_of(o->host, o->etcd, ORDER_DRAIN, member);
}

const char *order_kind_name(enum order_kind k)
{
	static const char *const name[ORDER_KIND_N] = {
	    [ORDER_NONE] = "none",
	    [ORDER_HOLD] = "hold",
	    [ORDER_FORCE] = "force",
	    [ORDER_DRAIN] = "drain",
	    [ORDER_MODE] = "mode",
	};

	assert(k < ORDER_KIND_N && name[k] != NULL);
	return name[k];
}
