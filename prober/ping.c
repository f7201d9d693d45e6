/*
 * ping.c - asks a running prober; see ping.h.
 *
 * Runs in a process of its own, which may block.
 */
#include "ping.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "health.h"
#include "json.h"
#include "numeric.h"
#include "sock.h"

#define QUESTION "GET /healthz HTTP/1.0\r\n\r\n"
#define PING_LINE_MAX 65536

/* For less than PING_MS. Gives: the descriptor, or -1 and errno. */
static int dial(const struct conf_prober *p)
{
	struct numeric to;

	errno = EINVAL;
	return numeric_addr(p->http_address, p->http_port, &to)
	    ? sock_dial(
		  (const struct sockaddr *)&to.sa, to.len, dur_ms(PING_MS - 1))
	    : -1;
}

/* "HTTP/1.1 200 OK": the status begins at the tenth byte. */
static const char *judge(const char *line, size_t n)
{
	if (n < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ')
		return "an answer that is not HTTP";
	if (memcmp(line + 9, "200", 3) != 0 && memcmp(line + 9, "503", 3) != 0)
		return "neither 200 nor 503";
	return NULL;
}

/* Until `size` bytes are there, or the peer closes. Gives: NULL, and *n. */
static const char *await(
    int fd, char *buf, size_t size, size_t *n, struct mono until)
{
	*n = 0;
	while (*n < size) {
		ssize_t got = sock_hear(fd, buf + *n, size - *n, until);

		if (got < 0)
			return "no answer in time";
		if (got == 0)
			return *n > 0 ? NULL : "closed without an answer";
		*n += (size_t)got;
	}
	return NULL;
}

static const char *ask(const struct conf *conf, const char *question,
    char *answer, size_t size, size_t *n)
{
	const struct mono until = mono_add(mono_now(), dur_ms(PING_MS));
	const ssize_t len = (ssize_t)strlen(question);
	const char *wrong;
	int fd = dial(&conf->prober);

	if (fd == -1)
		return strerror(errno);
	if (send(fd, question, (size_t)len, MSG_NOSIGNAL) != len)
		wrong = strerror(errno);
	else
		wrong = await(fd, answer, size, n, until);
	(void)close(fd);
	return wrong;
}

const char *ping_prober(const struct conf *conf)
{
	char line[12] = "";
	const char *wrong;
	size_t n = 0;

	assert(conf != NULL);
	wrong = ask(conf, QUESTION, line, sizeof(line), &n);
	return wrong != NULL ? wrong : judge(line, n);
}

/* A shell reads it by lines, and an attribute is one argument of a program. */
static bool is_line(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.len <= PING_LINE_MAX;
}

static bool print_health(const cJSON *o, struct slice others, FILE *out)
{
	struct slice members = json_str(o, "members"), why = json_str(o, "why");
	int64_t score = json_i64(o, "score");
	struct health h = {0};

	if (json_get(o, "score") == NULL || score > HEALTH_BEST ||
	    !slice_copy(why, h.why, sizeof(h.why)) || !is_line(why))
		return false;
	h.score = (uint8_t)score;
	health_compare(&h, json_str(o, "missing"), others);
	if (!is_line(members))
		members.len = 0;
	return fprintf(out, "%u\n%s\n%.*s\n", (unsigned)h.score, h.why,
		   (int)members.len,
		   members.len > 0 ? (const char *)members.p : "") > 0;
}

const char *ping_health(const struct conf *conf, struct slice others, FILE *out)
{
	char *text = malloc(LIM_HTTP_BODY);
	const char *wrong, *body;
	size_t n = 0;
	cJSON *o = NULL;

	assert(conf != NULL && out != NULL);
	if (text == NULL)
		return "no memory";
	wrong =
	    ask(conf, "GET /health HTTP/1.0\r\n\r\n", text, LIM_HTTP_BODY, &n);
	if (wrong != NULL)
		goto done;
	/* One of an earlier version, that an upgrade left running. */
	if (n >= 12 && memcmp(text + 9, "404", 3) == 0)
		goto done;
	wrong = judge(text, n);
	body = wrong == NULL ? memmem(text, n, "\r\n\r\n", 4) : NULL;
	if (body != NULL)
		o = json_parse(
		    slice_of(body + 4, n - (size_t)(body + 4 - text)));
	if (wrong == NULL && (o == NULL || !print_health(o, others, out)))
		wrong = "an answer without a score";
done:
	cJSON_Delete(o);
	free(text);
	return wrong;
}
