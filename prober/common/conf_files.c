/*
 * conf_files.c - the file itself, those that a cluster's keys name, see
 * conf_int.h, and what they say of one member.
 */
#include "conf_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void conf_files(
    const struct conf_cluster *c, struct conf_file out[static CONF_FILES])
{
	const struct conf_file all[CONF_FILES] = {
	    {"etcd_ca", c->etcd_ca, CONF_FILE_OPEN, false},
	    {"etcd_cert", c->etcd_cert, CONF_FILE_OPEN, false},
	    {"etcd_key", c->etcd_key, CONF_FILE_OWNER, false},
	    {"etcd_auth", c->etcd_auth, CONF_FILE_OWNER, true},
	    {"probe_passfile", c->probe_passfile, CONF_FILE_OWNER, false},
	    {"probe_sslrootcert", c->probe_sslrootcert, CONF_FILE_OPEN, false},
	    {"probe_sslcert", c->probe_sslcert, CONF_FILE_OPEN, false},
	    {"probe_sslkey", c->probe_sslkey, CONF_FILE_OWNER, false},
	    {"rest_ca", c->rest_ca, CONF_FILE_OPEN, false},
	    {"rest_cert", c->rest_cert, CONF_FILE_OPEN, false},
	    {"rest_key", c->rest_key, CONF_FILE_OWNER, false},
	    {"rest_auth", c->rest_auth, CONF_FILE_OWNER, true}};

	memcpy(out, all, sizeof(all));
}

bool conf_read_pair(const char *path, char out[static LIM_SECRET])
{
	char text[LIM_SECRET] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd != -1 ? read(fd, text, sizeof(text)) : -1;
	size_t n = got > 0 ? (size_t)got : 0, len = 0, end;
	bool ok;

	if (fd != -1)
		(void)close(fd);
	while (len < n && text[len] != '\n' && text[len] != '\r')
		len++;
	for (end = len; end < n && (text[end] == '\n' || text[end] == '\r');)
		end++;
	ok = end == n && memchr(text, ':', len) != NULL &&
	    slice_copy(slice_of(text, len), out, LIM_SECRET);
	if (!ok)
		out[0] = '\0';
	explicit_bzero(text, sizeof(text));
	return ok;
}

/* Never said, only whether it is one. */
static bool is_pair(const char *path)
{
	char pair[LIM_SECRET];
	bool ok = conf_read_pair(path, pair);

	explicit_bzero(pair, sizeof(pair));
	return ok;
}

bool conf_check_file(const struct conf_src *src, cfg_t *sec,
    const char *section, const struct conf_file *f)
{
	static const struct {
		mode_t forbidden;
		const char *words;
	} who[] = {[CONF_FILE_OPEN] = {0, ""},
	    [CONF_FILE_GROUP] = {07, "owner and group may read (0640)"},
	    /* libpq passes over any other silently. */
	    [CONF_FILE_OWNER] = {077, "owner may read (0600)"}};
	int line = conf_line(sec, f->key, 0);
	struct stat st;

	if (f->path[0] == '\0')
		return true;
	if (stat(f->path, &st) == -1 ||
	    faccessat(AT_FDCWD, f->path, R_OK, AT_EACCESS) == -1)
		return conf_fail(src, line,
		    "%s.%s: %s: %s, expected a readable file", section, f->key,
		    f->path, strerrordesc_np(errno));
	if (!S_ISREG(st.st_mode))
		return conf_fail(src, line,
		    "%s.%s: %s is no regular file, expected one", section,
		    f->key, f->path);
	if ((st.st_mode & who[f->who].forbidden) != 0)
		return conf_fail(src, line,
		    "%s.%s: %s has mode %04o, expected a file that only its %s",
		    section, f->key, f->path, (unsigned)st.st_mode & 07777U,
		    who[f->who].words);
	if (f->pair && !is_pair(f->path))
		return conf_fail(src, line,
		    "%s.%s: %s is not possible, expected one line "
		    "USER:PASSWORD",
		    section, f->key, f->path);
	return true;
}

