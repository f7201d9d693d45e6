/*
 * haptext.c - HAProxy's words. Called by haproxy.c, hapold.c and api.c; each
 * byte comes from outside and is not trusted.
 */
#include "haptext.h"

#include <assert.h>

#include "num.h"

bool haptext_old_worker(struct slice line, bool *in_old, uint64_t *pid)
{
	assert(in_old != NULL && pid != NULL);
	if (is_slice_start(line, "#")) {
		*in_old = is_slice_start(line, "# old workers");
		return false;
	}
	if (!*in_old)
		return false;
	struct slice number = slice_cut(&line, ' ');
	while (is_slice_start(line, " "))
		line = slice_skip(line, 1);
	return is_slice_start(line, "worker") &&
	    num_u64(number, 1, INT32_MAX, pid);
}

static bool is_hex(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return s.len > 0 && s.len <= 16;
}

/* "7s", "1m30s", "23h59m", "2d5h". Gives: 0 for anything else. */
static uint32_t age_s(struct slice s)
{
	uint64_t sum = 0, n = 0;
	bool digit = false;

	for (size_t i = 0; i < s.len && i < 16; i++) {
		unsigned char c = s.p[i];

		if (c >= '0' && c <= '9') {
			n = n * 10 + (uint64_t)(c - '0');
			digit = true;
			if (n > 1000000)
				return 0;
			continue;
		}
		uint64_t unit = c == 'd' ? 86400
		    : c == 'h'           ? 3600
		    : c == 'm'           ? 60
		    : c == 's'           ? 1
					 : 0;
		if (unit == 0 || !digit)
			return 0;
		sum += n * unit;
		n = 0;
		digit = false;
	}
	return digit || sum > UINT32_MAX ? 0 : (uint32_t)sum;
}

bool haptext_session(struct slice line, struct haptext_session *out)
{
	assert(out != NULL);
	struct slice id = slice_cut(&line, ':');
	if (!is_slice_start(id, "0x") || !is_hex(slice_skip(id, 2)))
		return false;
	*out = (struct haptext_session){.id = id};
	while (line.len > 0) {
		struct slice word = slice_cut(&line, ' ');

		if (is_slice_start(word, "be="))
			out->backend = slice_skip(word, 3);
		else if (is_slice_start(word, "srv="))
			out->server = slice_skip(word, 4);
		else if (is_slice_start(word, "age="))
			out->age_s = age_s(slice_skip(word, 4));
	}
	return out->backend.len > 0 && out->server.len > 0;
}

bool is_haptext_done(struct slice line)
{
	static const char *const done[] = {"New server registered.",
	    "Server deleted.", "IP changed from ", "port changed from ",
	    "no need to change "};

	for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++)
		if (is_slice_start(line, done[i]))
			return true;
	return false;
}

bool haptext_backend(
    struct slice backend, const char *cluster, enum hap_backend *which)
{
	size_t n = strlen(cluster);

	assert(which != NULL);
	if (!is_slice_start(backend, cluster) || backend.len == n ||
	    backend.p[n] != '_')
		return false;
	struct slice suffix = slice_skip(backend, n + 1);
	for (int b = 0; b < HAP_PLACES_N; b++) {
		*which = (enum hap_backend)b;
		if (is_slice_eq(suffix, hap_backend_suffix(*which)))
			return true;
	}
	return false;
}

bool haptext_check(struct slice path, struct haptext_check *out)
{
	assert(out != NULL);
	if (!is_slice_start(path, "/check/"))
		return false;
	path = slice_skip(path, strlen("/check/"));
	out->backend = slice_cut(&path, '/');
	out->server = slice_cut(&path, '/');
	return out->backend.len > 0 && out->server.len > 0 &&
	    is_slice_start(path, "pid-") &&
	    num_u64(slice_skip(path, 4), 1, INT32_MAX, &out->pid);
}
