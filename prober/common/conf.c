/*
 * conf.c - patroute.conf from file to struct; see conf.h.
 *
 * Called at start and on SIGHUP; reads files, so never from a callback that
 * serves. libconfuse splits the text into sections and values, all of them as
 * strings; what they mean stands in the key table. libconfuse gives its error
 * callback no argument: the sentence waits in the comment field of the section
 * it arose in, and the lines of an option's values in the option's comment.
 */
#include "conf_int.h"

#include <stdarg.h>
#include <stdlib.h>

#define LIST_CLOSED ';'
#define NO_MEMORY "no memory to read it"

bool conf_fail(const struct conf_src *src, int line, const char *fmt, ...)
{
	char *text = src->err->text;
	size_t size = sizeof(src->err->text), n;
	va_list ap;

	if (line > 0)
		(void)snprintf(text, size, "%s:%d: ", src->file, line);
	else
		(void)snprintf(text, size, "%s: ", src->file);
	n = strlen(text);
	va_start(ap, fmt);
	(void)vsnprintf(text + n, size - n, fmt, ap);
	va_end(ap);
	return false;
}

static bool is_root(const cfg_t *cfg)
{
	return strcmp(cfg->name, "root") == 0;
}

/* What libconfuse says, and what it had expected. */
static const struct {
	const char *said, *expected;
} expected[] = {
    {"missing equal sign", "KEY = VALUE"},
    {"missing opening brace", "{ after the section's name"},
    {"missing title", "a name between the section's keyword and {"},
    {"found duplicate title", "each name once"},
    {"attempt to append", "= instead of +="},
    {"set twice", "each key once"},
    {"premature end", "KEY = VALUE or }"},
    {NULL, "KEY = VALUE, a section or }"},
};

static void add_word(char text[static LIM_LOG_LINE], const char *word)
{
	size_t n = strlen(text);

	(void)snprintf(text + n, LIM_LOG_LINE - n, "%s%s",
	    n > 0 && text[n - 1] != ' ' ? ", " : "", word);
}

/* An unknown key is mostly a misspelt one: these there are. */
static void add_keys(char text[static LIM_LOG_LINE], const cfg_t *cfg)
{
	const char *section = is_root(cfg) ? "" : cfg->name;

	for (const struct conf_key *k = conf_key_table(); k->section != NULL;
	     k++) {
		if (strcmp(k->section, section) == 0)
			add_word(text, k->name);
	}
	for (const struct conf_section *s = conf_section_table();
	     is_root(cfg) && s->name != NULL; s++) {
		if (s->name[0] != '\0')
			add_word(text, s->name);
	}
}

