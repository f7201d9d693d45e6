/*
 * What patroutectl reads of others: whatever comes, what reaches a terminal is
 * printable, nothing runs over, and what `init` writes is a configuration.
 *
 * The first byte chooses: text and JSON; `show sess all`; a stream of events;
 * HAProxy's files; etcd's keys and Patroni's members.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "hapcfg.h"
#include "init.h"
#include "json.h"
#include "sess.h"
#include "sse.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void texts(struct slice in)
{
	size_t size = TEXT_CLEAN_MAX(in.len);
	char *out = malloc(size);
	char *json = text_json_ascii(in);

	if (out == NULL || json == NULL)
		abort();
	for (int utf8 = 0; utf8 < 2; utf8++) {
		(void)text_clean(in, utf8 == 1, out, size);
		for (const char *p = out; *p != '\0'; p++)
			assert((unsigned char)*p >= 0x20 && *p != 0x7f &&
			    (utf8 == 1 || (unsigned char)*p < 0x80));
	}
	for (const char *p = json; *p != '\0'; p++)
		assert((*p >= 0x20 && *p < 0x7f) || *p == '\n');
	free(json);
	free(out);
}

static void sessions(struct slice in)
{
	struct sess_reader r = {.begun = false};

	while (in.len > 0) {
		struct sess s;

		if (!sess_line(&r, slice_cut(&in, '\n'), &s))
			continue;
		assert(strnlen(s.server, LIM_NAME) < LIM_NAME);
		assert((s.out.addr[0] == '\0') == (s.out.port == 0));
	}
}

static void events(struct slice in)
{
	struct sse *s = calloc(1, sizeof(*s));
	struct slice data;

	if (s == NULL)
		abort();
	while (sse_next(s, &in, &data)) {
		assert(data.len <= LIM_CTL_EVENT);
		cJSON_Delete(json_parse(data));
	}
	free(s);
}

static void files(struct slice in)
{
	struct hapcfg *h = calloc(1, sizeof(*h));

	if (h == NULL)
		abort();
	hapcfg_init(h);
	while (in.len > 0)
		hapcfg_line(h, slice_cut(&in, '\n'));
	hapcfg_end(h);
	assert(h->bind_n <= HAPCFG_BINDS && h->inspect_delay >= -1);
	free(h);
}

/* What was found makes a configuration that both programs take. */
static void see_written(const struct init_found *f)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct conf_err err;
	struct conf *conf;

	if (out == NULL)
		abort();
	init_write(f, out);
	(void)fclose(out);
	conf = conf_parse("made", slice_str(text), &err);
	/* Names that are each possible may be twice the same, as a-1 and
	   group 1 of a: `init` says so, and writes nothing. */
	assert(conf != NULL || strstr(err.text, "twice") != NULL ||
	    strstr(err.text, "expected") != NULL);
	assert(conf == NULL || conf->cluster_n == f->n);
	conf_free(conf);
	free(text);
}

static void names(struct slice in)
{
	struct init_found *f = calloc(1, sizeof(*f));
	cJSON *doc;

	if (f == NULL)
		abort();
	f->is_etcd = in.len % 2 == 0;
	f->api = "v3";
	memcpy(f->from, "http://a:1", 11);
	if (f->is_etcd) {
		init_endpoint(f, f->from);
		while (in.len > 0) {
			struct slice key = slice_cut(&in, '\n');

			init_key(f, key, slice_cut(&in, '\n'));
		}
	} else {
		doc = json_parse(in);
		init_patroni_cluster(f, "main", doc);
		cJSON_Delete(doc);
	}
	if (f->n > 0)
		see_written(f);
	free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in;

	if (size == 0)
		return 0;
	in = slice_of(data + 1, size - 1);
	switch (data[0] % 5) {
	case 0:
		texts(in);
		break;
	case 1:
		sessions(in);
		break;
	case 2:
		events(in);
		break;
	case 3:
		files(in);
		break;
	default:
		names(in);
		break;
	}
	return 0;
}
