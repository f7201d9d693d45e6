/*
 * ctl.c - asking this host's prober; see ctl.h.
 */
#include "ctl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "look.h"
#include "text.h"

#define SOCKET_DEFAULT "/run/patroute/http.sock"
#define PATIENCE_MS 5000

int ctl_fail(const struct ctl *ctl, const char *fmt, ...)
{
	char raw[LIM_LOG_LINE], clean[TEXT_CLEAN_MAX(LIM_LOG_LINE)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	(void)text_clean(slice_str(raw), ctl->out.utf8, clean, sizeof(clean));
	(void)fflush(ctl->out.file);
	(void)fprintf(stderr, "patroutectl: %s\n", clean);
	return CTL_FAILED;
}

const struct conf *ctl_conf(struct ctl *ctl)
{
	struct conf_err err;

	if (ctl->conf == NULL) {
		ctl->conf = conf_load(ctl->conf_path, &err);
		if (ctl->conf == NULL)
			(void)ctl_fail(ctl, "%s", err.text);
	}
	return ctl->conf;
}

const char *ctl_socket(struct ctl *ctl)
{
	struct conf_err err;

	if (ctl->socket != NULL)
		return ctl->socket;
	/* Who may ask the prober need not be able to read its secrets. */
	if (ctl->conf == NULL)
		ctl->conf = conf_load(ctl->conf_path, &err);
	return ctl->conf != NULL ? ctl->conf->prober.http_socket
				 : SOCKET_DEFAULT;
}

static cJSON *ask(
    struct ctl *ctl, const char *path, const char *body, long *status)
{
	char url[LIM_TEXT];
	struct ctl_http_got got;
	struct ctl_http_ask q = {.socket = ctl_socket(ctl),
	    .url = url,
	    .post = body,
	    .timeout = dur_ms(PATIENCE_MS)};
	cJSON *doc = NULL;

	(void)snprintf(url, sizeof(url), "http://prober%s", path);
	if (!ctl_http_ask(ctl->http, &q, &got)) {
		(void)ctl_fail(ctl,
		    "%s: %s; is patroute-prober running, and "
		    "may %s open its socket?",
		    q.socket, got.why, geteuid() == 0 ? "root" : "this user");
	} else {
		doc = json_parse(slice_of(got.body, got.len));
		*status = got.status;
		if (doc == NULL)
			(void)ctl_fail(ctl,
			    "%s: %s: status %ld and no JSON, expected a "
			    "patroute-prober that knows it",
			    q.socket, path, got.status);
	}
	ctl_http_done(&got);
	return doc;
}

cJSON *ctl_get(struct ctl *ctl, const char *path)
{
	long status = 0;
	cJSON *doc = ask(ctl, path, NULL, &status);

	if (doc == NULL || status == 200)
		return doc;
	(void)ctl_fail(ctl, "%s: status %ld, expected 200: %s", path, status,
	    look_text(doc, "text", "no reason given"));
	cJSON_Delete(doc);
	return NULL;
}

cJSON *ctl_post(
    struct ctl *ctl, const char *path, const cJSON *body, long *status)
{
	char *text = cJSON_PrintUnformatted(body);
	cJSON *doc = NULL;

	if (text != NULL)
		doc = ask(ctl, path, text, status);
	free(text);
	return doc;
}

/* Keeps the cluster of that name. Gives: is there one? */
static bool keep_only(cJSON *list, const char *name)
{
	cJSON *c = list != NULL ? list->child : NULL;

	while (c != NULL) {
		cJSON *next = c->next;

		if (strcmp(look_text(c, "name", ""), name) != 0)
			cJSON_Delete(cJSON_DetachItemViaPointer(list, c));
		c = next;
	}
	return list != NULL && list->child != NULL;
}

const struct conf_cluster *ctl_conf_cluster(struct ctl *ctl, const cJSON *c)
{
	(void)ctl_socket(ctl); /* reads it quietly */
	for (uint16_t i = 0; ctl->conf != NULL && i < ctl->conf->cluster_n; i++)
		if (strcmp(ctl->conf->cluster[i].name,
			look_text(c, "name", "")) == 0)
			return &ctl->conf->cluster[i];
	return NULL;
}

cJSON *ctl_topology(struct ctl *ctl)
{
	cJSON *doc = ctl_get(ctl, "/topology");

	if (doc == NULL)
		return NULL;
	if (!cJSON_IsArray(json_get(doc, "clusters"))) {
		(void)ctl_fail(ctl, "/topology: no list of clusters in it");
	} else if (ctl->only == NULL ||
	    keep_only(
		cJSON_GetObjectItemCaseSensitive(doc, "clusters"), ctl->only)) {
		return doc;
	} else {
		(void)ctl_fail(ctl,
		    "--cluster %s: this prober has no such cluster", ctl->only);
	}
	cJSON_Delete(doc);
	return NULL;
}

const cJSON *ctl_one_cluster(struct ctl *ctl, const cJSON *topology)
{
	const cJSON *c = json_first(json_get(topology, "clusters"));

	if (c != NULL && c->next == NULL)
		return c;
	(void)ctl_fail(ctl,
	    c == NULL ? "this prober has no cluster"
		      : "this prober has several clusters, "
			"expected --cluster NAME");
	return NULL;
}

const cJSON *ctl_member(struct ctl *ctl, const cJSON *cluster, const char *name)
{
	char names[LIM_TEXT * 2] = "";
	size_t used = 0;

	for (const cJSON *m = json_first(json_get(cluster, "members"));
	     m != NULL; m = m->next) {
		const char *its = look_text(m, "name", "");

		if (strcmp(its, name) == 0)
			return m;
		if (used < sizeof(names))
			used +=
			    (size_t)snprintf(names + used, sizeof(names) - used,
				"%s%s", used > 0 ? ", " : "", its);
	}
	(void)ctl_fail(ctl, "%s: no such member of %s, expected one of: %s",
	    name, look_text(cluster, "name", "?"),
	    names[0] != '\0' ? names : "(none is known)");
	return NULL;
}

void ctl_print_json(struct ctl *ctl, const cJSON *doc)
{
	char *text = cJSON_PrintUnformatted(doc);

	if (text != NULL)
		out_json(&ctl->out, text);
	free(text);
}
