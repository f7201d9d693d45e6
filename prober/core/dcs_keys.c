/*
 * dcs_keys.c - see dcs_keys.h. Called by the edge of each kind of DCS.
 *
 * Each key fills its own fields of the view and nothing else, so a delete is
 * the same function with no value.
 */
#include <assert.h>
#include <string.h>

#include "connurl.h"
#include "dcs_keys.h"
#include "json.h"
#include "num.h"
#include "patroni_json.h"

static const struct slice gone = {NULL, 0};

bool dcs_keys_init(struct dcs_keys *k, const char *prefix)
{
	struct slice s = slice_str(prefix);

	assert(k != NULL);
	memset(k, 0, sizeof(*k));
	return s.len > 0 && s.p[s.len - 1] == '/' &&
	    slice_copy(s, k->prefix, sizeof(k->prefix));
}

void dcs_keys_clear(struct dcs_keys *k)
{
	assert(k != NULL);
	memset(&k->view, 0, sizeof(k->view));
	k->ignored = 0;
}

static void take_leader(struct dcs_keys *k, struct slice value, int64_t rev)
{
	struct ev_view *v = &k->view;

	v->has_leader = value.p != NULL;
	v->leader_rev = v->has_leader ? rev : 0;
	/* A name that does not fit names nobody known. */
	if (!slice_copy(value, v->leader, sizeof(v->leader)))
		k->ignored++;
}

static void take_initialize(struct dcs_keys *k, struct slice value)
{
	if (!num_u64(value, 0, UINT64_MAX, &k->view.sysid))
		k->view.sysid = 0;
}

/* Patroni's get_standby_cluster_config(): one of these makes it one. */
static bool is_standby(const cJSON *config)
{
	const cJSON *s = json_get(config, "standby_cluster");

	return json_str(s, "host").len > 0 || json_get(s, "port") != NULL ||
	    json_str(s, "restore_command").len > 0;
}

static void take_config(struct dcs_keys *k, struct slice value)
{
	cJSON *doc = json_parse(value);
	struct ev_view *v = &k->view;

	v->pause = is_json_true(doc, "pause");
	v->failsafe_mode = is_json_true(doc, "failsafe_mode");
	v->sync_mode = is_json_true(doc, "synchronous_mode") ||
	    is_slice_eq(json_str(doc, "synchronous_mode"), "quorum");
	v->standby_cluster = is_standby(doc);
	cJSON_Delete(doc);
}

/* JSON, or "leader:candidate" as old tools write it. "{}" asks for nothing. */
static void take_failover(struct dcs_keys *k, struct slice value)
{
	cJSON *doc = json_parse(value);
	struct ev_view *v = &k->view;

	v->failover_scheduled = json_str(doc, "scheduled_at").len > 0;
	if (doc != NULL)
		v->has_failover = json_str(doc, "leader").len > 0 ||
		    json_str(doc, "member").len > 0;
	else
		v->has_failover = value.len > 1;
	cJSON_Delete(doc);
}

static struct slice trim(struct slice s)
{
	while (s.len > 0 && s.p[0] == ' ')
		s = slice_skip(s, 1);
	while (s.len > 0 && s.p[s.len - 1] == ' ')
		s.len--;
	return s;
}

/* [[timeline, LSN, reason, time, leader], …]: who was promoted last. */
static void take_history(struct dcs_keys *k, struct slice value)
{
	cJSON *doc = json_parse(value);
	const cJSON *line =
	    cJSON_GetArrayItem(doc, cJSON_GetArraySize(doc) - 1);
	const cJSON *leader = cJSON_GetArrayItem(line, 4);

	k->view.history_leader[0] = '\0';
	if (cJSON_IsString(leader) &&
	    !slice_copy(slice_str(leader->valuestring), k->view.history_leader,
		sizeof(k->view.history_leader)))
		k->ignored++;
	cJSON_Delete(doc);
}

/* "node2, node3": members that hold every acknowledged write. */
static void take_sync(struct dcs_keys *k, struct slice value)
{
	cJSON *doc = json_parse(value);
	struct slice rest = json_str(doc, "sync_standby");
	struct ev_view *v = &k->view;

	v->sync_n = 0;
	memset(v->sync_standby, 0, sizeof(v->sync_standby));
	while (rest.len > 0 && v->sync_n < LIM_MEMBERS) {
		const unsigned char *comma = memchr(rest.p, ',', rest.len);
		size_t len =
		    comma != NULL ? (size_t)(comma - rest.p) : rest.len;
		struct slice name = trim(slice_of(rest.p, len));

		if (name.len > 0 &&
		    slice_copy(name, v->sync_standby[v->sync_n], LIM_NAME))
			v->sync_n++;
		rest = slice_skip(rest, len < rest.len ? len + 1 : len);
	}
	cJSON_Delete(doc);
}

static int find_member(const struct ev_view *v, struct slice name)
{
	int i;

	for (i = 0; i < v->n; i++) {
		if (is_slice_eq(name, v->m[i].name))
			return i;
	}
	return -1;
}

/* Gives: the member's place, a new one if need be, or NULL without room. */
static struct ev_dcs_member *place_member(struct ev_view *v, struct slice name)
{
	int i = find_member(v, name);
	struct ev_dcs_member *m;

