/*
 * conf_int.h - what the files of conf share among themselves.
 */
#ifndef CONF_INT_H
#define CONF_INT_H

#include <confuse.h>
#include <stddef.h>

#include "conf.h"

#define CONF_TEXT_MAX ((size_t)1 << 20) /* bytes of one patroute.conf */

enum conf_type {
	CONF_NONE = 0,
	CONF_LABEL,     /* a name that HAProxy takes too */
	CONF_WORD,      /* printable, without blanks */
	CONF_NAMESPACE, /* /a/b */
	CONF_PATH,      /* absolute */
	CONF_SECRET,    /* absolute, of a file that only its owner reads */
	CONF_ADDRESS,   /* numeric */
	CONF_NUMBER,
	CONF_DURATION,
	CONF_LAG, /* a size, a duration, or both */
	CONF_ENUM,
	CONF_CLUSTER, /* the name of a cluster, kept as its index */
	CONF_ENDPOINTS,
	CONF_MAP,
	CONF_LISTENS,
	CONF_MEMBERS,  /* Patroni's REST APIs */
	CONF_PROBE_AT, /* [MEMBER=][HOST]:PORT */
	CONF_CIDR,     /* ADDRESS/PREFIX, or none */
	CONF_HOSTS,
	CONF_SOCKETS, /* absolute paths */
	CONF_BINDS,   /* numeric, or "*" */
	CONF_LINE,    /* printable, blanks and all */
	CONF_LINES,
	CONF_SERVERS, /* MEMBER=HOST:PORT [http[s]://HOST:PORT] */
};

/* The words of a CONF_ENUM, ended by a NULL. */
struct conf_word {
	const char *word;
	int value;
};

/* The only place where a key stands. */
struct conf_key {
	const char *section; /* "" for the top level */
	const char *name;
	enum conf_type type;
	bool required, reloadable;
	size_t offset, size; /* in the section's struct */
	int64_t min, max;    /* numbers, microseconds or bytes */
	const struct conf_word *words;
	const char *def; /* as it would be written; NULL: none */
	const char *help;
};

struct conf_section {
	const char *name, *title; /* title: what it is called, NULL: none */
	const char *help;
	size_t offset; /* without a title: of its struct, in struct conf */
};

/* One line that the example sets; the others stand there as comments. */
struct conf_example {
	const char *section, *title, *name, *value;
};

/* Each table ends with an entry whose `section` (`name`) is NULL. */
const struct conf_key *conf_key_table(void);
const struct conf_section *conf_section_table(void);
const struct conf_example *conf_example_table(void);

static inline bool is_conf_list(const struct conf_key *k)
{
	return k->type == CONF_ENDPOINTS || k->type == CONF_MAP ||
	    k->type == CONF_LISTENS || k->type == CONF_MEMBERS ||
	    k->type == CONF_PROBE_AT || k->type == CONF_HOSTS ||
	    k->type == CONF_BINDS || k->type == CONF_SOCKETS ||
	    k->type == CONF_LINES || k->type == CONF_SERVERS;
}

/* Where a value comes from, for the sentence that refuses it. */
struct conf_src {
	const char *file;
	cfg_t *root;
	struct conf_err *err;
};

#define CONF_EXPECTED 256

/* What a value of this key may be: "a whole number from 1 to 65535". */
const char *conf_expected(
    const struct conf_key *k, char buf[static CONF_EXPECTED]);

/* Letters, digits, '.', '_', '-': what HAProxy takes as a name, too. */
bool is_conf_label(struct slice s);

/*
 * Sets one value (for lists: one more) in the section's struct.
 * Gives: false if `text` is not what conf_expected() says.
 */
bool conf_set(const struct conf *c, const struct conf_key *k, void *section,
    struct slice text) __attribute__((warn_unused_result));

/* The i-th section of that name. Needs: it is there. */
static inline cfg_t *conf_section_at(
    const struct conf_src *src, const char *name, int i)
{
	return cfg_getnsec(src->root, name, (unsigned)i);
}

/* The line on which value `i` of an option was set; 0 if it was not. */
int conf_line(cfg_t *section, const char *name, unsigned i);

/* Says "FILE:LINE: SENTENCE" in *src->err; gives false. */
bool conf_fail(const struct conf_src *src, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* What no single value shows: names and ports used twice, secrets, … */
bool conf_check(const struct conf_src *src, const struct conf *c)
    __attribute__((warn_unused_result));

/* Gives: the bytes of src->file on the heap; NULL and *err. (conf_files.c) */
char *conf_read_file(const struct conf_src *src, size_t *len);

/* What of HAProxy's files does not go together (conf_haproxy.c). */
bool conf_check_haproxy(const struct conf_src *src, const struct conf *c)
    __attribute__((warn_unused_result));

/* Can a file of this section be read, by whom it should be? (conf_files.c) */
bool conf_check_file(const struct conf_src *src, cfg_t *sec,
    const char *section, const struct conf_file *f)
    __attribute__((warn_unused_result));

/* Its files, and which of its keys need each other (conf_files.c). */
bool conf_check_files(const struct conf_src *src, const struct conf_cluster *cl,
    cfg_t *sec) __attribute__((warn_unused_result));

/*
 * Blanks the comments of `text` in place (libconfuse miscounts their lines) and
 * refuses what libconfuse would let pass: a missing last brace, bytes that it
 * skips, environment variables.
 */
bool conf_scan(const struct conf_src *src, char *text)
    __attribute__((warn_unused_result));

#endif
