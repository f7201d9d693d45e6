/*
 * hapcfg.c - see hapcfg.h. Source: configuration.txt of 2.6, 2.2 (quoting and
 * escaping) and 2.5 (time format).
 */
#include "hapcfg.h"

#include <assert.h>
#include <string.h>

#include "num.h"

#define WORDS 12

struct words {
	struct slice w[WORDS];
	unsigned n;
};

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Up to the comment; quotes only keep blanks together here. */
static void split(struct slice line, struct words *out)
{
	size_t i = 0;

	out->n = 0;
	while (i < line.len && out->n < WORDS) {
		size_t from;
		bool quoted = false;

		while (i < line.len && is_blank(line.p[i]))
			i++;
		from = i;
		for (; i < line.len && (quoted || !is_blank(line.p[i])); i++) {
			if (line.p[i] == '"')
				quoted = !quoted;
			else if (line.p[i] == '\\' && i + 1 < line.len)
				i++;
			else if (line.p[i] == '#' && !quoted)
				break;
		}
		if (i > from)
			out->w[out->n++] = slice_of(line.p + from, i - from);
		if (i < line.len && line.p[i] == '#')
			return;
	}
}

static bool is_word(const struct words *w, unsigned i, const char *text)
{
	return i < w->n && is_slice_eq(w->w[i], text);
}

int64_t hapcfg_time(struct slice text)
{
	static const struct {
		const char *name;
		int64_t us;
	} units[] = {{"", 1000}, {"us", 1}, {"ms", 1000}, {"s", 1000000},
	    {"m", 60000000}, {"h", 3600000000}, {"d", 86400000000}};
	size_t n = 0;
	uint64_t v;

	while (n < text.len && text.p[n] >= '0' && text.p[n] <= '9')
		n++;
	if (n == 0 || !num_u64(slice_of(text.p, n), 0, 1000000000, &v))
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (is_slice_eq(slice_skip(text, n), units[i].name))
			return v > (uint64_t)(INT64_MAX / units[i].us)
			    ? -1
			    : (int64_t)v * units[i].us;
	return -1;
}

void hapcfg_init(struct hapcfg *h)
{
	assert(h != NULL);
	memset(h, 0, sizeof(*h));
	h->inspect_delay = h->client_timeout = h->agent_server = -1;
	h->route_processing = h->hold_processing = h->hold_idle = -1;
	h->maxconn = h->defaults_client = h->frontend_client = -1;
}

/* A frontend ends: what it said counts, if it is ours. */
static void leave(struct hapcfg *h)
{
	if (h->is_ours)
		h->client_timeout = h->frontend_client != -1
		    ? h->frontend_client
		    : h->defaults_client;
	h->is_ours = false;
	h->frontend_client = -1;
}

static bool is_section(const struct words *w)
{
	static const char *const names[] = {"global", "defaults", "frontend",
	    "backend", "listen", "spoe-agent", "spoe-message", "spoe-group",
	    "userlist", "peers", "resolvers", "program", "cache"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is_word(w, 0, names[i]))
			return true;
	return false;
}

static void enter(struct hapcfg *h, const struct words *w)
{
	leave(h);
	h->name[0] = '\0';
	(void)slice_copy(w->w[0], h->section, sizeof(h->section));
	if (w->n > 1)
		(void)slice_copy(w->w[1], h->name, sizeof(h->name));
}

static int64_t number(const struct words *w, unsigned i)
{
	uint64_t v;

	return i < w->n && num_u64(w->w[i], 0, INT32_MAX, &v) ? (int64_t)v : -1;
}

static void add_bind(struct hapcfg *h, const struct words *w)
{
	struct hapcfg_bind *b;

	if (h->bind_n == HAPCFG_BINDS || w->n < 2)
		return;
	b = &h->bind[h->bind_n++];
	(void)slice_copy(w->w[1], b->at, sizeof(b->at));
	b->maxconn = -1;
	for (unsigned i = 2; i + 1 < w->n; i++) {
		if (is_word(w, i, "name"))
			(void)slice_copy(w->w[i + 1], b->name, sizeof(b->name));
		else if (is_word(w, i, "maxconn"))
			b->maxconn = number(w, i + 1);
	}
}

static void in_global(struct hapcfg *h, const struct words *w)
{
	if (is_word(w, 0, "maxconn"))
		h->maxconn = number(w, 1);
	h->chroot = h->chroot || is_word(w, 0, "chroot");
	h->hard_stop = h->hard_stop || is_word(w, 0, "hard-stop-after");
}

static bool is_in(const struct hapcfg *h, const char *section)
{
	return strcmp(h->section, section) == 0;
}

static void in_timeout(struct hapcfg *h, const struct words *w)
{
	int64_t us = w->n > 2 ? hapcfg_time(w->w[2]) : -1;
	bool hold = strcmp(h->name, "hold") == 0;

	if (is_in(h, "defaults") && is_word(w, 1, "client") &&
	    h->defaults_client == -1)
		h->defaults_client = us;
	else if (is_in(h, "frontend") && is_word(w, 1, "client"))
		h->frontend_client = us;
	else if (is_in(h, "backend") && strcmp(h->name, "agent") == 0 &&
	    is_word(w, 1, "server"))
		h->agent_server = us;
	else if (is_in(h, "spoe-agent") && is_word(w, 1, "processing"))
		*(hold ? &h->hold_processing : &h->route_processing) = us;
	else if (is_in(h, "spoe-agent") && hold && is_word(w, 1, "idle"))
		h->hold_idle = us;
}

static void in_frontend(struct hapcfg *h, const struct words *w)
{
	if (is_word(w, 0, "bind"))
		add_bind(h, w);
	else if (is_word(w, 0, "filter") && is_word(w, 1, "spoe"))
		h->is_ours = true;
	else if (is_word(w, 0, "tcp-request") &&
	    is_word(w, 1, "inspect-delay") && w->n > 2)
		h->inspect_delay = hapcfg_time(w->w[2]);
}

void hapcfg_line(struct hapcfg *h, struct slice line)
{
	struct words w;

	assert(h != NULL);
	split(line, &w);
	if (w.n == 0)
		return;
	if (is_section(&w)) {
		enter(h, &w);
		return;
	}
	if (is_word(&w, 0, "timeout"))
		in_timeout(h, &w);
	else if (is_in(h, "global"))
		in_global(h, &w);
	else if (is_in(h, "frontend") || is_in(h, "listen"))
		in_frontend(h, &w);
	if (is_word(&w, 0, "option") && is_word(&w, 1, "redispatch"))
		h->redispatch = true;
}

void hapcfg_end(struct hapcfg *h)
{
	leave(h);
}
