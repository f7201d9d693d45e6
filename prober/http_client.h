/*
 * http_client.h - HTTP requests on the loop: curl multi over libev.
 *
 * http and https only, to numeric addresses only, no redirects, no
 * decompression, bodies of LIM_HTTP_BODY at most. One deadline a request,
 * counted from its start. What is asked all at once is begun a few a turn of
 * the loop, so that no turn grows long.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "ev_item.h"
#include "mono.h"
#include "slice.h"

struct http_client;
struct http_req;

/*
 * rc: OK = a whole answer, whatever its status. REFUSED, TIMEOUT (deadline,
 * no route), LOST (ended half-way), TLS, PARSE (not HTTP), LIMIT (too large),
 * LOCAL (our own exhaustion, or the loop stood still meanwhile).
 */
enum {
	HTTP_KEPT = 2,      /* headers of an answer that may be kept */
	HTTP_KEPT_ROOM = 32 /* of each value, with its NUL */
};

struct http_answer {
	enum ev_rc rc;
	long status;       /* 0 unless a status line came */
	struct slice body; /* valid during the callback; empty if streamed */
	struct mono asked, at;
	/* Of the headers in `keep`; "": absent, or too long for any of ours. */
	char kept[HTTP_KEPT][HTTP_KEPT_ROOM];
};

/*
 * PEM texts, in memory: nothing reads files on the loop. Empty ca: the
 * system's authorities, as they were when the client was made; empty cert: none
 * is shown. The peer's certificate and name are always verified.
 */
struct http_tls {
	struct slice ca, cert, key;
};

/*
 * What a caller that asks the same peer again and again keeps from one request
 * to the next: curl's handle, and in it the session of TLS, which is resumed.
 * One request at a time. A session ends after some minutes, so that what the
 * peer's certificate says is verified anew. Zeroed: nothing yet.
 */
struct http_kept {
	void *easy;    /* NULL while a request has it */
	unsigned left; /* how often it may be used */
};

struct http_ask {
	const char *addr; /* numeric, without brackets */
	const char *name; /* for the Host header and TLS; NULL: addr */
	uint16_t port;
	bool tls;
	const struct http_tls *pem; /* where tls; NULL: all empty */
	bool fresh; /* a connection of its own: the peer closes it anyway */
	struct http_kept *kept;      /* outlives the request; or NULL */
	const char *path;            /* with its leading slash */
	const char *post;            /* a JSON body; NULL: GET */
	const char *method;          /* NULL: as `post` says */
	const char *header;          /* one more header line, or NULL */
	const char *auth;            /* likewise: "Authorization: …" */
	const char *keep[HTTP_KEPT]; /* names of headers to keep, or NULL */
	struct dur deadline; /* from the start; 0: none (streams only) */
	/*
	 * A stream: gets each piece of a 200's body as it comes; false ends
	 * the request (done says LIMIT). NULL: the body is collected.
	 */
	bool (*piece)(void *arg, struct slice bytes);
	/* Called once, unless cancelled; the request is gone afterwards. */
	void (*done)(void *arg, const struct http_answer *answer);
	void *arg;
};

/* Reads the system's authorities, which takes 30 ms. Gives: NULL if memory is
   out. */
struct http_client *http_client_new(struct ev_loop *loop)
    __attribute__((warn_unused_result));

/* Cancels what is under way, without callbacks. c may be NULL. */
void http_client_free(struct http_client *c);

/*
 * Needs: ask's strings and PEM texts until it returns, the names in `keep`
 * until the end; done != NULL.
 * Gives: the request, or NULL if it could not even be started (local
 * exhaustion); done is then not called. Never calls back from inside.
 */
struct http_req *http_client_ask(struct http_client *c,
    const struct http_ask *ask) __attribute__((warn_unused_result));

/* Needs: no request has it. */
void http_kept_free(struct http_kept *kept);

/* Did the loop stand still for over a second after `since`? */
bool is_http_client_gap(const struct http_client *c, struct mono since);

/* Ends a request without a callback and NULLs *req; *req may be NULL. */
void http_client_cancel(struct http_req **req);

#endif
