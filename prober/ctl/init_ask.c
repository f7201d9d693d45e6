/*
 * init_ask.c - one address is asked what it is, and what it knows; see init.h.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl_http.h"
#include "etcd2_json.h"
#include "etcd3_json.h"
#include "etcd_text.h"
#include "init.h"
#include "json.h"
#include "look.h"

#define PATIENCE_MS 4000

cJSON *init_get(
    const struct init_way *way, const char *path, const char *post, char *why)
{
	char url[LIM_TEXT * 2];
	struct ctl_http_got got;
	const struct ctl_http_ask ask = {.url = url,
	    .post = post,
	    .timeout = dur_ms(PATIENCE_MS),
	    .ca = way->ca,
	    .cert = way->cert,
	    .key = way->key,
	    /* v3's gateway knows tokens, v2 knows passwords. */
	    .user = strncmp(path, "/v2/", 4) == 0 ? way->user : NULL,
	    .token = way->token};
	cJSON *doc = NULL;

	(void)snprintf(url, sizeof(url), "%s%s", way->url, path);
	if (!ctl_http_ask(way->http, &ask, &got)) {
		(void)snprintf(why, LIM_TEXT, "%.240s", got.why);
	} else {
		doc = json_parse(slice_of(got.body, got.len));
		if (doc == NULL)
			(void)snprintf(why, LIM_TEXT,
			    "%.150s: status %ld and no JSON", path, got.status);
		/* An error's own document is for etcd's callers to read. */
	}
	ctl_http_done(&got);
	return doc;
}

static void kv_cb(void *arg, const struct etcd3_kv *kv)
{
	init_key(arg, kv->key, kv->value);
}

static bool ask_range(
    const struct init_way *way, struct init_found *f, const char *prefix)
{
	char body[LIM_TEXT * 4], end[LIM_TEXT];
	struct etcd_text t = {.p = body, .size = sizeof(body)};
	const struct etcd3_sink sink = {kv_cb, f};
	struct etcd3_head head;
	size_t n = strlen(prefix);
	char *text;
	cJSON *doc;
	bool ok = false;

	memcpy(end, prefix, n + 1);
	end[n - 1]++;
	etcd_text_add(&t, "{\"key\":\"");
	etcd_text_base64(&t, slice_str(prefix));
	etcd_text_add(&t, "\",\"range_end\":\"");
	etcd_text_base64(&t, slice_str(end));
	etcd_text_add(
	    &t, strcmp(prefix, "/") == 0 ? "\",\"keys_only\":true}" : "\"}");
	doc = init_get(way, "/v3/kv/range", body, f->why);
	text = doc != NULL ? cJSON_PrintUnformatted(doc) : NULL;
	if (text != NULL)
		ok = etcd3_range(slice_str(text), &sink, &head);
	if (doc != NULL && !ok)
		(void)snprintf(f->why, sizeof(f->why), "%.200s",
		    look_text(doc, "message",
			look_text(doc, "error", "an answer of no range")));
	free(text);
	cJSON_Delete(doc);
	return ok;
}

/* etcd's own members; `body` as init_get() takes it. */
static void ask_members(const struct init_way *way, struct init_found *f,
    const char *path, const char *body)
{
	char why[LIM_TEXT];
	cJSON *doc = init_get(way, path, body, why);

	for (const cJSON *m = json_first(json_get(doc, "members")); m != NULL;
	     m = m->next)
		for (const cJSON *u = json_first(json_get(m, "clientURLs"));
		     u != NULL; u = u->next)
			if (cJSON_IsString(u))
				init_endpoint(f, u->valuestring);
	cJSON_Delete(doc);
}

/* v3's token of the user. Gives: false and f->why. */
static bool log_in(struct init_way *way, struct init_found *f)
{
	const char *colon = strchr(way->user, ':');
	cJSON *ask, *doc;
	char *text, user[LIM_SECRET];

	if (colon == NULL)
		return true;
	(void)slice_copy(slice_of(way->user, (size_t)(colon - way->user)), user,
	    sizeof(user));
	ask = cJSON_CreateObject();
	(void)cJSON_AddStringToObject(ask, "name", user);
	(void)cJSON_AddStringToObject(ask, "password", colon + 1);
	text = cJSON_PrintUnformatted(ask);
	doc = text == NULL
	    ? NULL
	    : init_get(way, "/v3/auth/authenticate", text, f->why);
	if (!slice_copy(json_str(doc, "token"), way->token, LIM_TEXT))
		way->token[0] = '\0';
	if (way->token[0] == '\0' && doc != NULL)
		(void)snprintf(f->why, sizeof(f->why),
		    "etcd refuses the user of --etcd-auth: %.150s",
		    look_text(doc, "error", "no token"));
	cJSON_Delete(doc);
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
	cJSON_Delete(ask);
	return way->token[0] != '\0';
}

