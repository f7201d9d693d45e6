/*
 * roster_json.c - see roster_json.h.
 */
#include <assert.h>
#include <string.h>

#include "connurl.h"
#include "json.h"
#include "patroni_json.h"
#include "roster_json.h"

/* Words of its own: what the DCS says, not the member. */
static enum ev_role role_of(struct slice word)
{
	if (is_slice_eq(word, "leader"))
		return EV_ROLE_PRIMARY;
	if (is_slice_eq(word, "sync_standby") ||
	    is_slice_eq(word, "quorum_standby"))
		return EV_ROLE_REPLICA;
	return patroni_role(word);
}

static void fill_places(const cJSON *o, struct ev_dcs_member *m)
{
	int64_t port = json_i64(o, "port");
	struct connurl url;

	if (slice_copy(json_str(o, "host"), m->host, sizeof(m->host)))
		m->port =
		    port > 0 && port <= UINT16_MAX ? (uint16_t)port : 5432;
	else
		m->host[0] = '\0';
	if (connurl_parse(json_str(o, "api_url"), &url) &&
	    url.scheme != CONNURL_POSTGRES) {
		memcpy(m->api_host, url.host, sizeof(m->api_host));
		m->api_port = url.port;
		m->api_tls = url.scheme == CONNURL_HTTPS;
	}
}

static void add_member(const cJSON *o, struct ev_view *v)
{
	struct ev_dcs_member *m = &v->m[v->n];
	struct slice name = json_str(o, "name"), role = json_str(o, "role");
	int64_t tli = json_i64(o, "timeline");

	if (name.len == 0 || !slice_copy(name, m->name, sizeof(m->name)))
		return;
	v->n++;
	m->present = true;
	fill_places(o, m);
	m->role = role_of(role);
	m->state = patroni_state(json_str(o, "state"));
	m->tli = tli <= UINT32_MAX ? (uint32_t)tli : 0;
	patroni_tags(json_get(o, "tags"), m);
	if (is_slice_eq(role, "sync_standby") ||
	    is_slice_eq(role, "quorum_standby")) {
		memcpy(v->sync_standby[v->sync_n++], m->name, LIM_NAME);
		v->sync_mode = true;
	}
}

bool roster_json(struct slice body, struct ev_view *out)
{
	cJSON *doc = json_parse(body);
	const cJSON *o = json_first(json_get(doc, "members"));

	assert(out != NULL);
	memset(out, 0, sizeof(*out));
	for (; o != NULL && out->n < LIM_MEMBERS; o = o->next)
		add_member(o, out);
	if (out->n > 0)
		out->pause = is_json_true(doc, "pause");
	cJSON_Delete(doc);
	return out->n > 0;
}
