/*
 * etcd's answers, and Patroni's keys in them. The first byte chooses: a key, a
 * whole read, a heartbeat, a token, an error, a place and a user to ask for, or
 * a watch stream that comes in pieces of that size.
 */
#include <stdint.h>
#include <stdlib.h>

#include "connurl.c"
#include "dcs_keys.c"
#include "etcd3_ask.c"
#include "etcd3_json.c"
#include "etcd_text.c"
#include "json.c"
#include "patroni_json.c"

#define LINE 4096 /* so that a long line is found by small inputs */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dcs_keys *k)
{
	const struct ev_view *v = &k->view;

	assert(v->n <= LIM_MEMBERS && v->sync_n <= LIM_MEMBERS);
	assert(memchr(v->leader, 0, LIM_NAME) != NULL);
	assert(v->has_leader == (v->leader_rev != 0));
	for (unsigned i = 0; i < LIM_MEMBERS; i++) {
		const struct ev_dcs_member *m = &v->m[i];

		assert(m->present == (i < v->n));
		assert(m->present == (m->name[0] != '\0'));
		assert(m->role < EV_ROLE_N && m->state < EV_STATE_N);
		assert((m->host[0] != '\0') == (m->port != 0));
		for (unsigned j = 0; j < i && i < v->n; j++)
			assert(strcmp(m->name, v->m[j].name) != 0);
	}
}

static void kv_cb(void *arg, const struct etcd3_kv *kv)
{
	struct dcs_keys *k = arg;

	assert(kv->key.len > 0 && kv->mod_revision > 0);
	if (kv->deleted)
		dcs_keys_del(k, kv->key);
	else
		dcs_keys_put(k, kv->key, kv->value, kv->mod_revision);
	check(k);
}

static void stream(struct dcs_keys *k, struct slice s, size_t piece)
{
	const struct etcd3_sink sink = {.kv = kv_cb, .arg = k};
	static unsigned char buf[LINE];
	struct etcd3_lines lines = {.buf = buf, .size = sizeof(buf)};
	enum etcd3_cut cut = ETCD3_CUT_NONE;

	while (s.len > 0 && cut != ETCD3_CUT_LONG) {
		struct slice in = slice_of(s.p, s.len < piece ? s.len : piece);
		struct slice line;

		s = slice_skip(s, in.len);
		while ((cut = etcd3_lines_next(&lines, &in, &line)) ==
		    ETCD3_CUT_LINE) {
			struct etcd3_watch w = etcd3_watch_line(line, &sink);

			assert(line.len > 0 && w.kind <= ETCD3_ERROR);
			assert(memchr(w.text, 0, sizeof(w.text)) != NULL);
		}
	}
}

/* What is asked is one document of `n` questions, or it does not fit. */
static void see_question(const struct etcd_text *t, int n)
{
	cJSON *doc = json_parse(slice_str(t->p));

	assert(strlen(t->p) == t->used && t->used < t->size);
	assert(t->full || cJSON_IsObject(doc));
	assert(t->full || cJSON_GetArraySize(json_get(doc, "success")) == n);
	cJSON_Delete(doc);
}

static void ask_all(const char *prefix, char *buf, size_t room)
{
	struct etcd_text t = {.p = buf, .size = room};
	const struct etcd3_follow f = {prefix, 1, INT64_MAX, 2};

	etcd3_ask_begin(&t);
	etcd3_ask_read(&t, prefix);
	etcd3_ask_end(&t);
	see_question(&t, ETCD3_READ_OPS);
	assert(!t.full || room < ETCD3_READ_ROOM);
	t = (struct etcd_text){.p = buf, .size = room};
	etcd3_ask_begin(&t);
	etcd3_ask_beat(&t, prefix);
	etcd3_ask_look(&t, prefix);
	etcd3_ask_end(&t);
	see_question(&t, ETCD3_PARTS + 2);
	t = (struct etcd_text){.p = buf, .size = room};
	etcd3_ask_key(&t, prefix, "leader");
	see_question(&t, 0);
	t = (struct etcd_text){.p = buf, .size = room};
	etcd3_ask_watch(&t, &f);
	see_question(&t, 0);
}

/* USER:PASSWORD is in the question as it was, whatever it is. */
static void ask_login(const char *auth, char *buf, size_t room)
{
	struct etcd_text t = {.p = buf, .size = room};
	const char *colon = strchr(auth, ':');
	struct slice user;
	cJSON *doc;

	if (colon == NULL)
		return;
	etcd3_ask_login(&t, auth);
	see_question(&t, 0);
	doc = json_parse(slice_str(t.p));
	user = json_str(doc, "name");
	assert(t.full ||
	    (user.len == (size_t)(colon - auth) &&
		memcmp(user.p, auth, user.len) == 0));
	assert(t.full || is_slice_eq(json_str(doc, "password"), colon + 1));
	cJSON_Delete(doc);
}

/* A path has nothing in it that takes a URL or a request's line apart. */
static void ask_path(const char *s, char *buf, size_t room)
{
	struct etcd_text t = {.p = buf, .size = room};

	etcd_text_path(&t, s);
	assert(t.p[strspn(t.p,
		   "%/-._~0123456789abcdefghijklmnopqrstuvwxyz"
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0');
}

/* Room, a place, and behind a newline a user's line. */
static void ask(struct slice s)
{
	static char buf[ETCD3_READ_ROOM + 64];
	char prefix[LIM_TEXT], auth[LIM_TEXT];
	size_t room = s.len > 0 ? (size_t)s.p[0] * 64 + 1 : 1;
	const unsigned char *end = s.len > 0 ? memchr(s.p, '\n', s.len) : NULL;
	size_t len = end != NULL ? (size_t)(end - s.p) : s.len;

	if (room > sizeof(buf))
		room = sizeof(buf);
	buf[0] = '\0';
	if (len > 0 && slice_copy(slice_of(s.p, len), prefix, sizeof(prefix))) {
		ask_path(prefix, buf, room);
		/* conf.h's: between two slashes. */
		prefix[0] = prefix[strlen(prefix) - 1] = '/';
		ask_all(prefix, buf, room);
	}
	buf[0] = '\0';
	if (end != NULL &&
	    slice_copy(slice_skip(s, len + 1), auth, sizeof(auth)))
		ask_login(auth, buf, room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dcs_keys k;
	const struct etcd3_sink sink = {.kv = kv_cb, .arg = &k};
	struct etcd3_beat beat[2];
	struct etcd3_read read;
	struct etcd3_head head;
	char token[64];
	struct slice s;

	if (size == 0)
		return 0;
	s = slice_of(data + 1, size - 1);
	if (!dcs_keys_init(&k, "/service/main/"))
		abort();
	if (data[0] == 'r') {
		if (etcd3_range(s, &sink, &head))
			assert(head.revision > 0);
	} else if (data[0] == 'w') {
		if (etcd3_read(s, &sink, &read))
			assert(read.head.revision > 0 && read.history >= 0);
	} else if (data[0] == 't') {
		if (etcd3_token(s, token, sizeof(token)))
			assert(strcspn(token, "\r\n ") == strlen(token));
	} else if (data[0] == 'e') {
		struct etcd3_error e = etcd3_error(s);

		assert(memchr(e.text, 0, sizeof(e.text)) != NULL);
	} else if (data[0] == 'a') {
		ask(s);
	} else if (data[0] == 'b') {
		if (etcd3_beat(s, &head, beat, 2))
			assert(head.cluster_id != 0);
	} else {
		stream(&k, s, (size_t)data[0] + 1);
	}
	return 0;
}
