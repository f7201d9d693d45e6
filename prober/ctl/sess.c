/*
 * sess.c - see sess.h. Called by `who` with each line of HAProxy's answer.
 */
#include "sess.h"

#include <assert.h>
#include <string.h>

#include "num.h"

bool sess_at(struct slice text, struct sess_at *out)
{
	size_t n = text.len;
	struct slice host;
	uint64_t port = 0;

	assert(out != NULL);
	memset(out, 0, sizeof(*out));
	while (n > 0 && text.p[n - 1] != ':')
		n--;
	if (n == 0 || !num_u64(slice_skip(text, n), 1, UINT16_MAX, &port))
		return false;
	host = slice_of(text.p, n - 1);
	if (host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		host = slice_of(host.p + 1, host.len - 2);
	if (host.len == 0 || !slice_copy(host, out->addr, sizeof(out->addr))) {
		out->addr[0] = '\0';
		return false;
	}
	out->port = (uint16_t)port;
	return true;
}

static const char *plain(const char *addr)
{
	return strncmp(addr, "::ffff:", 7) == 0 ? addr + 7 : addr;
}

bool is_sess_at(const struct sess_at *a, const char *addr, uint16_t port)
{
	assert(a != NULL && addr != NULL);
	return a->port == port && a->addr[0] != '\0' &&
	    strcmp(plain(a->addr), plain(addr)) == 0;
}

/* "0x55d4: [21/Nov/2026:19:27:47.859937] id=0 proto=tcpv4 source=A:P" */
static void begin(struct sess *s, struct slice id, struct slice rest)
{
	memset(s, 0, sizeof(*s));
	(void)slice_copy(id, s->id, sizeof(s->id));
	while (rest.len > 0) {
		struct slice word = slice_cut(&rest, ' ');

		if (is_slice_start(word, "[") && s->since[0] == '\0') {
			struct slice when = slice_skip(word, 1);

			when = slice_cut(&when, '.');
			(void)slice_copy(when, s->since, sizeof(s->since));
		} else if (is_slice_start(word, "source=")) {
			(void)sess_at(slice_skip(word, 7), &s->from);
		}
	}
}

/* A word behind `key`, as in "frontend=f (id=2 mode=tcp), listener=write …". */
static struct slice word_of(struct slice line, const char *key)
{
	while (line.len > 0) {
		struct slice word = slice_cut(&line, ' ');

		if (is_slice_start(word, key))
			return slice_skip(word, strlen(key));
	}
	return (struct slice){NULL, 0};
}

static void take(
    struct slice line, const char *key, char *name, struct sess_at *addr)
{
	struct slice word = word_of(line, key);

	if (name != NULL && !is_slice_eq(word, "<NONE>"))
		(void)slice_copy(word, name, LIM_NAME);
	(void)sess_at(word_of(line, "addr="), addr);
}

static bool is_hex(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Gives: the id of the line that begins a session, or an empty slice. */
static struct slice id_of(struct slice *line)
{
	struct slice id;

	if (!is_slice_start(*line, "0x"))
		return (struct slice){NULL, 0};
	id = slice_cut(line, ':');
	if (id.len == 2)
		return (struct slice){NULL, 0};
	for (size_t i = 2; i < id.len; i++)
		if (!is_hex(id.p[i]))
			return (struct slice){NULL, 0};
	return id;
}

bool sess_line(struct sess_reader *r, struct slice line, struct sess *out)
{
	bool ended = false;
	struct slice id;

	assert(r != NULL && out != NULL);
	id = id_of(&line);
	if (id.len > 0 || line.len == 0) {
		ended = r->begun;
		if (ended)
			*out = r->now;
		r->begun = id.len > 0;
		if (r->begun)
			begin(&r->now, id, line);
		return ended;
	}
	while (is_slice_start(line, " "))
		line = slice_skip(line, 1);
	if (!r->begun)
		return false;
	if (is_slice_start(line, "frontend="))
		take(line, "listener=", r->now.listener, &r->now.to);
	else if (is_slice_start(line, "backend="))
		take(line, "backend=", r->now.backend, &r->now.out);
	else if (is_slice_start(line, "server="))
		take(line, "server=", r->now.server, &r->now.at);
	return false;
}
