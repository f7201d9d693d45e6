/*
 * etcd_cred.c - see etcd_cred.h.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "etcd_cred.h"
#include "log.h"

/* Gives: the bytes read, -1 with errno set. More than `size` is EFBIG. */
static ssize_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t used = 0;
	ssize_t n = 1;
	char beyond;

	if (fd == -1)
		return -1;
	while (n > 0 && used < size) {
		n = read(fd, buf + used, size - used);
		if (n > 0)
			used += (size_t)n;
	}
	if (n > 0 && read(fd, &beyond, 1) == 1) {
		errno = EFBIG;
		n = -1;
	}
	(void)close(fd);
	return n == -1 ? -1 : (ssize_t)used;
}

/* One line, USER:PASSWORD. */
static bool load_auth(const char *path, char out[static LIM_SECRET])
{
	char text[LIM_SECRET];
	ssize_t n;
	size_t len = 0;
	bool ok;

	if (path[0] == '\0')
		return true;
	n = read_file(path, text, sizeof(text));
	if (n == -1) {
		log_warn("reject etcd_auth=%s", path);
		return false;
	}
	while (len < (size_t)n && text[len] != '\n' && text[len] != '\r')
		len++;
	ok = slice_copy(slice_of(text, len), out, LIM_SECRET) &&
	    strchr(out, ':') != NULL;
	if (!ok)
		log_warnx("reject etcd_auth=%s expected=\"one line, "
			  "USER:PASSWORD\"",
		    path);
	explicit_bzero(text, sizeof(text));
	return ok;
}

static bool load_pem(const char *key, const char *path, struct slice *out)
{
	char *text;
	ssize_t n;

	if (path[0] == '\0')
		return true;
	text = malloc(LIM_PEM);
	n = text != NULL ? read_file(path, text, LIM_PEM) : -1;
	if (n <= 0) {
		log_warn("reject %s=%s", key, path);
		free(text);
		return false;
	}
	*out = slice_of(text, (size_t)n);
	return true;
}

bool etcd_cred_load(struct etcd_cred *out, const struct conf_cluster *conf)
{
	struct etcd_cred c = {.auth = ""};

	assert(out != NULL && conf != NULL);
	if (!load_auth(conf->etcd_auth, c.auth) ||
	    !load_pem("etcd_ca", conf->etcd_ca, &c.tls.ca) ||
	    !load_pem("etcd_cert", conf->etcd_cert, &c.tls.cert) ||
	    !load_pem("etcd_key", conf->etcd_key, &c.tls.key)) {
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

static void free_pem(struct slice *s)
{
	char *p = (char *)(uintptr_t)s->p;

	if (p != NULL)
		explicit_bzero(p, s->len);
	free(p);
	*s = (struct slice){NULL, 0};
}

void etcd_cred_free(struct etcd_cred *c)
{
	assert(c != NULL);
	explicit_bzero(c->auth, sizeof(c->auth));
	free_pem(&c->tls.ca);
	free_pem(&c->tls.cert);
	free_pem(&c->tls.key);
}
