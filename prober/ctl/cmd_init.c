/*
 * cmd_init.c - `patroutectl init`: a first patroute.conf from one address.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "init.h"

static const struct args_option options[] = {
    {ARGS_TEXT, "from", '\0', "URL",
	"of any Patroni or etcd, http://10.0.0.1:8008", 0, 0},
    {ARGS_TEXT, "output", 'o', "FILE",
	"where to write, default: standard "
	"output",
	0, 0},
    {ARGS_FLAG, "force", 'f', NULL, "write over what is there", 0, 0},
    {ARGS_TEXT, "scope", '\0', "NAME",
	"of several clusters in an etcd this "
	"one alone",
	0, 0},
    {ARGS_TEXT, "ca", '\0', "FILE", "whose certificates URL has (PEM)", 0, 0},
    {ARGS_TEXT, "cert", '\0', "FILE", "the certificate shown to it", 0, 0},
    {ARGS_TEXT, "key", '\0', "FILE", "that certificate's key", 0, 0},
    {ARGS_TEXT, "etcd-auth", '\0', "FILE",
	"USER:PASSWORD, where etcd has users", 0, 0},
    {.kind = ARGS_END},
};

/* Without the slashes at its end; http where no scheme stands. */
static bool take_url(const char *text, char url[static LIM_TEXT])
{
	bool scheme = strncmp(text, "http://", 7) == 0 ||
	    strncmp(text, "https://", 8) == 0;
	int n = snprintf(url, LIM_TEXT, "%s%s", scheme ? "" : "http://", text);

	if (n < 0 || n >= LIM_TEXT)
		return false;
	while (n > 8 && url[n - 1] == '/')
		url[--n] = '\0';
	/* It stands in a comment, and in a list of endpoints. */
	for (const char *p = url; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || strchr("\"\\$@?#", *p) != NULL)
			return false;
	return true;
}

/* Whole or not at all: beside it first, then in its place. */
static int write_file(
    const struct ctl *ctl, const char *path, const char *text, bool force)
{
	char beside[LIM_TEXT * 2];
	size_t len = strlen(text);
	bool good;
	int fd;

	if (!force && access(path, F_OK) == 0)
		return ctl_fail(ctl,
		    "init: %s is there already, expected --force to write "
		    "over it",
		    path);
	(void)snprintf(beside, sizeof(beside), "%s.new", path);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd == -1)
		return ctl_fail(ctl, "init: %s: %s", beside, strerror(errno));
	good = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	if (close(fd) != 0 || !good || rename(beside, path) != 0) {
		(void)ctl_fail(ctl, "init: %s: %s", path, strerror(errno));
		(void)unlink(beside);
		return CTL_FAILED;
	}
	return CTL_OK;
}

static void print(struct ctl *ctl, const struct init_found *f, const char *text)
{
	cJSON *o = cJSON_CreateObject(), *list;

	(void)cJSON_AddStringToObject(o, "from", f->from);
	(void)cJSON_AddStringToObject(o, "is", f->is_etcd ? "etcd" : "patroni");
	(void)cJSON_AddStringToObject(o, "version", f->version);
	list = cJSON_AddArrayToObject(o, "clusters");
	for (unsigned i = 0; i < f->n; i++) {
		cJSON *c = cJSON_CreateObject(), *m;

		(void)cJSON_AddItemToArray(list, c);
		(void)cJSON_AddStringToObject(c, "scope", f->c[i].scope);
		(void)cJSON_AddStringToObject(
		    c, "namespace", f->c[i].namespace);
		m = cJSON_AddArrayToObject(c, "members");
		for (unsigned k = 0; k < f->c[i].n; k++)
			(void)cJSON_AddItemToArray(
			    m, cJSON_CreateString(f->c[i].m[k].name));
	}
	(void)cJSON_AddStringToObject(o, "text", text);
	ctl_print_json(ctl, o);
	cJSON_Delete(o);
}

/* What was made must be what both programs take. */
static bool is_sound(struct ctl *ctl, const char *text)
{
	struct conf_err err;
	struct conf *conf = conf_parse("init", slice_str(text), &err);

	if (conf == NULL)
		(void)ctl_fail(ctl,
		    "init: what was found makes no configuration: %s",
		    err.text);
	conf_free(conf);
	return conf != NULL;
}

