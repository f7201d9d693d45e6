/*
 * http_setup.c - see http_setup.h. Called by http_client.c.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "http_setup.h"

#define URL_MAX 1024
#define TO_MAX 128
/* A stream may be silent for hours; its peer may not be gone that long. */
#define ALIVE_IDLE_S 5L
#define ALIVE_EVERY_S 2L

static bool add_header(struct http_lists *l, const char *line)
{
	struct curl_slist *more = curl_slist_append(l->headers, line);

	if (more != NULL)
		l->headers = more;
	return more != NULL;
}

static bool set_target(
    CURL *easy, struct http_lists *l, const struct http_ask *ask)
{
	const char *name = ask->name != NULL ? ask->name : ask->addr;
	const char *open = strchr(name, ':') != NULL ? "[" : "";
	const char *close = *open != '\0' ? "]" : "";
	bool v6 = strchr(ask->addr, ':') != NULL;
	char url[URL_MAX], to[TO_MAX];
	int n, m;

	n = snprintf(url, sizeof(url), "%s://%s%s%s:%u%s",
	    ask->tls ? "https" : "http", open, name, close, (unsigned)ask->port,
	    ask->path);
	m = snprintf(to, sizeof(to), v6 ? "::[%s]:%u" : "::%s:%u", ask->addr,
	    (unsigned)ask->port);
	if (n < 0 || (size_t)n >= sizeof(url) || m < 0 ||
	    (size_t)m >= sizeof(to))
		return false;
	if (strcmp(name, ask->addr) != 0) {
		l->connect_to = curl_slist_append(NULL, to);
		if (l->connect_to == NULL)
			return false;
	}
	return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, l->connect_to) ==
	    CURLE_OK;
}

/* Copied, so that a reload may replace the texts under a kept connection. */
static bool set_blob(CURL *easy, CURLoption option, struct slice s)
{
	struct curl_blob blob = {.data = (void *)(uintptr_t)s.p,
	    .len = s.len,
	    .flags = CURL_BLOB_COPY};

	return s.len == 0 || curl_easy_setopt(easy, option, &blob) == CURLE_OK;
}

static bool set_tls(CURL *easy, const struct http_tls *pem)
{
	return pem == NULL ||
	    (set_blob(easy, CURLOPT_CAINFO_BLOB, pem->ca) &&
		set_blob(easy, CURLOPT_SSLCERT_BLOB, pem->cert) &&
		set_blob(easy, CURLOPT_SSLKEY_BLOB, pem->key));
}

static void set_alive(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, ALIVE_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, ALIVE_EVERY_S);
}

bool http_setup(
    CURL *easy, struct http_lists *lists, const struct http_ask *ask)
{
	assert(easy != NULL && lists != NULL && ask != NULL);
	if (!set_target(easy, lists, ask))
		return false;
	if (ask->tls && !set_tls(easy, ask->pem))
		return false;
	if (ask->deadline.us == 0)
		set_alive(easy);
	if (ask->header != NULL && !add_header(lists, ask->header))
		return false;
	if (ask->auth != NULL && !add_header(lists, ask->auth))
		return false;
	if (ask->post != NULL) {
		if (!add_header(lists, "Content-Type: application/json") ||
		    !add_header(lists, "Expect:"))
			return false;
		if (curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, ask->post) !=
		    CURLE_OK)
			return false;
	}
	return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lists->headers) ==
	    CURLE_OK;
}
