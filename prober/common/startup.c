/*
 * startup.c - what a connection asks for, from its first bytes; see startup.h.
 *
 * Called by the agent for each decision. Allocates nothing: what has to be
 * unescaped is at most LIM_STARTUP bytes long and stands on the stack.
 * Sources: PostgreSQL's ProcessStartupPacket() (the layout and its limits),
 * pg_split_opts() and process_postgres_switches() (how `options` is read).
 */
#include "startup.h"

#include "lsn.h"
#include "num.h"

/* PostgreSQL manual, "Message Formats". */
#define PG_CANCEL 80877102U
#define PG_SSL 80877103U
#define PG_GSSENC 80877104U
#define PG_MAJOR 3U
#define PG_LENGTH_MAX 10000 /* MAX_STARTUP_PACKET_LENGTH */
#define PG_HEAD 8           /* length and code */

/* What the startup data says, before it is known to be sound to its end. */
struct chosen {
	uint8_t by_options, by_name; /* enum intent_want */
	bool replication, lag_bytes, lag_ms, lsn;
	uint64_t max_lag_bytes, min_lsn;
	uint32_t max_lag_ms;
};

static uint32_t get_be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c - 'A' + 'a') : c;
}

/* Names of settings: any case, and `-` stands for `_` (ParseLongOption). */
static bool is_setting(struct slice s, const char *name)
{
	if (s.len != strlen(name))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = lower(s.p[i]);

		if ((c == '-' ? '_' : c) != (unsigned char)name[i])
			return false;
	}
	return true;
}

/* No shorter than each of want_of()'s names. */
#define WANT_MAX 8

static uint8_t want_of(struct slice v)
{
	static const char *const name[] = {
	    [INTENT_PRIMARY] = "primary",
	    [INTENT_REPLICA] = "replica",
	    [INTENT_SYNC] = "sync",
	    [INTENT_ANY] = "any",
	};

	for (unsigned i = INTENT_PRIMARY; i <= INTENT_ANY; i++) {
		if (is_slice_eq(v, name[i]))
			return (uint8_t)i;
	}
	return INTENT_NONE;
}

static bool set_max_lag(struct slice v, struct chosen *c)
{
	struct dur d;

	if (num_size(v, 0, UINT64_MAX - 1, &c->max_lag_bytes)) {
		c->lag_bytes = true;
		return true;
	}
	if (!num_dur(v, dur_us(0), dur_ms(UINT32_MAX - 1), &d))
		return false;
	c->max_lag_ms = (uint32_t)dur_to_ms(d);
	c->lag_ms = true;
	return true;
}

/* False: one of ours that makes no sense. */
static bool set_one(struct slice name, struct slice value, struct chosen *c)
{
	static const char prefix[] = "patroute.";

	if (name.len < sizeof(prefix) - 1 ||
	    !is_setting(slice_of(name.p, sizeof(prefix) - 1), prefix))
		return true;
	name = slice_skip(name, sizeof(prefix) - 1);
	if (is_setting(name, "target")) {
		c->by_options = want_of(value);
		return c->by_options != INTENT_NONE;
	}
	if (is_setting(name, "max_lag"))
		return set_max_lag(value, c);
	if (is_setting(name, "min_lsn")) {
		c->lsn = true;
		return lsn_parse(value, &c->min_lsn);
	}
	return false;
}

/* NAME=VALUE, as it stands in the options. */
static bool set_pair(struct slice arg, struct chosen *c)
{
	const unsigned char *eq =
	    arg.len > 0 ? memchr(arg.p, '=', arg.len) : NULL;
	struct slice name;

	if (eq == NULL)
		return false;
	name = slice_of(arg.p, (size_t)(eq - arg.p));
	return set_one(name, slice_skip(arg, name.len + 1), c);
}

/* isspace() of the C locale, as pg_split_opts() has it. */
static bool is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/*
 * Takes one word off *in and writes it, its backslashes undone, to `out`,
 * which must have room for in->len bytes. False: there is no more.
 */
