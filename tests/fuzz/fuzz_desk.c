/*
 * The desk: the PROXY header that stands before everything, and behind it what
 * its answers are made of: names as clusters and members have them. An answer
 * is one whole message, whatever the names are.
 */
#include <stdint.h>
#include <stdlib.h>

#include <cJSON.h>

#include "proxy2.c"
#include "refusal.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A byte of the input, 0 when there are no more. */
static uint8_t next_byte(struct slice *s)
{
	uint8_t c = s->len > 0 ? s->p[0] : 0;

	*s = slice_skip(*s, s->len > 0 ? 1 : 0);
	return c;
}

/* A name as the feed lets it through; at most as long as there is room. */
static void next_name(struct slice *s, char name[static LIM_NAME])
{
	size_t n = 0;

	while (
	    s->len > 0 && s->p[0] > ' ' && s->p[0] <= '~' && n < LIM_NAME - 1)
		name[n++] = (char)next_byte(s);
	name[n] = '\0';
	(void)next_byte(s);
	if (!is_snap_name(name))
		memcpy(name, "n", 2);
}

/* ErrorResponse: its length is its own, and each field ends in a NUL. */
static void see_error(const unsigned char *p, size_t n)
{
	size_t at = 5, fields = 0;

	assert(n <= REFUSAL_MAX && p[0] == 'E' && p[1] == 0 && p[2] == 0);
	assert((size_t)p[3] * 256 + p[4] == n - 1);
	while (at < n && p[at] != 0) {
		const unsigned char *end = memchr(p + at, 0, n - at);

		assert(end != NULL && end > p + at + 1);
		at = (size_t)(end - p) + 1;
		fields++;
	}
	assert(at == n - 1 && fields == 5);
}

static void see_http(const unsigned char *p, size_t n)
{
	static const char blank[] = "\r\n\r\n", length[] = "Content-Length: ";
	const char *end, *body, *len;
	char text[REFUSAL_MAX + 1];
	cJSON *doc;

	assert(n < REFUSAL_MAX);
	memcpy(text, p, n);
	text[n] = '\0';
	body = strstr(text, blank);
	len = strstr(text, length);
	assert(strncmp(text, "HTTP/1.0 ", 9) == 0 && body != NULL);
	body += strlen(blank);
	assert(len != NULL &&
	    strtoul(len + strlen(length), NULL, 10) == strlen(body));
	doc = cJSON_ParseWithOpts(body, &end, false);
	assert(cJSON_IsObject(doc) && strcmp(end, "\n") == 0);
	cJSON_Delete(doc);
}

static void refuse(struct slice s)
{
	static struct snapshot snap = {.boot_id = 1, .n = 1};
	unsigned char buf[REFUSAL_MAX];
	uint8_t kind = next_byte(&s);
	struct refusal r = {.want = next_byte(&s) % 5,
	    .since_s = (int64_t)next_byte(&s) - 1,
	    .held_s = next_byte(&s)};

	next_name(&s, snap.cluster);
	next_name(&s, snap.m[0].name);
	next_name(&s, snap.m[0].server);
	r.cluster = (kind & 1) != 0 ? snap.cluster : NULL;
	r.snap = (kind & 3) == 3 ? &snap : NULL;
	r.d.why = next_byte(&s) % SNAP_WHY_N;
	if ((kind & 4) != 0)
		r.d = (struct decision){.kind = ROUTE_TO,
		    .action = ROUTE_ACT_WRITE + next_byte(&s) % 3,
		    .why = r.d.why};
	else
		r.d.member = -1;
	see_error(buf, refusal_error(&r, buf));
	see_http(buf, refusal_http(&r, buf));
	see_http(buf, refusal_http_unknown(buf));
	assert(refusal_alert(buf) == 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct proxy2 p;

	switch (proxy2_get(in, &p)) {
	case PROXY2_OK:
		assert(p.size >= HEADER_N && p.size <= size);
		assert(p.size <= HEADER_N + PROXY2_MAX);
		refuse(slice_skip(in, p.size));
		break;
	case PROXY2_MORE:
		assert(size < HEADER_N + PROXY2_MAX);
		break;
	case PROXY2_BAD:
		break;
	}
	return 0;
}
