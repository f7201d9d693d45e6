/*
 * ask.c - see ask.h. Called by `explain connect`.
 */
#include "ask.h"

#include <assert.h>
#include <string.h>

#define SSL_REQUEST 80877103u
#define PROTOCOL_3 196608u

struct packet {
	unsigned char *p;
	size_t size, used;
	bool full;
};

static void put(struct packet *o, const void *bytes, size_t len)
{
	if (o->full || len > o->size - o->used) {
		o->full = true;
		return;
	}
	memcpy(o->p + o->used, bytes, len);
	o->used += len;
}

static void put_be32(struct packet *o, uint32_t v)
{
	const unsigned char b[4] = {(unsigned char)(v >> 24),
	    (unsigned char)(v >> 16), (unsigned char)(v >> 8),
	    (unsigned char)v};

	put(o, b, sizeof(b));
}

static void put_pair(struct packet *o, const char *key, const char *value)
{
	if (value == NULL)
		return;
	put(o, key, strlen(key) + 1);
	put(o, value, strlen(value) + 1);
}

/* put() writes there. NOLINTNEXTLINE(readability-non-const-parameter) */
size_t ask_packet(const struct ask *a, unsigned char *buf, size_t size)
{
	struct packet o = {.p = buf, .size = size};
	size_t len;

	assert(a != NULL && buf != NULL);
	if (a->sni != NULL)
		return 0;
	put_be32(&o, 8);
	put_be32(&o, a->tls ? SSL_REQUEST : PROTOCOL_3);
	if (!a->tls) {
		put_pair(&o, "user", a->user != NULL ? a->user : "app");
		put_pair(&o, "database", a->database);
		put_pair(&o, "options", a->options);
		put_pair(&o, "application_name", a->application_name);
		put_pair(&o, "replication", a->replication ? "true" : NULL);
		put(&o, "", 1);
	}
	if (o.full)
		return 0;
	len = o.used;
	o.used = 0;
	put_be32(&o, (uint32_t)len);
	return len;
}

bool ask_intent(const struct ask *a, const struct conf *conf, uint16_t listen,
    struct intent *it)
{
	unsigned char first[LIM_STARTUP * 4];
	size_t len = ask_packet(a, first, sizeof(first));
	enum startup_rc rc = STARTUP_OK;

	*it = conf_listen_intent(conf, listen);
	if (a->sni != NULL) {
		it->flags |= INTENT_F_TLS;
		startup_sni(slice_str(a->sni), it);
		return true;
	}
	if (len == 0)
		return false;
	/* HAProxy passes that much and no more. */
	rc = startup_parse(
	    slice_of(first, len < LIM_STARTUP ? len : LIM_STARTUP), it);
	return rc == STARTUP_OK;
}