static bool next_word(struct slice *in, unsigned char *out, struct slice *word)
{
	bool escaped = false;
	size_t n = 0;

	while (in->len > 0 && is_space(in->p[0]))
		*in = slice_skip(*in, 1);
	if (in->len == 0)
		return false;
	for (; in->len > 0; *in = slice_skip(*in, 1)) {
		unsigned char ch = in->p[0];

		if (!escaped && is_space(ch))
			break;
		if (!escaped && ch == '\\') {
			escaped = true;
			continue;
		}
		escaped = false;
		out[n++] = ch;
	}
	*word = slice_of(out, n);
	return true;
}

/*
 * One word of switches, as getopt() reads it with the server's own letters.
 * Gives: false if the server would refuse it. *needs is set to the letter whose
 * argument is the next word, else to 0.
 */
static bool read_switches(struct slice word, struct chosen *c, char *needs)
{
	static const char plain[] = "bEeFijlnOPsT";
	static const char with_arg[] = "BcCDdfhkNprStvW-";

	*needs = 0;
	if (word.len < 2 || word.p[0] != '-')
		return false;
	for (size_t i = 1; i < word.len; i++) {
		char ch = (char)word.p[i];

		if (ch != '\0' && strchr(plain, ch) != NULL)
			continue;
		if (ch == '\0' || strchr(with_arg, ch) == NULL)
			return false;
		if (i + 1 == word.len) {
			*needs = ch;
			return ch != '-'; /* "--" ends getopt()'s work */
		}
		if (ch == 'c' || ch == '-')
			return set_pair(slice_skip(word, i + 1), c);
		return true;
	}
	return true;
}

static bool read_options(struct slice in, struct chosen *c)
{
	unsigned char buf[LIM_STARTUP];
	struct slice word;
	char needs = 0;

	assert(in.len <= sizeof(buf));
	while (next_word(&in, buf, &word)) {
		if (needs == 'c') {
			if (!set_pair(word, c))
				return false;
			needs = 0;
		} else if (needs != 0) {
			needs = 0;
		} else if (!read_switches(word, c, &needs)) {
			return false;
		}
	}
	return needs == 0;
}

static bool has_suffix(struct slice s, const char *suffix)
{
	size_t n = strlen(suffix);

	return s.len >= n && is_slice_eq(slice_skip(s, s.len - n), suffix);
}

/* The server's parse_bool() takes any unambiguous beginning, in any case. */
static bool is_beginning(struct slice v, const char *word, size_t min)
{
	if (v.len < min || v.len > strlen(word))
		return false;
	for (size_t i = 0; i < v.len; i++) {
		if (lower(v.p[i]) != (unsigned char)word[i])
			return false;
	}
	return true;
}

static bool is_replication(struct slice v)
{
	return is_slice_eq(v, "database") || is_slice_eq(v, "1") ||
	    is_beginning(v, "true", 1) || is_beginning(v, "yes", 1) ||
	    is_beginning(v, "on", 2);
}

static bool read_parameter(
    struct slice key, struct slice value, bool choose, struct chosen *c)
{
	if (is_slice_eq(key, "replication"))
		c->replication = is_replication(value);
	if (!choose)
		return true;
	if (is_slice_eq(key, "options"))
		return read_options(value, c);
	if (is_slice_eq(key, "application_name")) {
		c->by_name = INTENT_NONE;
		if (has_suffix(value, "/read_primary"))
			c->by_name = INTENT_PRIMARY;
		else if (has_suffix(value, "/read_replica"))
			c->by_name = INTENT_REPLICA;
		return true;
	}
	/* Drivers send what they do not know as a setting of its own. */
	return set_one(key, value, c);
}

/* Takes bytes up to a NUL, and the NUL, off *in. False: there is no NUL. */
static bool next_string(struct slice *in, struct slice *out)
{
	const unsigned char *nul =
	    in->len > 0 ? memchr(in->p, 0, in->len) : NULL;

	if (nul == NULL)
		return false;
	*out = slice_of(in->p, (size_t)(nul - in->p));
	*in = slice_skip(*in, out->len + 1);
	return true;
}

/*
 * Name and value by turns, ended by an empty name. `cut`: bytes are missing at
 * the end, so that it may break off anywhere; what broke off is not read.
 */
