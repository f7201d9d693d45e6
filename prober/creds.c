/*
 * creds.c - see creds.h. Called once a cluster, before its probes are made.
 */
#include "creds.h"

#include <assert.h>
#include <string.h>

#include "etcd_text.h"
#include "log.h"
#include "pem.h"

bool creds_basic(struct slice pair, char out[static LIM_TEXT * 2])
{
	struct etcd_text t = {.p = out, .size = (size_t)LIM_TEXT * 2};

	out[0] = '\0';
	if (pair.len == 0 || pair.len >= LIM_TEXT ||
	    memchr(pair.p, ':', pair.len) == NULL ||
	    memchr(pair.p, '\n', pair.len) != NULL)
		return false;
	etcd_text_add(&t, "Authorization: Basic ");
	etcd_text_base64(&t, pair);
	return !t.full;
}

static bool read_auth(const char *path, struct creds *out)
{
	char pair[LIM_SECRET];
	bool ok;

	if (path[0] == '\0')
		return true;
	ok = conf_read_pair(path, pair) &&
	    creds_basic(slice_str(pair), out->auth);
	explicit_bzero(pair, sizeof(pair));
	if (!ok)
		log_warnx("reject rest_auth=%s expected=\"one line, "
			  "USER:PASSWORD\"",
		    path);
	return ok;
}

bool creds_read(const struct conf_cluster *conf, struct creds *out)
{
	assert(conf != NULL && out != NULL);
	memset(out, 0, sizeof(*out));
	return pem_load("rest_ca", conf->rest_ca, &out->pem.ca) &&
	    pem_load("rest_cert", conf->rest_cert, &out->pem.cert) &&
	    pem_load("rest_key", conf->rest_key, &out->pem.key) &&
	    read_auth(conf->rest_auth, out);
}

void creds_free(struct creds *c)
{
	assert(c != NULL);
	pem_free(&c->pem.ca);
	pem_free(&c->pem.cert);
	pem_free(&c->pem.key);
	explicit_bzero(c, sizeof(*c));
}

const char *creds_auth(const struct creds *c)
{
	return c->auth[0] != '\0' ? c->auth : NULL;
}