/* Keys that mean nothing, or worse, without another. */
static bool check_pairs(
    const struct conf_src *src, const struct conf_cluster *cl, cfg_t *sec)
{
	const bool verifies = cl->probe_sslmode == CONF_SSL_VERIFY_CA ||
	    cl->probe_sslmode == CONF_SSL_VERIFY_FULL;
	const char *user = cl->probe_user;
	const struct {
		const char *key, *needed;
		bool is_set, is_there;
	} all[] = {{"probe_passfile", "probe_user",
		       cl->probe_passfile[0] != '\0', user[0] != '\0'},
	    {"probe_address", "probe_user", cl->probe_at_n > 0,
		user[0] != '\0'},
	    {"probe_sslmode", "probe_sslrootcert", verifies,
		cl->probe_sslrootcert[0] != '\0'},
	    {"probe_sslcert", "probe_sslkey", cl->probe_sslcert[0] != '\0',
		cl->probe_sslkey[0] != '\0'},
	    {"etcd_cert", "etcd_key", cl->etcd_cert[0] != '\0',
		cl->etcd_key[0] != '\0'},
	    {"rest_cert", "rest_key", cl->rest_cert[0] != '\0',
		cl->rest_key[0] != '\0'}};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].is_set && !all[i].is_there)
			return conf_fail(src, conf_line(sec, all[i].key, 0),
			    "cluster.%s: set alone, expected cluster.%s beside "
			    "it",
			    all[i].key, all[i].needed);
	return true;
}

static bool check_probe_at(
    const struct conf_src *src, const struct conf_cluster *cl, cfg_t *sec)
{
	for (unsigned i = 0; i < cl->probe_at_n; i++)
		for (unsigned j = 0; j < i; j++)
			if (strcmp(cl->probe_at[i].member,
				cl->probe_at[j].member) == 0)
				return conf_fail(src,
				    conf_line(sec, "probe_address", i),
				    "cluster.probe_address: %s stands there "
				    "twice, expected each member once",
				    cl->probe_at[i].member[0] != '\0'
					? cl->probe_at[i].member
					: "each member");
	return true;
}

bool conf_check_files(
    const struct conf_src *src, const struct conf_cluster *cl, cfg_t *sec)
{
	struct conf_file f[CONF_FILES];

	assert(src != NULL && cl != NULL);
	if (!check_pairs(src, cl, sec) || !check_probe_at(src, cl, sec))
		return false;
	conf_files(cl, f);
	for (unsigned i = 0; i < CONF_FILES; i++)
		if (!conf_check_file(src, sec, "cluster", &f[i]))
			return false;
	return true;
}

const struct conf_probe_at *conf_probe_at(
    const struct conf_cluster *c, const char *member)
{
	const struct conf_probe_at *found = NULL;

	assert(c != NULL && member != NULL);
	for (unsigned i = 0; i < c->probe_at_n; i++) {
		const struct conf_probe_at *at = &c->probe_at[i];

		if (strcmp(at->member, member) == 0)
			return at;
		if (at->member[0] == '\0')
			found = at;
	}
	return found;
}

const char *conf_server_of(const struct conf_cluster *c, const char *member)
{
	assert(c != NULL && member != NULL);
	for (unsigned i = 0; i < c->map_n; i++) {
		if (strcmp(c->map[i].member, member) == 0)
			return c->map[i].server;
	}
	return member;
}

char *conf_read_file(const struct conf_src *src, size_t *len)
{
	int fd = open(src->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	struct stat st;
	ssize_t got = 0;

	*len = 0;
	if (fd == -1 || fstat(fd, &st) == -1) {
		(void)conf_fail(src, 0, "%s, expected a readable file",
		    strerrordesc_np(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)CONF_TEXT_MAX) {
		(void)conf_fail(src, 0,
		    "expected a regular file of at most %zu bytes",
		    CONF_TEXT_MAX);
		goto out;
	}
	text = malloc(CONF_TEXT_MAX);
	while (text != NULL && *len < CONF_TEXT_MAX) {
		got = read(fd, text + *len, CONF_TEXT_MAX - *len);
		if (got <= 0)
			break;
		*len += (size_t)got;
	}
	if (text == NULL || got == -1) {
		(void)conf_fail(src, 0, "%s, expected a readable file",
		    strerrordesc_np(text == NULL ? ENOMEM : errno));
		free(text);
		text = NULL;
	}
out:
	if (fd != -1)
		(void)close(fd);
	return text;
}
