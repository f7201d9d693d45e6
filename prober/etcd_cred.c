/*
 * etcd_cred.c - see etcd_cred.h.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "etcd_cred.h"
#include "log.h"
#include "pem.h"

static bool load_auth(const char *path, char out[static LIM_SECRET])
{
	if (path[0] == '\0' || conf_read_pair(path, out))
		return true;
	log_warnx(
	    "reject etcd_auth=%s expected=\"one line, USER:PASSWORD\"", path);
	return false;
}

bool etcd_cred_load(struct etcd_cred *out, const struct conf_cluster *conf)
{
	struct etcd_cred c = {.auth = ""};

	assert(out != NULL && conf != NULL);
	if (!load_auth(conf->etcd_auth, c.auth) ||
	    !pem_load("etcd_ca", conf->etcd_ca, &c.tls.ca) ||
	    !pem_load("etcd_cert", conf->etcd_cert, &c.tls.cert) ||
	    !pem_load("etcd_key", conf->etcd_key, &c.tls.key)) {
		etcd_cred_free(&c);
		return false;
	}
	*out = c;
	explicit_bzero(c.auth, sizeof(c.auth));
	return true;
}

static bool copy_pem(struct slice *out, struct slice from)
{
	void *text;

	if (from.len == 0)
		return true;
	text = malloc(from.len);
	if (text == NULL)
		return false;
	memcpy(text, from.p, from.len);
	*out = slice_of(text, from.len);
	return true;
}

bool etcd_cred_copy(struct etcd_cred *out, const struct etcd_cred *from)
{
	struct etcd_cred c = {.auth = ""};

	assert(out != NULL && from != NULL);
	if (!copy_pem(&c.tls.ca, from->tls.ca) ||
	    !copy_pem(&c.tls.cert, from->tls.cert) ||
	    !copy_pem(&c.tls.key, from->tls.key)) {
		etcd_cred_free(&c);
		return false;
	}
	*out = c;
	memcpy(out->auth, from->auth, sizeof(out->auth));
	return true;
}

static bool is_same(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool is_etcd_cred_same(const struct etcd_cred *a, const struct etcd_cred *b)
{
	assert(a != NULL && b != NULL);
	return strcmp(a->auth, b->auth) == 0 && is_same(a->tls.ca, b->tls.ca) &&
	    is_same(a->tls.cert, b->tls.cert) &&
	    is_same(a->tls.key, b->tls.key);
}

void etcd_cred_free(struct etcd_cred *c)
{
	assert(c != NULL);
	explicit_bzero(c->auth, sizeof(c->auth));
	pem_free(&c->tls.ca);
	pem_free(&c->tls.cert);
	pem_free(&c->tls.key);
}
