/*
 * http_setup.c - see http_setup.h. Called by http_client.c.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "http_setup.h"

#define URL_MAX 1024
#define TO_MAX 128
/* A stream may be silent for hours; its peer may not be gone that long. */
#define ALIVE_IDLE_S 5L
#define ALIVE_EVERY_S 2L
#define WARM_TURNS 8 /* three do */
#define WARM_TURN_MS 10
#define SUN_ROOM sizeof(((struct sockaddr_un *)NULL)->sun_path)

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
	/* A name with dots in it is no way up to other keys. */
	return curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
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

/*
 * To read the system's authorities takes 30 ms of processor, whether from a
 * file or from memory: curl does it once and for all, but only where no folder
 * of them is named as well.
 */
static void keep_authorities(CURL *easy)
{
	if (curl_version_info(CURLVERSION_NOW)->cainfo != NULL)
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, -1L);
}

static CURLcode trust_cb(CURL *easy, void *ctx, void *arg)
{
	(void)easy;
	SSL_CTX_set1_cert_store(ctx, arg);
	return CURLE_OK;
}

/*
 * In place of the authorities that curl would parse. curl may set up its own
 * after the callback, and what it keeps of them it knows by CAINFO alone: one
 * cluster's would be every other's.
 */
static bool set_trust(CURL *easy, struct x509_store_st *trust)
{
	return curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L) ==
	    CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, trust) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, trust_cb) ==
	    CURLE_OK;
}

static bool set_tls(
    CURL *easy, const struct http_tls *pem, struct x509_store_st *trust)
{
	if (pem == NULL || pem->ca.len == 0)
		keep_authorities(easy);
	return pem == NULL ||
	    ((trust != NULL ? set_trust(easy, trust)
			    : set_blob(easy, CURLOPT_CAINFO_BLOB, pem->ca)) &&
		set_blob(easy, CURLOPT_SSLCERT_BLOB, pem->cert) &&
		set_blob(easy, CURLOPT_SSLKEY_BLOB, pem->key));
}

static void set_alive(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, ALIVE_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, ALIVE_EVERY_S);
}

bool http_setup(CURL *easy, struct http_lists *lists,
    const struct http_ask *ask, struct x509_store_st *trust)
{
	assert(easy != NULL && lists != NULL && ask != NULL);
	if (!set_target(easy, lists, ask))
		return false;
	if (ask->tls && !set_tls(easy, ask->pem, trust))
		return false;
	if (ask->deadline.us == 0)
		set_alive(easy);
	/* A stream's server may answer before it has read all of the question,
	   and Go's then throws the rest away (net/http, writeHeader), unless
	   the connection ends with it. Of hundreds of watches etcd's gateway
	   would open the first few. */
	if (ask->piece != NULL && !add_header(lists, "Connection: close"))
		return false;
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
	if (ask->method != NULL &&
	    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, ask->method) !=
		CURLE_OK)
		return false;
	return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lists->headers) ==
	    CURLE_OK;
}

/* A listener on a name that the kernel chooses, or -1. */
static int listen_anywhere(char name[static SUN_ROOM])
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(a);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return -1;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a.sun_family)) == -1 ||
	    listen(fd, 1) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) == -1 ||
	    len >= sizeof(a)) {
		(void)close(fd);
		return -1;
	}
	/* Its first byte, a NUL, says that it is no file. */
	(void)snprintf(name, SUN_ROOM, "%s", a.sun_path + 1);
	return fd;
}

/* curl looks for authorities at the first byte of an answer, whatever it is. */
static void answer(int fd)
{
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (conn == -1)
		return;
	(void)send(conn, "no TLS\n", 7, MSG_NOSIGNAL);
	(void)close(conn);
}

static void shake_hands(CURLM *multi, CURL *easy, const char *name, int fd)
{
	int running = 1;

	curl_easy_setopt(easy, CURLOPT_URL, "https://127.0.0.1/");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_ABSTRACT_UNIX_SOCKET, name);
	keep_authorities(easy);
	if (curl_multi_add_handle(multi, easy) != CURLM_OK)
		return;
	for (int i = 0; i < WARM_TURNS && running > 0; i++) {
		(void)curl_multi_perform(multi, &running);
		answer(fd);
		if (running > 0)
			(void)curl_multi_poll(
			    multi, NULL, 0, WARM_TURN_MS, NULL);
	}
	curl_multi_remove_handle(multi, easy);
}

void http_setup_warm(CURLM *multi)
{
	char name[SUN_ROOM];
	CURL *easy;
	int fd;

	assert(multi != NULL);
	fd = listen_anywhere(name);
	if (fd == -1)
		return;
	easy = curl_easy_init();
	if (easy != NULL)
		shake_hands(multi, easy, name, fd);
	curl_easy_cleanup(easy);
	(void)close(fd);
}