__attribute__((format(printf, 2, 0))) static void on_error_cb(
    cfg_t *cfg, const char *fmt, va_list ap)
{
	char said[LIM_TEXT], text[LIM_LOG_LINE];
	int i = 0;

	if (cfg->comment != NULL)
		return; /* the first sentence is the cause */
	(void)vsnprintf(said, sizeof(said), fmt, ap);
	/* It names tokens as they came out of a string's escapes. */
	for (char *p = said; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	(void)snprintf(text, sizeof(text), "%s%s%s, expected ",
	    is_root(cfg) ? "" : cfg->name, is_root(cfg) ? "" : ": ", said);
	while (expected[i].said != NULL &&
	    strncmp(said, expected[i].said, strlen(expected[i].said)) != 0)
		i++;
	if (strncmp(said, "no such option", 14) == 0)
		add_keys(text, cfg);
	else
		add_word(text, expected[i].expected);
	cfg->comment = strdup(text);
}

/* Appends `line` (0: the list's closing brace) to the option's comment. */
static bool note_line(cfg_opt_t *opt, int line)
{
	const char *old = opt->comment != NULL ? opt->comment : "";
	size_t size = strlen(old) + 16;
	char *text = malloc(size);

	if (text == NULL)
		return false;
	if (line == 0)
		(void)snprintf(text, size, "%s%c", old, LIST_CLOSED);
	else
		(void)snprintf(text, size, "%s %d", old, line);
	free(opt->comment);
	opt->comment = text;
	return true;
}

static unsigned lines_noted(const cfg_opt_t *opt)
{
	unsigned n = 0;

	for (const char *p = opt->comment; p != NULL && *p != '\0'; p++)
		n += *p == ' ';
	return n;
}

static bool is_closed(const cfg_opt_t *opt)
{
	return opt->comment != NULL &&
	    strchr(opt->comment, LIST_CLOSED) != NULL;
}

/*
 * After each value, and for a list in braces once more at the closing one.
 * Gives 0, or -1 which ends the parsing.
 */
static int on_value_cb(cfg_t *cfg, cfg_opt_t *opt)
{
	bool is_list = (opt->flags & CFGF_LIST) != 0;
	unsigned noted = lines_noted(opt), n = cfg_opt_size(opt);

	if (is_closed(opt) || (!is_list && noted > 0) ||
	    (is_list && n < noted)) {
		cfg_error(cfg, "set twice: '%s'", opt->name);
		return -1;
	}
	if (!note_line(opt, is_list && n == noted ? 0 : cfg->line))
		return -1;
	return 0;
}

int conf_line(cfg_t *section, const char *name, unsigned i)
{
	cfg_opt_t *opt = cfg_getopt(section, name);
	const char *p = opt != NULL ? opt->comment : NULL;
	int line = 0;

	for (; p != NULL && *p != '\0'; p++) {
		if (*p == ' ' && i-- == 0)
			break;
	}
	if (p != NULL && *p == ' ') {
		for (p++; *p >= '0' && *p <= '9'; p++)
			line = line * 10 + (*p - '0');
	}
	return line;
}

#define KEYS_MAX 64 /* of one section, with the end's mark */
#define SECTIONS_MAX 8

/* What libconfuse is told: every value is a string or a list of strings. */
static void make_opts(
    const char *section, cfg_opt_t opts[static KEYS_MAX], unsigned *n)
{
	const struct conf_key *k = conf_key_table();

	*n = 0;
	for (; k->section != NULL; k++) {
		if (strcmp(k->section, section) != 0)
			continue;
		assert(*n < KEYS_MAX - 1);
		opts[(*n)++] = (cfg_opt_t){.name = k->name,
		    .type = CFGT_STR,
		    .flags = CFGF_NODEFAULT |
			(is_conf_list(k) ? CFGF_LIST : CFGF_NONE),
		    .validcb = on_value_cb};
	}
	opts[*n] = (cfg_opt_t)CFG_END();
}

/* libconfuse copies the tables. NULL: no memory. */
static cfg_t *new_root(void)
{
	const struct conf_section *s = conf_section_table();
	cfg_opt_t sub[SECTIONS_MAX][KEYS_MAX], top[KEYS_MAX];
	unsigned n, unused, i = 0;
	cfg_t *root;

	make_opts("", top, &n);
	for (; s->name != NULL; s++) {
		cfg_flag_t flags = s->title == NULL
		    ? CFGF_NONE
		    : CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;

		if (s->name[0] == '\0')
			continue;
		assert(i < SECTIONS_MAX && n < KEYS_MAX - 1);
		make_opts(s->name, sub[i], &unused);
		top[n++] = (cfg_opt_t)CFG_SEC(s->name, sub[i], flags);
		i++;
	}
	top[n] = (cfg_opt_t)CFG_END();
	root = cfg_init(top, CFGF_NONE);
	if (root != NULL)
		(void)cfg_set_error_function(root, on_error_cb);
	return root;
}

/* The sentence waits in the section where parsing ended. */
static bool parse_failed(const struct conf_src *src)
{
	const struct conf_section *s = conf_section_table();

	for (; s->name != NULL; s++) {
		unsigned n =
		    s->name[0] != '\0' ? cfg_size(src->root, s->name) : 0;

		for (unsigned i = 0; i < n; i++) {
			cfg_t *sec = cfg_getnsec(src->root, s->name, i);

			/* None where its memory was what was missing. */
			if (sec != NULL && sec->comment != NULL)
				return conf_fail(
				    src, sec->line, "%s", sec->comment);
		}
	}
	return conf_fail(src, src->root->line, "%s",
	    src->root->comment != NULL ? src->root->comment : NO_MEMORY);
}

/*
 * libconfuse takes memory to look an option up, and without it says that there
 * is none: which must not become a default.
 */
static cfg_opt_t *find(const struct conf_src *src, cfg_t *sec, const char *name)
{
	cfg_opt_t *opt = sec != NULL ? cfg_getopt(sec, name) : NULL;

	if (opt == NULL)
		(void)conf_fail(src, 0, NO_MEMORY);
	return opt;
}

/* "section.key" */
static const char *key_text(const struct conf_key *k, char buf[static LIM_TEXT])
{
	(void)snprintf(buf, LIM_TEXT, "%s%s%s", k->section,
	    k->section[0] != '\0' ? "." : "", k->name);
	return buf;
}

static bool read_value(const struct conf_src *src, const struct conf *c,
    const struct conf_key *k, cfg_t *sec, void *base)
{
	char key[LIM_TEXT], want[CONF_EXPECTED], got[LOG_TEXT];
	cfg_opt_t *opt = find(src, sec, k->name);
	unsigned n;

	if (opt == NULL)
		return false;
	n = cfg_opt_size(opt);
	if (n == 0 && k->required)
		return conf_fail(src, sec->line, "%s: missing, expected %s",
		    key_text(k, key), conf_expected(k, want));
	if (n == 0 && k->def != NULL) {
		bool ok = conf_set(c, k, base, slice_str(k->def));

		assert(ok);
		return ok;
	}
	if (is_conf_list(k) && n > k->max)
		return conf_fail(src, conf_line(sec, k->name, (unsigned)k->max),
		    "%s: %u values, expected at most %lld", key_text(k, key), n,
		    (long long)k->max);
	for (unsigned i = 0; i < n; i++) {
		struct slice v = slice_str(cfg_opt_getnstr(opt, i));

		if (!conf_set(c, k, base, v))
			return conf_fail(src, conf_line(sec, k->name, i),
			    "%s: %s is not possible, expected %s",
			    key_text(k, key), log_text(v, got),
			    conf_expected(k, want));
	}
	return true;
}

static bool read_section(const struct conf_src *src, const struct conf *c,
    const char *section, cfg_t *sec, void *base)
{
	const struct conf_key *k = conf_key_table();

	for (; k->section != NULL; k++) {
		if (strcmp(k->section, section) == 0 &&
		    !read_value(src, c, k, sec, base))
			return false;
	}
	return true;
}

static bool read_title(
    const struct conf_src *src, cfg_t *sec, char name[static LIM_NAME])
{
	static const struct conf_key label = {.type = CONF_LABEL};
	char want[CONF_EXPECTED], got[LOG_TEXT];
	struct slice title;

	if (sec == NULL)
		return conf_fail(src, 0, NO_MEMORY);
	title = slice_str(cfg_title(sec));
	if (is_conf_label(title) && slice_copy(title, name, LIM_NAME))
		return true;
	return conf_fail(src, sec->line,
	    "%s: the name %s is not possible, "
	    "expected %s",
	    cfg_name(sec), log_text(title, got), conf_expected(&label, want));
}

static bool read_cluster(
    const struct conf_src *src, const struct conf *c, uint16_t i)
{
	struct conf_cluster *cl = &c->cluster[i];
	cfg_t *sec = cfg_getnsec(src->root, "cluster", i);

	if (!read_title(src, sec, cl->name) ||
	    !read_section(src, c, "cluster", sec, cl))
		return false;
	if (cl->scope[0] == '\0')
		memcpy(cl->scope, cl->name, sizeof(cl->scope));
	return true;
}

static bool read_listen(
    const struct conf_src *src, const struct conf *c, uint16_t i)
{
	struct conf_listen *l = &c->listen[i];
	cfg_t *sec = cfg_getnsec(src->root, "listen", i);

	l->max_lag = (struct conf_lag){UINT64_MAX, UINT32_MAX};
	l->hold_max = UINT32_MAX;
	if (!read_title(src, sec, l->name) ||
	    !read_section(src, c, "listen", sec, l))
		return false;
	if (cfg_size(sec, "cluster") == 0 && c->cluster_n > 1)
		return conf_fail(src, sec->line,
		    "listen.cluster: missing, expected the name of one of the "
		    "%u clusters",
		    (unsigned)c->cluster_n);
	cfg_opt_t *fallback = find(src, sec, "fallback");
	if (fallback == NULL)
		return false;
	if (cfg_opt_size(fallback) == 0)
		l->fallback = c->cluster[l->cluster].read_fallback;
	return true;
}

/* What a listener does not say of its hold, the agent says. */
static void inherit_hold(struct conf *c)
{
	for (uint16_t i = 0; i < c->listen_n; i++) {
		struct conf_listen *l = &c->listen[i];

		if (l->hold_timeout.us == 0)
			l->hold_timeout = c->agent.hold_timeout;
		if (l->hold_max == UINT32_MAX)
			l->hold_max = c->agent.hold_max;
	}
}

/* How many sections of a kind; 0 and a sentence if none or too many. */
static uint16_t count(
    const struct conf_src *src, const char *section, unsigned max)
{
	unsigned n = cfg_size(src->root, section);

	if (n == 0)
		(void)conf_fail(src, 0,
		    "no section %s, expected at least one: %s NAME { }",
		    section, section);
	else if (n > max)
		(void)conf_fail(src, cfg_getnsec(src->root, section, max)->line,
		    "%u sections %s, expected at most %u", n, section, max);
	return n > max ? 0 : (uint16_t)n;
}

static bool read_all(const struct conf_src *src, struct conf *c)
{
	const struct conf_section *s = conf_section_table();

	c->cluster_n = count(src, "cluster", LIM_CLUSTERS);
	if (c->cluster_n == 0)
		return false;
	c->listen_n = count(src, "listen", LIM_LISTENERS);
	if (c->listen_n == 0)
		return false;
	c->cluster = calloc(c->cluster_n, sizeof(*c->cluster));
	c->listen = calloc(c->listen_n, sizeof(*c->listen));
	if (c->cluster == NULL || c->listen == NULL)
		return conf_fail(src, 0, NO_MEMORY);
	for (uint16_t i = 0; i < c->cluster_n; i++) {
		if (!read_cluster(src, c, i))
			return false;
	}
	for (uint16_t i = 0; i < c->listen_n; i++) {
		if (!read_listen(src, c, i))
			return false;
	}
	for (; s->name != NULL; s++) {
		cfg_t *sec = s->name[0] == '\0'
		    ? src->root
		    : cfg_getsec(src->root, s->name);

		if (s->title == NULL &&
		    !read_section(src, c, s->name, sec, (char *)c + s->offset))
			return false;
	}
	inherit_hold(c);
	return true;
}

static struct conf *parse_text(const struct conf_src *in, char *text)
{
	struct conf_src src = *in;
	struct conf *c = calloc(1, sizeof(*c));

	src.root = new_root();
	if (c == NULL || src.root == NULL) {
		(void)conf_fail(&src, 0, NO_MEMORY);
		goto bad;
	}
	if (cfg_parse_buf(src.root, text) != CFG_SUCCESS) {
		(void)parse_failed(&src);
		goto bad;
	}
	if (!read_all(&src, c) || !conf_check(&src, c))
		goto bad;
	goto out;
bad:
	conf_free(c);
	c = NULL;
out:
	if (src.root != NULL)
		(void)cfg_free(src.root);
	return c;
}

struct conf *conf_parse(
    const char *file, struct slice text, struct conf_err *err)
{
	struct conf_src src = {.file = file, .err = err};
	struct conf *c = NULL;
	char *copy;

	assert(file != NULL && err != NULL);
	err->text[0] = '\0';
	if (text.len > CONF_TEXT_MAX) {
		(void)conf_fail(&src, 0, "%zu bytes, expected at most %zu",
		    text.len, CONF_TEXT_MAX);
		return NULL;
	}
	copy = malloc(text.len + 1);
	if (copy == NULL) {
		(void)conf_fail(&src, 0, NO_MEMORY);
		return NULL;
	}
	if (text.len > 0)
		memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	if (strlen(copy) != text.len)
		(void)conf_fail(
		    &src, 0, "a zero byte in it, expected a text file");
	else if (conf_scan(&src, copy))
		c = parse_text(&src, copy);
	free(copy);
	return c;
}

struct conf *conf_load(const char *path, struct conf_err *err)
{
	struct conf_src src = {.file = path, .err = err};
	struct conf *c;
	size_t len;
	char *text;

	assert(path != NULL && err != NULL);
	err->text[0] = '\0';
	text = conf_read_file(&src, &len);
	if (text == NULL)
		return NULL;
	c = conf_parse(path, slice_of(text, len), err);
	free(text);
	return c;
}

void conf_free(struct conf *c)
{
	if (c == NULL)
		return;
	free(c->cluster);
	free(c->listen);
	free(c);
}
