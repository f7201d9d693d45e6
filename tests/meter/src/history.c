/*
 * history.c - JSON lines into one descriptor.
 *
 * Called by everything that saw something. Only hist_flush touches the file;
 * the driver gives a file on memory or a quiet disk, because a write that
 * blocks would make the meter late (which the history then says itself).
 */
#include "history.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void hist_init(struct hist *h, int fd)
{
	assert(h != NULL && fd >= 0);
	h->fd = fd;
	h->len = 0;
	h->comma = false;
	h->failed = false;
	h->lines_n = 0;
}

void hist_flush(struct hist *h)
{
	size_t done = 0;

	assert(h != NULL);
	while (!h->failed && done < h->len) {
		ssize_t n = write(h->fd, h->buf + done, h->len - done);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			h->failed = true;
		else
			done += (size_t)n;
	}
	h->len = 0;
}

static void put(struct hist *h, const char *p, size_t len)
{
	assert(len <= sizeof(h->buf));
	if (len > sizeof(h->buf) - h->len)
		hist_flush(h);
	memcpy(h->buf + h->len, p, len);
	h->len += len;
}

static void put_str(struct hist *h, const char *s)
{
	put(h, s, strlen(s));
}

static void put_escaped(struct hist *h, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];
		char out[8];

		if (c == '"' || c == '\\') {
			out[0] = '\\';
			out[1] = (char)c;
			put(h, out, 2);
		} else if (c < 0x20 || c >= 0x7f) {
			/* Bytes beyond ASCII may be no UTF-8: as Latin-1. */
			(void)snprintf(out, sizeof(out), "\\u%04x", c);
			put(h, out, 6);
		} else {
			put(h, (const char *)&p[i], 1);
		}
	}
}

static void put_key(struct hist *h, const char *key)
{
	if (h->comma)
		put_str(h, ",");
	put_str(h, "\"");
	put_str(h, key);
	put_str(h, "\":");
	h->comma = true;
}

void hist_begin(struct hist *h, int64_t at_ns, const char *ev)
{
	assert(h != NULL && ev != NULL);
	put_str(h, "{");
	h->comma = false;
	hist_int(h, "at", at_ns);
	hist_str(h, "ev", ev);
}

void hist_end(struct hist *h)
{
	assert(h != NULL);
	put_str(h, "}\n");
	h->comma = false;
	h->lines_n++;
}

void hist_int(struct hist *h, const char *key, int64_t value)
{
	char out[24];

	put_key(h, key);
	(void)snprintf(out, sizeof(out), "%" PRId64, value);
	put_str(h, out);
}

void hist_bool(struct hist *h, const char *key, bool value)
{
	put_key(h, key);
	put_str(h, value ? "true" : "false");
}

void hist_str(struct hist *h, const char *key, const char *value)
{
	assert(value != NULL);
	hist_bytes(h, key, value, strlen(value));
}

void hist_bytes(struct hist *h, const char *key, const char *p, size_t len)
{
	put_key(h, key);
	put_str(h, "\"");
	put_escaped(h, p, len);
	put_str(h, "\"");
}

void hist_list(struct hist *h, const char *key)
{
	put_key(h, key);
	put_str(h, "[");
	h->comma = false;
}

void hist_item(struct hist *h)
{
	put_str(h, h->comma ? ",{" : "{");
	h->comma = false;
}

void hist_item_end(struct hist *h)
{
	put_str(h, "}");
	h->comma = true;
}

void hist_list_end(struct hist *h)
{
	put_str(h, "]");
	h->comma = true;
}