/* On a terminal each line is cleaned; what goes elsewhere goes as it is. */
static void show(struct out *o, const char *text)
{
	while (o->terminal && *text != '\0') {
		size_t n = strcspn(text, "\n\t");

		out_part(o, OUT_PLAIN, "%.*s", (int)n, text);
		text += n;
		if (*text != '\0')
			(void)fputc(*text++, o->file);
	}
	(void)fputs(text, o->file);
}

static int deliver(struct ctl *ctl, const struct args *args,
    const struct init_found *f, const char *text)
{
	const char *path = args_text(args, "output");
	int rc = CTL_OK;

	if (path != NULL)
		rc = write_file(ctl, path, text, is_arg(args, "force"));
	if (rc == CTL_OK && ctl->json)
		print(ctl, f, text);
	else if (rc == CTL_OK && path == NULL)
		show(&ctl->out, text);
	else if (rc == CTL_OK)
		out_line(&ctl->out,
		    "%s: %u cluster%s, %u member%s of the first; it observes. "
		    "Fill in what its comments ask for, then `patroutectl "
		    "doctor`.",
		    path, f->n, f->n == 1 ? "" : "s", f->c[0].n,
		    f->c[0].n == 1 ? "" : "s");
	if (f->odd > 0)
		(void)ctl_fail(ctl,
		    "init: %u names are left out: they cannot stand in a "
		    "configuration (letters, digits, dots, - and _ can)",
		    f->odd);
	return rc;
}

/* What the configuration will name, as its strings can hold it. */
static bool take_files(struct ctl *ctl, const struct args *args,
    struct init_way *way, struct init_found *f)
{
	const char *const file[] = {
	    way->ca, way->cert, way->key, args_text(args, "etcd-auth")};

	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++)
		if (file[i] != NULL &&
		    (file[i][0] != '/' || strlen(file[i]) >= LIM_TEXT ||
			strpbrk(file[i], "\"\\$\n") != NULL)) {
			(void)ctl_fail(ctl,
			    "init: %s: expected a file's whole path, without "
			    "quotes, $ and \\: the configuration will name it",
			    file[i]);
			return false;
		}
	f->only = args_text(args, "scope");
	f->ca = way->ca;
	f->cert = way->cert;
	f->key = way->key;
	f->auth = file[3];
	if (f->auth == NULL || conf_read_pair(f->auth, way->user))
		return true;
	(void)ctl_fail(ctl,
	    "init: --etcd-auth %s: expected a file of one line, USER:PASSWORD",
	    f->auth);
	return false;
}

static int run(struct ctl *ctl, const struct args *args)
{
	struct init_found *f = calloc(1, sizeof(*f));
	char url[LIM_TEXT], *text = NULL;
	size_t size = 0;
	FILE *out;
	int rc = CTL_FAILED;
	struct init_way way = {.http = ctl->http,
	    .url = url,
	    .ca = args_text(args, "ca"),
	    .cert = args_text(args, "cert"),
	    .key = args_text(args, "key")};

	if (f == NULL)
		return ctl_fail(ctl, "out of memory");
	if (!take_files(ctl, args, &way, f)) {
		free(f);
		return CTL_FAILED;
	}
	if (!is_arg(args, "from") || !take_url(args_text(args, "from"), url)) {
		(void)ctl_fail(ctl,
		    "init: expected --from URL, as http://10.0.0.1:8008 "
		    "(Patroni) or http://10.0.0.1:2379 (etcd)");
	} else if (!init_ask(&way, f)) {
		(void)ctl_fail(ctl, "init: %s: %s", url, f->why);
	} else if ((out = open_memstream(&text, &size)) != NULL) {
		init_write(f, out);
		if (fclose(out) == 0 && is_sound(ctl, text))
			rc = deliver(ctl, args, f, text);
	}
	explicit_bzero(way.user, sizeof(way.user));
	free(text);
	free(f);
	return rc;
}

const struct command cmd_init = {
    .name = "init",
    .operands = "",
    .text = "a first patroute.conf, from one address of Patroni or etcd",
    .more = "It needs no prober. From etcd it finds every Patroni cluster in "
	    "it; Patroni's own address names its members, but not its etcd. "
	    "What it writes observes (see observe), passes "
	    "`patroute-prober --check`, and says in comments what was found "
	    "and what to fill in.",
    .options = options,
    .run = run,
};
