/*
 * patroute.conf and the files that it names: a sound configuration, or one
 * sentence on one line; a user's line that is fit for a header, or nothing.
 *
 * Up to the first byte 0x01 the input is patroute.conf, behind it is what
 * stands in every other file. What a file is follows from the first letter of
 * its path, below; no file of this machine is touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slice.h"

#define CONF_FILE "fuzz.conf"
#define FD_CONF 1000
#define FD_OTHER 1001
#define READ_MOST 1500 /* so that a file comes in several pieces */

static struct slice in_conf, in_other, left;

static int fake_stat(const char *path, struct stat *st)
{
	static const struct {
		char letter;
		mode_t mode;
	} kinds[] = {{'o', S_IFREG | 0644}, {'g', S_IFREG | 0640},
	    {'s', S_IFREG | 0600}, {'x', S_IFREG | 0600}, {'d', S_IFDIR}};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (path[0] != '/' || path[1] != kinds[i].letter)
			continue;
		*st = (struct stat){.st_mode = kinds[i].mode};
		return 0;
	}
	errno = ENOENT;
	return -1;
}

static int fake_access(const char *path)
{
	errno = EACCES;
	return path[1] == 'x' ? -1 : 0;
}

static bool begins(unsigned char c)
{
	return in_conf.len > 0 && in_conf.p[0] == c;
}

static int fake_open(const char *path)
{
	bool is_conf = strcmp(path, CONF_FILE) == 0;

	errno = EMFILE;
	left = is_conf ? in_conf : in_other;
	if (is_conf)
		return begins(2) ? -1 : FD_CONF;
	return path[1] == 'x' ? -1 : FD_OTHER;
}

static int fake_fstat(struct stat *st)
{
	*st = (struct stat){.st_mode = begins(3) ? S_IFIFO : S_IFREG,
	    .st_size = (off_t)in_conf.len};
	return 0;
}

static ssize_t fake_read(int fd, void *buf, size_t size)
{
	size_t n = left.len < size ? left.len : size;

	errno = EIO;
	if (fd == FD_CONF && begins(4))
		return -1;
	if (n > READ_MOST)
		n = READ_MOST;
	if (n > 0)
		memcpy(buf, left.p, n);
	left = slice_skip(left, n);
	return (ssize_t)n;
}

#define open(path, flags) fake_open(path)
#define close(fd) 0
#define read(fd, buf, size) fake_read(fd, buf, size)
#define fstat(fd, st) fake_fstat(st)
#define stat(path, st) fake_stat(path, st)
#define faccessat(dir, path, mode, flags) fake_access(path)

#include "conf.c"
#include "conf_check.c"
#include "conf_files.c"
#include "conf_scan.c"
#include "conf_set.c"

/* Two of one name; and what is refused is said to nobody. */
#define read_file pem_read_file
#define log_warn(...) (void)0
#define log_warnx(...) (void)0
#include "creds.c"
#include "pem.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void see_cluster(const struct conf_cluster *cl)
{
	const struct conf_probe_at *at;
	struct creds creds;

	for (unsigned i = 0; i < cl->map_n; i++)
		assert(strcmp(conf_server_of(cl, cl->map[i].member),
			   cl->map[i].server) == 0);
	assert(strcmp(conf_server_of(cl, "\n"), "\n") == 0);
	for (unsigned i = 0; i < cl->probe_at_n; i++) {
		at = conf_probe_at(cl, cl->probe_at[i].member);
		assert(at == &cl->probe_at[i] && at->port != 0);
	}
	at = conf_probe_at(cl, "\n");
	assert(at == NULL || at->member[0] == '\0');
	if (creds_read(cl, &creds)) {
		assert(
		    (creds_auth(&creds) != NULL) == (cl->rest_auth[0] != '\0'));
		assert(strpbrk(creds.auth, "\r\n") == NULL);
	}
	creds_free(&creds);
}

static void see(const struct conf *c)
{
	assert(c->cluster_n > 0 && c->listen_n > 0);
	for (uint16_t i = 0; i < c->listen_n; i++) {
		struct intent it = conf_listen_intent(c, i);
		struct slice name = slice_str(c->listen[i].name);

		assert(it.want >= INTENT_PRIMARY && it.want <= INTENT_ANY);
		assert(c->listen[i].cluster < c->cluster_n);
		assert(conf_listen_by_port(c, c->listen[i].port) == i);
		assert(conf_listen_by_name(c, name) == i);
	}
	assert(conf_listen_by_port(c, 0) == -1);
	assert(conf_listen_by_name(c, slice_str("\n")) == -1);
	for (uint16_t i = 0; i < c->cluster_n; i++)
		see_cluster(&c->cluster[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(data, 1, size) : NULL;
	struct conf_err err;
	struct conf *c;

	in_conf = slice_of(data, end != NULL ? (size_t)(end - data) : size);
	in_other = end != NULL ? slice_of(end + 1, size - in_conf.len - 1)
			       : slice_str("user:password\n");
	c = conf_load(CONF_FILE, &err);
	if (c == NULL) {
		assert(strncmp(err.text, CONF_FILE ":", 10) == 0);
		assert(strlen(err.text) > 12);
		assert(strchr(err.text, '\n') == NULL);
		return 0;
	}
	assert(err.text[0] == '\0');
	see(c);
	conf_free(c);
	return 0;
}