/* Of all etcd, or of what Patroni's user is likely to read. */
static bool ask_all(const struct init_way *way, struct init_found *f)
{
	char prefix[LIM_NAME + 16], why[LIM_TEXT];

	if (ask_range(way, f, "/"))
		return true;
	memcpy(why, f->why, sizeof(why));
	if (strstr(why, "permission") != NULL && ask_range(way, f, "/service/"))
		return true;
	if (strstr(why, "permission") != NULL && f->only != NULL) {
		(void)snprintf(prefix, sizeof(prefix), "/service/%s/", f->only);
		return ask_range(way, f, prefix);
	}
	(void)snprintf(f->why, sizeof(f->why), "%.150s%s", why,
	    strstr(why, "user name is empty") != NULL
		? ": expected --etcd-auth FILE (USER:PASSWORD)"
		: strstr(why, "permission") != NULL
		? ": expected a user who may read /service/, or with --scope "
		  "NAME /service/NAME/"
		: "");
	return false;
}

static void ask_v3(struct init_way *way, struct init_found *f)
{
	if (!log_in(way, f) || !ask_all(way, f))
		return;
	f->api = "v3";
	f->why[0] = '\0';
	for (unsigned i = 0; i < f->n; i++) {
		char prefix[2 * LIM_NAME + 16];

		(void)snprintf(prefix, sizeof(prefix), "%s/%s/members/",
		    f->c[i].namespace, f->c[i].scope);
		/* What cannot be read stays without its addresses. */
		if (!ask_range(way, f, prefix))
			continue;
	}
	ask_members(way, f, "/v3/cluster/member/list", "{}");
}

/* A directory of v2, and what is below it. The document's depth is bounded. */
static void walk_v2(struct init_found *f, const cJSON *node)
{
	for (; node != NULL; node = node->next) {
		const cJSON *below = json_first(json_get(node, "nodes"));

		if (below != NULL)
			walk_v2(f, below);
		else if (json_str(node, "key").p != NULL)
			init_key(
			    f, json_str(node, "key"), json_str(node, "value"));
	}
}

static void ask_v2(const struct init_way *way, struct init_found *f)
{
	char why[LIM_TEXT];
	cJSON *doc = init_get(way, "/v2/keys/?recursive=true", NULL, why);
	const cJSON *node = json_get(doc, "node");

	if (node != NULL) {
		f->api = "v2";
		walk_v2(f, json_first(json_get(node, "nodes")));
	}
	cJSON_Delete(doc);
	if (f->n > 0)
		ask_members(way, f, "/v2/members", NULL);
}

bool init_ask_etcd(struct init_way *way, struct init_found *f)
{
	f->is_etcd = true;
	init_endpoint(f, way->url);
	ask_v3(way, f);
	if (f->n == 0)
		ask_v2(way, f);
	if (f->n == 0 && f->why[0] == '\0')
		(void)snprintf(f->why, sizeof(f->why),
		    "no key of a Patroni cluster is in this etcd, expected "
		    "/NAMESPACE/SCOPE/initialize");
	return f->n > 0;
}

static bool ask_patroni(
    const struct init_way *way, struct init_found *f, const cJSON *own)
{
	const cJSON *patroni = json_get(own, "patroni");
	const char *scope = look_text(patroni, "scope", "");
	cJSON *doc = init_get(way, "/cluster", NULL, f->why);

	init_version(f, patroni, "version");
	init_patroni_cluster(f, scope, doc);
	cJSON_Delete(doc);
	if (f->n == 0 && f->why[0] == '\0')
		(void)snprintf(f->why, sizeof(f->why),
		    "its scope cannot be a cluster's name here, expected "
		    "letters, digits, dots, - and _");
	return f->n > 0;
}

bool init_ask(struct init_way *way, struct init_found *f)
{
	cJSON *doc;
	bool ok;

	(void)snprintf(f->from, sizeof(f->from), "%s", way->url);
	doc = init_get(way, "/version", NULL, f->why);
	if (look_text(doc, "etcdserver", NULL) != NULL) {
		f->why[0] = '\0';
		init_version(f, doc, "etcdserver");
		cJSON_Delete(doc);
		return init_ask_etcd(way, f);
	}
	cJSON_Delete(doc);
	doc = init_get(way, "/patroni", NULL, f->why);
	if (json_get(doc, "patroni") == NULL) {
		if (doc != NULL)
			(void)snprintf(f->why, sizeof(f->why),
			    "neither an etcd nor a Patroni answers there");
		cJSON_Delete(doc);
		return false;
	}
	f->why[0] = '\0';
	ok = ask_patroni(way, f, doc);
	cJSON_Delete(doc);
	return ok;
}
