/* conf_text.h - small configurations for tests, and what comes of them. */
#ifndef CONF_TEXT_H
#define CONF_TEXT_H

#include <sys/stat.h>

#include "conf.h"

#define ETCD "etcd = \"http://e:2379\""
#define MAIN "cluster main { " ETCD " }\n"
#define WRITE "listen write { port = 5000 target = primary }\n"

static inline struct conf *must_parse(const char *text)
{
	struct conf_err err;
	struct conf *c = conf_parse("t.conf", slice_str(text), &err);

	if (c == NULL)
		fail_msg("%s", err.text);
	assert_string_equal(err.text, "");
	return c;
}

static inline void assert_sentence(const char *text, const char *sentence)
{
	struct conf_err err;
	struct conf *c = conf_parse("t.conf", slice_str(text), &err);

	if (c != NULL)
		fail_msg("accepted: %s", text);
	if (strcmp(err.text, sentence) != 0)
		fail_msg(
		    "%s\n     got: %s\nexpected: %s", text, err.text, sentence);
}

static inline void write_file(const char *path, const char *text, unsigned mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, (mode_t)mode), 0);
}

#endif
