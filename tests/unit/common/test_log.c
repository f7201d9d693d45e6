/* The log: one line an event, escaped, and never a wait for its reader. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

static int saved_stderr, pipe_out;

static int redirect(void **state)
{
	int fd[2];

	(void)state;
	(void)fflush(stderr);
	if (pipe2(fd, O_CLOEXEC) == -1)
		return -1;
	saved_stderr = dup(STDERR_FILENO);
	(void)dup2(fd[1], STDERR_FILENO);
	(void)close(fd[1]);
	pipe_out = fd[0];
	log_init("unit", LOG_LVL_INFO);
	return 0;
}

static int restore(void **state)
{
	(void)state;
	(void)dup2(saved_stderr, STDERR_FILENO);
	(void)close(saved_stderr);
	(void)close(pipe_out);
	return 0;
}

/* What stands in the pipe now. */
static const char *drain(void)
{
	static char buf[1 << 17];
	struct pollfd pfd = {.fd = pipe_out, .events = POLLIN};
	size_t n = 0;

	while (n < sizeof(buf) - 1 && poll(&pfd, 1, 0) == 1) {
		ssize_t got = read(pipe_out, buf + n, sizeof(buf) - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	buf[n] = '\0';
	return buf;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void a_line(void **state)
{
	const char *text;

	(void)state;
	errno = EACCES;
	log_warn("reject file=%s", "x");
	assert_int_equal(errno, EACCES);
	text = drain();
	assert_int_equal(lines(text), 1);
	assert_non_null(strstr(text, " warn reject file=x: Permission denied"));
	/* 2024-01-01T00:00:00.000Z */
	assert_true(text[4] == '-' && text[10] == 'T' && text[23] == 'Z');
	log_warnx("reject file=%s", "y");
	assert_non_null(strstr(drain(), " warn reject file=y\n"));
}

static void levels(void **state)
{
	(void)state;
	log_debug("start a=1");
	assert_string_equal(drain(), "");
	log_set_level(LOG_LVL_DEBUG);
	log_debug("start a=2");
	assert_non_null(strstr(drain(), " debug start a=2\n"));
	log_set_level(LOG_LVL_WARN);
	log_info("start a=3");
	assert_string_equal(drain(), "");
	log_set_level(LOG_LVL_INFO);
}

static void no_forged_lines(void **state)
{
	const char *text;

	(void)state;
	log_info("change name=%s", "a\n2024 fatal \x1b[2J\x7f");
	text = drain();
	assert_int_equal(lines(text), 1);
	assert_non_null(strstr(text, "a?2024 fatal ?[2J?\n"));
}

static void long_lines_are_cut(void **state)
{
	char big[3000];
	const char *text;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_info("%s", big);
	text = drain();
	assert_int_equal(lines(text), 1);
	assert_true(strlen(text) <= LIM_LOG_LINE);
}

static void repeats(void **state)
{
	const char *text;

	(void)state;
	for (int i = 0; i < 1000; i++)
		log_info("timeout etcd=%d", 1);
	assert_int_equal(lines(drain()), 1);
	log_info("ready etcd=1");
	text = drain();
	assert_int_equal(lines(text), 2);
	assert_non_null(strstr(text, "repeat lines=999"));
}

/* a blocked log pipe stops nothing. */
static void a_full_pipe(void **state)
{
	unsigned written;
	const char *text;
	char want[64];
	struct mono start = mono_now();

	(void)state;
	for (int i = 0; i < 5000; i++)
		log_info("change number=%d", i);
	assert_true(mono_sub(mono_now(), start).us < 5000000);
	written = lines(drain());
	assert_true(written > 100 && written < 5000);
	log_info("ready again=1");
	text = drain();
	assert_int_equal(lines(text), 2);
	(void)snprintf(
	    want, sizeof(want), " warn drop lines=%u ", 5000 - written);
	assert_non_null(strstr(text, want));
	/* Nobody else's descriptor was made non-blocking. */
	assert_int_equal(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
}

static void no_stderr_at_all(void **state)
{
	int fd = dup(STDERR_FILENO);

	(void)state;
	(void)close(STDERR_FILENO);
	log_info("change closed=1");
	(void)dup2(fd, STDERR_FILENO);
	(void)close(fd);
	log_info("change closed=0");
	assert_non_null(strstr(drain(), "drop lines=1"));
}

static void texts(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} t[] = {
	    {"", 0, "\"\""},
	    {"abc", 3, "\"abc\""},
	    {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
	    {"\n\r\t\0\x1f\x7f\xff", 7, "\"\\n\\r\\t\\x00\\x1f\\x7f\\xff\""},
	};
	char buf[LOG_TEXT], big[LIM_LOG_BYTES + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		assert_string_equal(
		    log_text(slice_of(t[i].in, t[i].len), buf), t[i].out);
	memset(big, 0xff, sizeof(big));
	(void)log_text(slice_of(big, sizeof(big)), buf);
	assert_int_equal(strlen(buf), LIM_LOG_BYTES * 4 + 5);
	assert_string_equal(buf + strlen(buf) - 8, "\\xff...\"");
	(void)log_text(slice_of(big, LIM_LOG_BYTES), buf);
	assert_string_equal(buf + strlen(buf) - 5, "\\xff\"");
}

static void rates(void **state)
{
	struct log_rate r = {0};
	struct mono now = {1000000};
	uint32_t suppressed = 99;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(log_rate_ok(&r, 3, dur_ms(100), now, &suppressed));
	for (int i = 0; i < 7; i++)
		assert_false(log_rate_ok(&r, 3, dur_ms(100), now, &suppressed));
	now = mono_add(now, dur_us(99999));
	assert_false(log_rate_ok(&r, 3, dur_ms(100), now, &suppressed));
	now = mono_add(now, dur_us(1));
	assert_true(log_rate_ok(&r, 3, dur_ms(100), now, &suppressed));
	assert_int_equal(suppressed, 8);
	assert_true(log_rate_ok(&r, 3, dur_ms(100), now, &suppressed));
	assert_int_equal(suppressed, 0);
}

static void fatal_says_and_exits(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		fatal("%s: no such\nfile", "a.conf");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	assert_string_equal(drain(), "unit: a.conf: no such?file\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_line, redirect, restore),
	    cmocka_unit_test_setup_teardown(levels, redirect, restore),
	    cmocka_unit_test_setup_teardown(no_forged_lines, redirect, restore),
	    cmocka_unit_test_setup_teardown(
		long_lines_are_cut, redirect, restore),
	    cmocka_unit_test_setup_teardown(repeats, redirect, restore),
	    cmocka_unit_test_setup_teardown(a_full_pipe, redirect, restore),
	    cmocka_unit_test_setup_teardown(
		no_stderr_at_all, redirect, restore),
	    cmocka_unit_test(texts),
	    cmocka_unit_test(rates),
	    cmocka_unit_test_setup_teardown(
		fatal_says_and_exits, redirect, restore),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
