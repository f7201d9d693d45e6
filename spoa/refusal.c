/*
 * refusal.c - what the desk says; see refusal.h.
 */
#include "refusal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Text that grows in a buffer; what does not fit is cut. */
struct text {
	unsigned char *p;
	size_t len, size;
};

static void add_bytes(struct text *t, const void *p, size_t n)
{
	if (n > t->size - t->len)
		n = t->size - t->len;
	memcpy(t->p + t->len, p, n);
	t->len += n;
}

static void add(struct text *t, const char *s)
{
	add_bytes(t, s, strlen(s));
}

/* One field of an ErrorResponse: its letter, a string and NUL. */
static void add_field(struct text *t, char letter, const char *value)
{
	add_bytes(t, &letter, 1);
	add_bytes(t, value, strlen(value) + 1);
}

static const char *purpose(uint8_t want)
{
	switch ((enum intent_want)want) {
	case INTENT_REPLICA:
		return "reads";
	case INTENT_SYNC:
		return "synchronous reads";
	case INTENT_ANY:
		return "connections";
	case INTENT_PRIMARY:
	case INTENT_NONE:
		break;
	}
	return "writes";
}

/* Said of a member, these would leave open of which. */
static const char *reason_text(enum snap_why why)
{
	if (why == SNAP_WHY_SILENT)
		return "the leader answers neither by SQL nor by REST";
	if (why == SNAP_WHY_REFUSED)
		return "the leader's PostgreSQL refuses connections";
	if (why == SNAP_WHY_STOPPING)
		return "the leader is shutting down";
	return snap_why_text(why);
}

/* One sentence without a full stop, as PostgreSQL's own messages are. */
static void write_sentence(const struct refusal *r, char *buf, size_t size)
{
	const char *what = purpose(r->want);
	char since[32] = "";

	if (r->since_s >= 0)
		(void)snprintf(since, sizeof(since), " (for %lld s)",
		    (long long)r->since_s);
	if (r->cluster == NULL)
		(void)snprintf(buf, size, "patroute serves no such port");
	else if (r->snap == NULL)
		(void)snprintf(buf, size,
		    "patroute knows nothing fresh of cluster \"%s\"",
		    r->cluster);
	else if (r->d.kind == ROUTE_TO)
		(void)snprintf(buf, size,
		    "cluster \"%s\" had no server for %s until just now",
		    r->cluster, what);
	else
		(void)snprintf(buf, size,
		    "cluster \"%s\" has no server for %s: %s%s", r->cluster,
		    what, reason_text((enum snap_why)r->d.why), since);
}

static void write_hint(const struct refusal *r, char *buf, size_t size)
{
	if (r->d.why == SNAP_WHY_STANDBY_CLUSTER)
		(void)snprintf(buf, size,
		    "Writes belong to the cluster that this one follows.");
	else if (r->snap != NULL && r->d.kind == ROUTE_TO)
		(void)snprintf(buf, size, "Try again now.");
	else
		(void)snprintf(buf, size,
		    "Try again: a connection waits up to %lld s for a server.",
		    (long long)r->held_s);
}

size_t refusal_error(
    const struct refusal *r, unsigned char buf[static REFUSAL_MAX])
{
	char sentence[512], hint[128];
	struct text t = {buf, 5, REFUSAL_MAX};
	size_t len;

	assert(r != NULL);
	write_sentence(r, sentence, sizeof(sentence));
	write_hint(r, hint, sizeof(hint));
	add_field(&t, 'S', "FATAL");
	add_field(&t, 'V', "FATAL");
	add_field(&t, 'C', "57P03"); /* cannot_connect_now */
	add_field(&t, 'M', sentence);
	add_field(&t, 'H', hint);
	add_bytes(&t, "", 1);
	len = t.len - 1;
	buf[0] = 'E';
	buf[1] = (unsigned char)(len >> 24);
	buf[2] = (unsigned char)(len >> 16);
	buf[3] = (unsigned char)(len >> 8);
	buf[4] = (unsigned char)len;
	return t.len;
}

size_t refusal_alert(unsigned char buf[static REFUSAL_MAX])
{
	/* alert, TLS 1.2's record version, 2 bytes: fatal, internal_error */
	static const unsigned char alert[] = {21, 3, 3, 0, 2, 2, 80};

	memcpy(buf, alert, sizeof(alert));
	return sizeof(alert);
}

/* Names are printable ASCII, but a quote may be among them. */
static void add_json(struct text *t, const char *key, const char *value)
{
	add(t, t->len > 1 ? ",\"" : "\"");
	add(t, key);
	add(t, "\":\"");
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			add(t, "\\");
		add_bytes(t, value, 1);
	}
	add(t, "\"");
}

static size_t http(
    unsigned char *buf, const char *status, const struct text *body)
{
	struct text t = {.size = REFUSAL_MAX};
	char length[64];

	t.p = buf;
	(void)snprintf(length, sizeof(length),
	    "\r\nContent-Length: %zu\r\n\r\n", body->len);
	add(&t, "HTTP/1.0 ");
	add(&t, status);
	add(&t, "\r\nContent-Type: application/json\r\nConnection: close");
	add(&t, length);
	add_bytes(&t, body->p, body->len);
	return t.len;
}

size_t refusal_http(
    const struct refusal *r, unsigned char buf[static REFUSAL_MAX])
{
	unsigned char room[768];
	struct text t = {room, 0, sizeof(room)};
	bool routed;

	assert(r != NULL);
	routed = r->snap != NULL && r->d.kind == ROUTE_TO;
	add(&t, "{");
	if (r->cluster != NULL)
		add_json(&t, "cluster", r->cluster);
	if (routed) {
		const struct snap_member *m = &r->snap->m[r->d.member];

		add_json(&t, "action",
		    route_action_name((enum route_action)r->d.action));
		add_json(&t, "server", m->server);
		add_json(&t, "member", m->name);
	} else {
		add_json(&t, "action", "desk");
	}
	add_json(&t, "reason",
	    r->snap != NULL ? snap_why_name((enum snap_why)r->d.why)
			    : "not-fresh");
	add(&t, "}\n");
	return http(buf, routed ? "200 OK" : "503 Service Unavailable", &t);
}

size_t refusal_http_unknown(unsigned char buf[static REFUSAL_MAX])
{
	unsigned char body[] = "{\"error\":\"no such path\"}\n";
	struct text t = {body, sizeof(body) - 1, sizeof(body) - 1};

	return http(buf, "404 Not Found", &t);
}
