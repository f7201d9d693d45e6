/*
 * init.h - what `init` finds at one address, and the patroute.conf it makes.
 *
 * init_key(), init_patroni_cluster() and init_write() are pure; the rest asks.
 * Names from outside are taken only where a configuration can hold them.
 */
#ifndef INIT_H
#define INIT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lim.h"
#include "slice.h"

#define INIT_CLUSTERS 64

struct init_member {
	char name[LIM_NAME];
	char rest[LIM_TEXT]; /* "http://10.0.0.1:8008"; "": unknown */
	char role[24];
};

struct init_cluster {
	char scope[LIM_NAME], namespace[LIM_NAME];
	struct init_member m[LIM_MEMBERS];
	unsigned n;
};

struct init_found {
	bool is_etcd;
	char from[LIM_TEXT];
	char version[24]; /* of whom was asked */
	const char *api;  /* "v2", "v3"; NULL: not etcd */
	char etcd[LIM_ENDPOINTS][LIM_TEXT];
	unsigned etcd_n;
	struct init_cluster c[INIT_CLUSTERS];
	unsigned n;
	unsigned odd;     /* names that no configuration can hold */
	const char *only; /* --scope; NULL: each */
	/* The files that opened it; NULL: none. */
	const char *ca, *cert, *key, *auth;
	char why[LIM_TEXT]; /* what is wrong */
};

/* May a scope, a member or a namespace be called so here? */
bool is_init_name(struct slice s);

/*
 * Takes a key of etcd, as Patroni lays them out: …/SCOPE/members/NAME and
 * …/SCOPE/initialize. Others are passed over.
 */
void init_key(struct init_found *f, struct slice key, struct slice value);

/* Takes the version of whom was asked; "?" if it could not stand here. */
void init_version(struct init_found *f, const cJSON *o, const char *key);

/* Takes Patroni's GET /cluster, of that scope. */
void init_patroni_cluster(
    struct init_found *f, const char *scope, const cJSON *doc);

/* An endpoint, once; addresses that lead nowhere from here are left out. */
void init_endpoint(struct init_found *f, const char *url);

/* The configuration. Needs: at least one cluster. */
void init_write(const struct init_found *f, FILE *out);

/* How to ask: files of PEM, NULL: none; and who asks etcd. */
struct ctl_http;
struct init_way {
	struct ctl_http *http;
	const char *url; /* "http://10.0.0.1:8008", no slash at its end */
	const char *ca, *cert, *key;
	char user[LIM_SECRET]; /* USER:PASSWORD; "": nobody */
	char token[LIM_TEXT];  /* of that user; "": none */
};

/* Gives: false and f->why. */
bool init_ask(struct init_way *way, struct init_found *f);
bool init_ask_etcd(struct init_way *way, struct init_found *f);

/* One JSON document; NULL and why (LIM_TEXT bytes). */
cJSON *init_get(const struct init_way *way, const char *path, const char *post,
    char *why) __attribute__((warn_unused_result));

#endif
