/*
 * ctl_http.h - one question by HTTP, and its answer; blocks, bounded in time
 * and size, and follows no redirect.
 */
#ifndef CTL_HTTP_H
#define CTL_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mono.h"
#include "slice.h"

#define CTL_HTTP_WHY 256

struct ctl_http;

struct ctl_http_ask {
	const char *socket; /* a unix socket's path, NULL: the URL's host */
	const char *url;
	const char *post;            /* JSON; NULL: GET */
	const char *accept;          /* NULL: JSON */
	struct dur timeout;          /* of the whole; 0: none */
	const char *ca, *cert, *key; /* PEM files, NULL or "": none */
	const char *user;            /* USER:PASSWORD, NULL: none */
	const char *token;           /* etcd's, of a user; NULL: none */
	/* Gets the body piece by piece instead of got->body, where set.
	   Gives: false to end the answer. */
	bool (*piece)(void *arg, struct slice piece);
	void *arg;
};

struct ctl_http_got {
	long status; /* 0: no answer, and why */
	char *body;  /* NUL-terminated, NULL: none */
	size_t len;
	char why[CTL_HTTP_WHY];
	int64_t date; /* the server's clock, seconds since 1970; 0: unsaid */
	int64_t cert_end; /* when its certificate ends; 0: it has none */
};

/* Gives: NULL if memory is out. */
struct ctl_http *ctl_http_new(void);
void ctl_http_free(struct ctl_http *h);

/*
 * Gives: true if there is an answer, whatever its status, and it fits
 * LIM_CTL_BODY. ctl_http_done() frees what is in *got in either case.
 */
bool ctl_http_ask(struct ctl_http *h, const struct ctl_http_ask *ask,
    struct ctl_http_got *got) __attribute__((warn_unused_result));
void ctl_http_done(struct ctl_http_got *got);

#endif
