/*
 * log.c - one line an event to standard error; see log.h.
 *
 * The descriptor's own flags stay as they are: O_NONBLOCK would reach whoever
 * shares standard error with us (a shell, the other program). Instead poll()
 * is asked whether there is room; a line is at most PIPE_BUF bytes long, which
 * a pipe or socket with room takes whole. Without room the line is dropped and
 * counted. The sink below is the only writable global of either program.
 */
#include "log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The same line again is only counted for this long. */
#define REPEAT_MS 10000

_Static_assert(LIM_LOG_LINE <= PIPE_BUF, "a line must be written whole");

static struct {
	const char *program;
	enum log_level level;
	uint64_t dropped;        /* lines that found no room */
	uint32_t repeated;       /* of `last`, not written */
	struct mono written;     /* when `last` was */
	char last[LIM_LOG_LINE]; /* the latest line, without its time */
} sink = {.program = "patroute", .level = LOG_LVL_INFO};

void log_init(const char *program, enum log_level level)
{
	assert(program != NULL);
	sink.program = program;
	sink.level = level;
}

void log_set_level(enum log_level level)
{
	sink.level = level;
}

/* What came through without log_text() must not forge a line. */
static void one_line(char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	}
}

static bool write_line(const char *line, size_t len)
{
	struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&pfd, 1, 0) != 1 || (pfd.revents & POLLOUT) == 0)
		return false;
	return write(STDERR_FILENO, line, len) == (ssize_t)len;
}

/* TIME is the wall clock for people, then the monotonic clock's seconds. */
static size_t put_time(char *buf, size_t size)
{
	struct timespec ts = {0};
	struct mono now = mono_now();
	struct tm tm;
	size_t n;
	int more;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (gmtime_r(&ts.tv_sec, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	more = snprintf(buf + n, size - n, ".%03ldZ %lld.%06lld ",
	    ts.tv_nsec / 1000000, (long long)(now.us / 1000000),
	    (long long)(now.us % 1000000));
	return n + (more > 0 ? (size_t)more : 0);
}

static void emit(const char *body)
{
	char line[LIM_LOG_LINE + 1];
	size_t n = put_time(line, 64);
	int room = (int)(LIM_LOG_LINE - 1 - n);

	(void)snprintf(line + n, sizeof(line) - n, "%.*s\n", room, body);
	if (!write_line(line, strlen(line)))
		sink.dropped++;
}

/* What was not written is said before the next line that is. */
static void say_missing(void)
{
	char body[96];

	if (sink.repeated > 0) {
		(void)snprintf(body, sizeof(body),
		    "info repeat lines=%u of the line before", sink.repeated);
		sink.repeated = 0;
		emit(body);
	}
	if (sink.dropped > 0) {
		uint64_t was = sink.dropped;

		(void)snprintf(body, sizeof(body), "warn drop lines=%llu %s",
		    (unsigned long long)was,
		    "standard error had no room for them");
		sink.dropped = 0;
		emit(body);
		/* No room for this one either: the count goes on. */
		if (sink.dropped > 0)
			sink.dropped = was;
	}
}

__attribute__((format(printf, 3, 0))) static void log_line(
    enum log_level level, int err, const char *fmt, va_list ap)
{
	static const char *const name[] = {
	    [LOG_LVL_NONE] = "fatal",
	    [LOG_LVL_WARN] = "warn",
	    [LOG_LVL_INFO] = "info",
	    [LOG_LVL_DEBUG] = "debug",
	};
	int saved = errno;
	char body[LIM_LOG_LINE];
	size_t n;

	if (level > sink.level)
		return;
	n = (size_t)snprintf(body, sizeof(body), "%s ", name[level]);
	(void)vsnprintf(body + n, sizeof(body) - n, fmt, ap);
	n = strlen(body);
	if (err != 0)
		(void)snprintf(body + n, sizeof(body) - n, ": %s",
		    strerrordesc_np(err) != NULL ? strerrordesc_np(err)
						 : "unknown error");
	one_line(body);
	if (strcmp(body, sink.last) == 0 &&
	    is_mono_fresh(sink.written, dur_ms(REPEAT_MS), mono_now())) {
		sink.repeated++;
	} else {
		say_missing();
		emit(body);
		memcpy(sink.last, body, sizeof(body));
		sink.written = mono_now();
	}
	errno = saved;
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LVL_WARN, errno, fmt, ap);
	va_end(ap);
}

void log_warnx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LVL_WARN, 0, fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LVL_INFO, 0, fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LVL_DEBUG, 0, fmt, ap);
	va_end(ap);
}

void fatal(const char *fmt, ...)
{
	char text[LIM_LOG_LINE];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	one_line(text);
	/* Before the loop: blocking is allowed, a lost last word is not. */
	(void)dprintf(STDERR_FILENO, "%s: %s\n", sink.program, text);
	exit(1);
}

bool log_rate_ok(struct log_rate *r, uint32_t burst, struct dur per,
    struct mono now, uint32_t *suppressed)
{
	assert(r != NULL && suppressed != NULL && burst > 0);
	*suppressed = 0;
	if (!is_mono_fresh(r->since, per, now)) {
		r->since = now;
		r->n = 0;
	}
	if (r->n >= burst) {
		if (r->suppressed < UINT32_MAX)
			r->suppressed++;
		return false;
	}
	r->n++;
	*suppressed = r->suppressed;
	r->suppressed = 0;
	return true;
}

static size_t escape(unsigned char c, char out[static 5])
{
	static const char plain[] = "\n\r\t\"\\", letter[] = "nrt\"\\";
	const char *at = c != '\0' ? strchr(plain, c) : NULL;

	if (at != NULL) {
		out[0] = '\\';
		out[1] = letter[at - plain];
		return 2;
	}
	if (c >= 0x20 && c < 0x7f) {
		out[0] = (char)c;
		return 1;
	}
	return (size_t)snprintf(out, 5, "\\x%02x", c);
}

const char *log_text(struct slice s, char buf[static LOG_TEXT])
{
	size_t n = 0, len = s.len < LIM_LOG_BYTES ? s.len : LIM_LOG_BYTES;

	buf[n++] = '"';
	for (size_t i = 0; i < len; i++)
		n += escape(s.p[i], buf + n);
	if (len < s.len) {
		memcpy(buf + n, "...", 3);
		n += 3;
	}
	buf[n++] = '"';
	buf[n] = '\0';
	assert(n < LOG_TEXT);
	return buf;
}
