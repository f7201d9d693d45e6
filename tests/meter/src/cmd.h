/*
 * cmd.h - the meter's commands, one a line on standard input.
 */
#ifndef METER_CMD_H
#define METER_CMD_H

#include "meter.h"

#define CMD_LINE 1024

enum cmd_rc {
	CMD_OK = 0,
	CMD_BAD,
	CMD_STOP
};

/*
 * Obeys one line, which it cuts up.
 * Gives: CMD_BAD with a sentence in `why`; CMD_STOP with the milliseconds
 * that attempts under way may still take in *drain_ms.
 */
enum cmd_rc cmd_run(struct meter *m, char *line, char *why, size_t size,
    int64_t *drain_ms) __attribute__((warn_unused_result));

/* Prints the commands, for --help. */
void cmd_usage(void);

#endif