static bool read_parameters(
    struct slice in, bool cut, bool choose, struct chosen *c)
{
	struct slice key, value;

	while (next_string(&in, &key)) {
		if (key.len == 0)
			return in.len == 0 && !cut;
		if (!next_string(&in, &value))
			return cut;
		if (!read_parameter(key, value, choose, c))
			return false;
	}
	return cut;
}

/* Options are more explicit than a name, which tools may set by themselves. */
static void apply(const struct chosen *c, struct intent *it)
{
	uint8_t want =
	    c->by_options != INTENT_NONE ? c->by_options : c->by_name;

	if (want != INTENT_NONE)
		it->want = want;
	if (c->lag_bytes)
		it->max_lag_bytes = c->max_lag_bytes;
	if (c->lag_ms)
		it->max_lag_ms = c->max_lag_ms;
	if (c->lsn)
		it->min_lsn = c->min_lsn;
	if (want != INTENT_NONE || c->lag_bytes || c->lag_ms || c->lsn)
		it->flags |= INTENT_F_OPTIONS;
	if (c->replication)
		it->flags |= INTENT_F_REPLICATION;
}

static enum startup_rc flag_only(struct intent *it, enum intent_flag flag)
{
	it->flags |= (uint8_t)flag;
	return STARTUP_OK;
}

static enum startup_rc read_startup(
    struct slice first, size_t length, struct intent *it)
{
	struct chosen c = {0};
	size_t have = first.len < length ? first.len : length;
	struct slice body;

	/* What HAProxy cannot pass is no reason to wait for it. */
	if (have < length && have < LIM_STARTUP)
		return STARTUP_MORE;
	if (have > LIM_STARTUP)
		have = LIM_STARTUP;
	body = slice_of(first.p + PG_HEAD, have - PG_HEAD);
	if (!read_parameters(
		body, have < length, (it->flags & INTENT_F_CHOOSE) != 0, &c))
		return STARTUP_BAD;
	apply(&c, it);
	return STARTUP_OK;
}

enum startup_rc startup_parse(struct slice first, struct intent *it)
{
	uint32_t length, code;

	assert(it != NULL);
	/* RFC 8446 5.1: a handshake record; as a length it would be 369 MB. */
	if (first.len >= 2 && first.p[0] == 0x16 && first.p[1] == 0x03)
		return flag_only(it, INTENT_F_TLS);
	if (first.len >= 4 && memcmp(first.p, "GET ", 4) == 0)
		return flag_only(it, INTENT_F_HTTP);
	if (first.len < PG_HEAD)
		return STARTUP_MORE;
	length = get_be32(first.p);
	code = get_be32(first.p + 4);
	if (length < PG_HEAD || length > PG_LENGTH_MAX)
		return STARTUP_BAD;
	if (code == PG_CANCEL)
		return flag_only(it, INTENT_F_CANCEL);
	if (code == PG_SSL || code == PG_GSSENC)
		return length == PG_HEAD ? flag_only(it, INTENT_F_TLS)
					 : STARTUP_BAD;
	if (code >> 16 != PG_MAJOR)
		return STARTUP_BAD;
	return read_startup(first, length, it);
}

/* A host name's case says nothing, and clients pass it on as it was typed. */
static uint8_t want_of_label(struct slice label)
{
	unsigned char lower[WANT_MAX];

	if (label.len > sizeof(lower))
		return INTENT_NONE;
	for (size_t i = 0; i < label.len; i++)
		lower[i] = label.p[i] >= 'A' && label.p[i] <= 'Z'
		    ? (unsigned char)(label.p[i] | 0x20)
		    : label.p[i];
	return want_of(slice_of(lower, label.len));
}

void startup_sni(struct slice sni, struct intent *it)
{
	const unsigned char *dot;
	uint8_t want;

	assert(it != NULL);
	dot = sni.len > 0 ? memchr(sni.p, '.', sni.len) : NULL;
	if (dot == NULL || (it->flags & INTENT_F_CHOOSE) == 0)
		return;
	want = want_of_label(slice_of(sni.p, (size_t)(dot - sni.p)));
	if (want == INTENT_NONE)
		return;
	it->want = want;
	it->flags |= INTENT_F_OPTIONS;
}
