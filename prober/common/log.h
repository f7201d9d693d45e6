/*
 * log.h - one line an event, to standard error, never blocking.
 *
 * A line is "TIME MONO LEVEL verb key=value …": the wall clock for people, the
 * monotonic clock's seconds for whoever compares, and a verb: start ready
 * reload change timeout reject drop stop. Bytes that came from the network go
 * through log_text(). Where standard error has no room (a full pipe) the line
 * is dropped and counted; the next one that fits says how many. The same line
 * again within 10 s is counted, not written. The descriptor's flags are not
 * touched.
 * The sink (level, program name, counters) is the only writable global of
 * either program.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lim.h"
#include "mono.h"
#include "slice.h"

enum log_level {
	LOG_LVL_NONE = 0,
	LOG_LVL_WARN,
	LOG_LVL_INFO,
	LOG_LVL_DEBUG
};

/* Room for LIM_LOG_BYTES escaped bytes, quotes, an ellipsis and NUL. */
#define LOG_TEXT (LIM_LOG_BYTES * 4 + 8)

/* Needs: program lives as long as the process. */
void log_init(const char *program, enum log_level level);
void log_set_level(enum log_level level);

/* With the text of errno at its end; errno is preserved. */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Says the sentence on standard error, exits with 1. Before the loop only. */
void fatal(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/*
 * At most `burst` calls in `per` give true; the first true after suppressed
 * calls stores their number in *suppressed. Zeroed memory is a full bucket.
 */
struct log_rate {
	struct mono since;
	uint32_t n, suppressed;
};
bool log_rate_ok(struct log_rate *r, uint32_t burst, struct dur per,
    struct mono now, uint32_t *suppressed);

/* Escapes `s` (C escapes, \xNN), cuts it at LIM_LOG_BYTES, gives buf. */
const char *log_text(struct slice s, char buf[static LOG_TEXT]);

#endif
