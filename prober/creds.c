/*
 * creds.c - see creds.h. Called once a cluster, before its probes are made.
 */
#include "creds.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "etcd_text.h"
#include "log.h"

#define FILE_MAX ((size_t)1 << 20) /* the system's authorities are 0.2 MiB */

static bool refuse(const char *path, const char *why)
{
	log_warnx("drop file=%s why=\"%s\"", path, why);
	return false;
}

/* The whole file on the heap, in *text. Never says what it read. */
static bool read_file(const char *path, unsigned char **text, struct slice *out)
{
	FILE *f = fopen(path, "re");
	bool ok = false;
	size_t n = 0;

	if (f == NULL)
		return refuse(path, strerrordesc_np(errno));
	*text = malloc(FILE_MAX);
	if (*text != NULL) {
		n = fread(*text, 1, FILE_MAX, f);
		ok = ferror(f) == 0 && n > 0 && n < FILE_MAX;
	}
	(void)fclose(f);
	if (!ok)
		return refuse(path, "empty, too large or not readable");
	*out = slice_of(*text, n);
	return true;
}

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
	unsigned char *text = NULL;
	struct slice s = {0};
	bool ok = read_file(path, &text, &s);
	size_t n = s.len;

	while (ok && s.len > 0 &&
	    (s.p[s.len - 1] == '\n' || s.p[s.len - 1] == '\r'))
		s.len--;
	if (ok && !creds_basic(s, out->auth))
		ok = refuse(path, "not one line USER:PASSWORD");
	if (text != NULL)
		explicit_bzero(text, n);
	free(text);
	return ok;
}

bool creds_read(const struct conf_cluster *conf, struct creds *out)
{
	assert(conf != NULL && out != NULL);
	memset(out, 0, sizeof(*out));
	const struct {
		const char *path;
		struct slice *to;
	} all[] = {{conf->rest_ca, &out->pem.ca},
	    {conf->rest_cert, &out->pem.cert}, {conf->rest_key, &out->pem.key}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].path[0] != '\0' &&
		    !read_file(all[i].path, &out->text[i], all[i].to))
			return false;
	return conf->rest_auth[0] == '\0' || read_auth(conf->rest_auth, out);
}

void creds_free(struct creds *c)
{
	assert(c != NULL);
	/* A password, and of the texts one is a key. */
	if (c->text[2] != NULL)
		explicit_bzero(c->text[2], c->pem.key.len);
	for (size_t i = 0; i < sizeof(c->text) / sizeof(c->text[0]); i++)
		free(c->text[i]);
	explicit_bzero(c, sizeof(*c));
}

const char *creds_auth(const struct creds *c)
{
	return c->auth[0] != '\0' ? c->auth : NULL;
}
