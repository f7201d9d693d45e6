/*
 * ctl_http.c - libcurl's easy interface; see ctl_http.h.
 */
#include "ctl_http.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lim.h"

struct ctl_http {
	CURL *curl;
	char error[CURL_ERROR_SIZE];
};

struct body {
	const struct ctl_http_ask *ask;
	struct ctl_http_got *got;
	bool too_long, ended;
};

struct ctl_http *ctl_http_new(void)
{
	struct ctl_http *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->curl = curl_easy_init();
	if (h->curl == NULL) {
		free(h);
		return NULL;
	}
	return h;
}

void ctl_http_free(struct ctl_http *h)
{
	if (h == NULL)
		return;
	curl_easy_cleanup(h->curl);
	free(h);
}

static size_t body_cb(char *data, size_t one, size_t n, void *arg)
{
	struct body *b = arg;
	size_t len = one * n;
	char *grown;

	if (b->ask->piece != NULL) {
		b->ended = !b->ask->piece(b->ask->arg, slice_of(data, len));
		return b->ended ? 0 : len;
	}
	b->too_long = len > LIM_CTL_BODY - b->got->len;
	if (b->too_long)
		return 0;
	grown = realloc(b->got->body, b->got->len + len + 1);
	if (grown == NULL)
		return 0;
	b->got->body = grown;
	memcpy(grown + b->got->len, data, len);
	b->got->len += len;
	grown[b->got->len] = '\0';
	return len;
}

static bool is_set(const char *s)
{
	return s != NULL && s[0] != '\0';
}

static void set_peer(CURL *c, const struct ctl_http_ask *ask)
{
	(void)curl_easy_setopt(c, CURLOPT_URL, ask->url);
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_CERTINFO, 1L);
	/* Neither a proxy of the environment nor a password of the home
	   folder has a say in where a cluster's state comes from. */
	(void)curl_easy_setopt(c, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	(void)curl_easy_setopt(
	    c, CURLOPT_TIMEOUT_MS, (long)dur_to_ms(ask->timeout));
	if (ask->socket != NULL)
		(void)curl_easy_setopt(
		    c, CURLOPT_UNIX_SOCKET_PATH, ask->socket);
	if (is_set(ask->ca))
		(void)curl_easy_setopt(c, CURLOPT_CAINFO, ask->ca);
	if (is_set(ask->cert))
		(void)curl_easy_setopt(c, CURLOPT_SSLCERT, ask->cert);
	if (is_set(ask->key))
		(void)curl_easy_setopt(c, CURLOPT_SSLKEY, ask->key);
	if (is_set(ask->user))
		(void)curl_easy_setopt(c, CURLOPT_USERPWD, ask->user);
}

static struct curl_slist *headers(const struct ctl_http_ask *ask)
{
	char accept[128];
	struct curl_slist *list;

	(void)snprintf(accept, sizeof(accept), "Accept: %s",
	    ask->accept != NULL ? ask->accept : "application/json");
	list = curl_slist_append(NULL, accept);
	if (ask->post != NULL && list != NULL)
		(void)curl_slist_append(list, "Content-Type: application/json");
	if (is_set(ask->token) && list != NULL) {
		char token[LIM_TEXT + 32];

		(void)snprintf(
		    token, sizeof(token), "Authorization: %s", ask->token);
		(void)curl_slist_append(list, token);
	}
	return list;
}

/* "Expire date:Nov 21 19:00:00 2027 GMT", of the peer's own certificate. */
static int64_t cert_end(CURL *c)
{
	static const char key[] = "Expire date:";
	struct curl_certinfo *info = NULL;
	const struct curl_slist *line;

	if (curl_easy_getinfo(c, CURLINFO_CERTINFO, &info) != CURLE_OK ||
	    info == NULL || info->num_of_certs < 1)
		return 0;
	for (line = info->certinfo[0]; line != NULL; line = line->next) {
		time_t at;

		if (strncmp(line->data, key, sizeof(key) - 1) != 0)
			continue;
		at = curl_getdate(line->data + sizeof(key) - 1, NULL);
		return at > 0 ? at : 0;
	}
	return 0;
}

static void note_peer(CURL *c, struct ctl_http_got *got)
{
	struct curl_header *date = NULL;

	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &got->status);
	got->cert_end = cert_end(c);
	if (curl_easy_header(c, "Date", 0, CURLH_HEADER, -1, &date) ==
	    CURLHE_OK)
		got->date = curl_getdate(date->value, NULL);
	if (got->date < 0)
		got->date = 0;
}

static const char *why_not(
    const struct ctl_http *h, const struct body *b, CURLcode rc)
{
	if (b->too_long)
		return "the answer is longer than 16 MiB";
	return h->error[0] != '\0' ? h->error : curl_easy_strerror(rc);
}

bool ctl_http_ask(struct ctl_http *h, const struct ctl_http_ask *ask,
    struct ctl_http_got *got)
{
	struct body b = {.ask = ask, .got = got};
	struct curl_slist *list;
	CURLcode rc;

	assert(h != NULL && ask != NULL && got != NULL && ask->url != NULL);
	memset(got, 0, sizeof(*got));
	h->error[0] = '\0';
	curl_easy_reset(h->curl);
	set_peer(h->curl, ask);
	list = headers(ask);
	(void)curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, list);
	(void)curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->error);
	(void)curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, body_cb);
	(void)curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, &b);
	if (ask->post != NULL)
		(void)curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, ask->post);
	rc = curl_easy_perform(h->curl);
	note_peer(h->curl, got);
	curl_slist_free_all(list);
	if (rc == CURLE_OK || (rc == CURLE_WRITE_ERROR && b.ended))
		return true;
	(void)snprintf(got->why, sizeof(got->why), "%s", why_not(h, &b, rc));
	return false;
}

void ctl_http_done(struct ctl_http_got *got)
{
	free(got->body);
	got->body = NULL;
	got->len = 0;
}
