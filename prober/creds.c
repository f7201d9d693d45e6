/*
 * creds.c - see creds.h. Called once a cluster, before its probes are made.
 */
#include "creds.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* RFC 4648, 4. Three bytes become four; what is missing is '='. */
static void add_base64(const unsigned char *in, size_t n, char out[static 5])
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned v = (unsigned)in[0] << 16 |
	    (n > 1 ? (unsigned)in[1] << 8 : 0) | (n > 2 ? in[2] : 0U);

	for (unsigned i = 0; i < 4; i++)
		out[i] = i <= n ? digit[v >> (18 - 6 * i) & 63U] : '=';
	out[4] = '\0';
}

bool creds_basic(struct slice pair, char out[static LIM_TEXT * 2])
{
	static const char lead[] = "Authorization: Basic ";
	size_t used = sizeof(lead) - 1;

	out[0] = '\0';
	if (pair.len == 0 || pair.len >= LIM_TEXT ||
	    memchr(pair.p, ':', pair.len) == NULL ||
	    memchr(pair.p, '\n', pair.len) != NULL)
		return false;
	memcpy(out, lead, sizeof(lead));
	for (size_t i = 0; i < pair.len; i += 3, used += 4)
		add_base64(pair.p + i, pair.len - i < 3 ? pair.len - i : 3,
		    out + used);
	return true;
}

static bool read_auth(const char *path, struct creds *out)
{
	unsigned char *text = NULL;
	struct slice s = {0};
	bool ok = read_file(path, &text, &s);

	while (ok && s.len > 0 &&
	    (s.p[s.len - 1] == '\n' || s.p[s.len - 1] == '\r'))
		s.len--;
	if (ok && !creds_basic(s, out->auth))
		ok = refuse(path, "not one line USER:PASSWORD");
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
	for (size_t i = 0; i < sizeof(c->text) / sizeof(c->text[0]); i++)
		free(c->text[i]);
	memset(c, 0, sizeof(*c));
}

const char *creds_auth(const struct creds *c)
{
	return c->auth[0] != '\0' ? c->auth : NULL;
}
