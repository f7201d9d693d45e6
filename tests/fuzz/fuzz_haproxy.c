/*
 * What HAProxy says: whatever comes, no command names what it must not, every
 * state is one of ours, and what is cut out of a line lies in it.
 *
 * The first byte chooses: `show stat`; the master's `show proc`; an old
 * worker's `show sess`; the path of a check, or any other of our paths.
 */
#include <stdint.h>

#include "hapfind.c"
#include "hapsync.c"
#include "haptext.c"
#include "hapview.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct snapshot make(void)
{
	struct snapshot s = {.boot_id = 1, .n = 3, .write = 0};

	memcpy(s.cluster, "main", 5);
	for (unsigned i = 0; i < s.n; i++) {
		memcpy(s.m[i].server, "psql-1", 7);
		s.m[i].server[5] = (char)('1' + i);
		s.m[i].flags = SNAP_F_LIVE;
	}
	return s;
}

static void see_commands(const struct hap_cmds *cmds)
{
	assert(cmds->n <= LIM_HAP_CMDS);
	for (unsigned i = 0; i < cmds->n; i++) {
		const char *line = cmds->line[i];

		assert(strncmp(line, "set server main_", 16) == 0 ||
		    strncmp(line, "shutdown sessions server main_", 30) == 0 ||
		    strncmp(line, "add server main_", 16) == 0 ||
		    strncmp(line, "del server main_", 16) == 0 ||
		    strncmp(line, "enable health main_", 19) == 0);
		assert(strpbrk(line, ";\n") == NULL);
	}
}

/* Two looks at the same answer: what joins, and what leaves. */
static void discover(const struct snapshot *s, const struct hap_view *view)
{
	static const struct hap_words words = {
	    .check_addr = "127.0.0.1", .check_port = 1, .ca = "", .pem = ""};
	struct hap_found found[LIM_MEMBERS] = {0};
	struct hap_memory mem = {0};
	struct hap_cmds cmds;
	const struct hap_find_in in = {.snap = s,
	    .view = view,
	    .found = found,
	    .words = &words,
	    .may_leave = true};

	for (unsigned i = 0; i < s->n; i++) {
		memcpy(found[i].addr, "10.0.0.1", 9);
		found[i].port = found[i].rest_port = 5432;
	}
	for (int64_t at = 1; at <= 2; at++) {
		cmds.n = 0;
		(void)hap_find(&in, (struct mono){at}, &mem, &cmds);
		see_commands(&cmds);
	}
}

static void stats(struct slice text)
{
	struct snapshot s = make();
	struct hap_view view;
	struct hap_cmds cmds;

	assert(hap_parse_stat(text, &s, &view) == view.known);
	for (unsigned b = 0; b < HAP_BACKEND_N; b++)
		for (unsigned i = 0; i < LIM_MEMBERS; i++)
			assert(view.srv[b][i] <= HAP_SRV_OTHER &&
			    (i < s.n || view.srv[b][i] == HAP_SRV_NONE));
	assert(view.n <= HAP_ROWS);
	discover(&s, &view);
	hap_repair(&s, &view, &cmds);
	assert(cmds.n <= HAP_BACKEND_N * s.n && (view.known || cmds.n == 0));
	see_commands(&cmds);
}

/* A change of leader between servers of any name. */
static void move(struct slice text)
{
	struct snapshot s = make();
	struct slice from = next_line(&text);
	struct hap_cmds cmds;
	char name[LIM_NAME];

	if (!slice_copy(from, name, sizeof(name)))
		return;
	if (!slice_copy(next_line(&text), s.m[0].server, LIM_NAME))
		s.write = -1;
	hap_move(&s, name[0] != '\0' ? name : NULL, &cmds);
	see_commands(&cmds);
	for (unsigned b = 0; b < HAP_BACKEND_N; b++) {
		int code = hap_check_code(&s, (enum hap_backend)b, name);

		assert(code == 200 || code == 404 || code == 503);
	}
}

static bool is_within(struct slice outer, struct slice s)
{
	return s.p >= outer.p && (size_t)(s.p - outer.p) <= outer.len &&
	    s.len <= outer.len - (size_t)(s.p - outer.p);
}

static void lines(struct slice text, bool sessions)
{
	bool in_old = false;

	while (text.len > 0) {
		struct slice line = next_line(&text);
		struct haptext_session s;
		uint64_t pid;

		if (sessions && haptext_session(line, &s)) {
			assert(is_within(line, s.id) && s.id.len <= 18);
			assert(is_within(line, s.backend));
			assert(is_within(line, s.server));
		} else if (haptext_old_worker(line, &in_old, &pid)) {
			assert(in_old && pid > 0 && pid <= INT32_MAX);
		}
	}
}

static void path(struct slice text)
{
	struct haptext_check c;
	enum hap_backend b;

	if (!haptext_check(text, &c))
		return;
	assert(is_within(text, c.backend) && is_within(text, c.server));
	assert(c.pid > 0 && c.pid <= INT32_MAX);
	if (haptext_backend(c.backend, "main", &b))
		assert(b < HAP_PLACES_N && c.backend.len > 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_of(data, size);

	if (size == 0)
		return 0;
	s = slice_skip(s, 1);
	if (data[0] == 's')
		stats(s);
	else if (data[0] == 'v')
		move(s);
	else if (data[0] == 'e' || data[0] == 'm')
		lines(s, data[0] == 'e');
	else
		path(slice_of(data, size));
	return 0;
}
