/*
 * args.h - a command's options and operands, from one table that its help and
 * the man page's test read too.
 */
#ifndef ARGS_H
#define ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "mono.h"

#define ARGS_OPTIONS 20 /* of one command, the common ones included */
#define ARGS_OPERANDS 8

enum args_kind {
	ARGS_END = 0, /* ends a table */
	ARGS_FLAG,
	ARGS_TEXT,
	ARGS_NUMBER,
	ARGS_DURATION /* as in patroute.conf: 10min, 1h; 10m too */
};

struct args_option {
	enum args_kind kind;
	const char *name;  /* after "--" */
	char letter;       /* after "-", 0: none */
	const char *value; /* what stands for it in the help, NULL: a flag */
	const char *help;
	int64_t min, max; /* of numbers, and of durations in us */
};

struct args {
	const struct args_option *option[ARGS_OPTIONS];
	const char *value[ARGS_OPTIONS]; /* NULL: not given */
	int64_t number[ARGS_OPTIONS];
	unsigned options, operands;
	const char *operand[ARGS_OPERANDS];
	char wrong[256]; /* one sentence, if args_parse() said false */
};

/*
 * Reads argv[1..]: options anywhere before "--", the last one of a name
 * counts. Needs: tables that outlive *a, together ARGS_OPTIONS at most.
 * Gives: false and a->wrong.
 */
bool args_parse(struct args *a, const struct args_option *own,
    const struct args_option *common, int argc, char **argv)
    __attribute__((warn_unused_result));

/* Needs: a name of the tables. */
bool is_arg(const struct args *a, const char *name);
const char *args_text(const struct args *a, const char *name); /* NULL: none */
int64_t args_number(const struct args *a, const char *name, int64_t otherwise);

/* "10min", "1h", and "10m" as people write it. Gives: false if it is none. */
bool args_dur(const char *text, int64_t min_us, int64_t max_us, int64_t *us)
    __attribute__((warn_unused_result));

#endif