	if (i == -1 && v->n == LIM_MEMBERS)
		return NULL;
	m = &v->m[i == -1 ? v->n : i];
	memset(m, 0, sizeof(*m));
	if (name.len == 0 || !slice_copy(name, m->name, sizeof(m->name)))
		return NULL;
	if (i == -1)
		v->n++;
	m->present = true;
	return m;
}

static void fill_urls(const cJSON *doc, struct ev_dcs_member *m)
{
	struct connurl url;

	if (connurl_parse(json_str(doc, "conn_url"), &url) &&
	    url.scheme == CONNURL_POSTGRES) {
		memcpy(m->host, url.host, sizeof(m->host));
		m->port = url.port;
	}
	if (connurl_parse(json_str(doc, "proxy_url"), &url) &&
	    url.scheme == CONNURL_POSTGRES) {
		memcpy(m->proxy_host, url.host, sizeof(m->proxy_host));
		m->proxy_port = url.port;
	}
	if (connurl_parse(json_str(doc, "api_url"), &url) &&
	    url.scheme != CONNURL_POSTGRES) {
		memcpy(m->api_host, url.host, sizeof(m->api_host));
		m->api_port = url.port;
		m->api_tls = url.scheme == CONNURL_HTTPS;
	}
}

static void put_member(
    struct dcs_keys *k, struct slice name, struct slice value)
{
	struct ev_dcs_member *m = place_member(&k->view, name);
	enum ev_state replication;
	cJSON *doc;
	int64_t tli;

	if (m == NULL) {
		k->ignored++;
		return;
	}
	doc = json_parse(value);
	fill_urls(doc, m);
	m->role = patroni_role(json_str(doc, "role"));
	m->state = patroni_state(json_str(doc, "state"));
	replication = patroni_state(json_str(doc, "replication_state"));
	if (m->state == EV_STATE_RUNNING && replication != EV_STATE_NONE)
		m->state = replication;
	tli = json_i64(doc, "timeline");
	m->tli = tli <= UINT32_MAX ? (uint32_t)tli : 0;
	m->lsn = json_u64(doc, "xlog_location");
	patroni_tags(json_get(doc, "tags"), m);
	cJSON_Delete(doc);
}

static void del_member(struct dcs_keys *k, struct slice name)
{
	struct ev_view *v = &k->view;
	int i = find_member(v, name);

	if (i == -1)
		return;
	v->n--;
	v->m[i] = v->m[v->n];
	memset(&v->m[v->n], 0, sizeof(v->m[v->n]));
}

/* Gives: whether `s` begins with `lead`, and *rest, what is behind it. */
static bool has_lead(struct slice s, const char *lead, struct slice *rest)
{
	size_t len = strlen(lead);

	if (s.len < len || memcmp(s.p, lead, len) != 0)
		return false;
	*rest = slice_skip(s, len);
	return true;
}

/* value.p NULL: the key is gone. */
static void take(
    struct dcs_keys *k, struct slice key, struct slice value, int64_t rev)
{
	struct slice name, member;

	if (!has_lead(key, k->prefix, &name))
		return;
	if (has_lead(name, "members/", &member)) {
		if (value.p != NULL)
			put_member(k, member, value);
		else
			del_member(k, member);
	} else if (is_slice_eq(name, "leader")) {
		take_leader(k, value, rev);
	} else if (is_slice_eq(name, "initialize")) {
		take_initialize(k, value);
	} else if (is_slice_eq(name, "config")) {
		take_config(k, value);
	} else if (is_slice_eq(name, "failover")) {
		take_failover(k, value);
	} else if (is_slice_eq(name, "history")) {
		take_history(k, value);
	} else if (is_slice_eq(name, "sync")) {
		take_sync(k, value);
	}
}

void dcs_keys_put(struct dcs_keys *k, struct slice key, struct slice value,
    int64_t mod_revision)
{
	static const unsigned char empty = 0;

	assert(k != NULL && key.p != NULL);
	take(k, key, value.p != NULL ? value : slice_of(&empty, 0),
	    mod_revision);
}

void dcs_keys_del(struct dcs_keys *k, struct slice key)
{
	assert(k != NULL && key.p != NULL);
	take(k, key, gone, 0);
}

bool is_dcs_keys_leader(const struct dcs_keys *k, struct slice key)
{
	struct slice name;

	assert(k != NULL);
	return has_lead(key, k->prefix, &name) && is_slice_eq(name, "leader");
}

bool is_dcs_keys_above(const struct dcs_keys *k, struct slice dir)
{
	assert(k != NULL);
	return dir.len < strlen(k->prefix) &&
	    (dir.len == 0 || memcmp(k->prefix, dir.p, dir.len) == 0) &&
	    k->prefix[dir.len] == '/';
}

void dcs_keys_del_dir(struct dcs_keys *k, struct slice dir)
{
	struct ev_view *v = &k->view;
	struct slice name;

	if (is_dcs_keys_above(k, dir)) {
		dcs_keys_clear(k);
	} else if (has_lead(dir, k->prefix, &name) &&
	    is_slice_eq(name, "members")) {
		memset(v->m, 0, sizeof(v->m));
		v->n = 0;
	}
}
