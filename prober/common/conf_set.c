/*
 * conf_set.c - one value's text becomes a field; what may stand there.
 */
#include "conf_int.h"

#include <arpa/inet.h>

#include "num.h"

bool is_conf_label(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') ||
			(c != '\0' && strchr("._-", c) != NULL)))
			return false;
	}
	return s.len > 0 && s.len < LIM_NAME;
}

static bool set_text(void *field, size_t size, struct slice s)
{
	return slice_copy(s, field, size) && is_snap_name(field);
}

static bool set_path(void *field, size_t size, struct slice s)
{
	return set_text(field, size, s) && s.p[0] == '/';
}

/* "/service/" is what Patroni's documentation shows; no slash is kept. */
static bool set_namespace(void *field, size_t size, struct slice s)
{
	while (s.len > 1 && s.p[s.len - 1] == '/')
		s.len--;
	return s.len > 1 && set_path(field, size, s);
}

static bool set_address(void *field, size_t size, struct slice s)
{
	unsigned char in6[16];

	return slice_copy(s, field, size) &&
	    (inet_pton(AF_INET, field, in6) == 1 ||
		inet_pton(AF_INET6, field, in6) == 1);
}

/* Whole numbers of two, four or eight bytes. */
static void store(void *field, size_t size, uint64_t v)
{
	uint16_t v16 = (uint16_t)v;
	uint32_t v32 = (uint32_t)v;

	assert(size == 2 || size == 4 || size == 8);
	if (size == 2)
		memcpy(field, &v16, size);
	else if (size == 4)
		memcpy(field, &v32, size);
	else
		memcpy(field, &v, size);
}

static bool set_number(const struct conf_key *k, void *field, struct slice s)
{
	uint64_t v;

	if (!num_u64(s, (uint64_t)k->min, (uint64_t)k->max, &v))
		return false;
	store(field, k->size, v);
	return true;
}

/* Takes the word before the first blank off *s, and the blanks behind it. */
static struct slice next_word(struct slice *s)
{
	struct slice word = *s;

	word.len = 0;
	while (word.len < s->len && s->p[word.len] != ' ')
		word.len++;
	*s = slice_skip(*s, word.len);
	while (s->len > 0 && s->p[0] == ' ')
		*s = slice_skip(*s, 1);
	return word;
}

/* A size, a duration, or one of each in either order. */
static bool set_lag(
    const struct conf_key *k, struct conf_lag *lag, struct slice s)
{
	bool has_bytes = false, has_ms = false;

	assert(k->size == sizeof(*lag));
	do {
		struct slice word = next_word(&s);
		struct dur d;

		if (!has_bytes &&
		    num_size(word, 0, UINT64_MAX - 1, &lag->bytes)) {
			has_bytes = true;
			continue;
		}
		if (has_ms ||
		    !num_dur(word, dur_us(k->min), dur_us(k->max), &d))
			return false;
		lag->ms = (uint32_t)dur_to_ms(d);
		has_ms = true;
	} while (s.len > 0);
	if (!has_bytes)
		lag->bytes = UINT64_MAX;
	if (!has_ms)
		lag->ms = UINT32_MAX;
	return true;
}

static bool set_enum(const struct conf_key *k, void *field, struct slice s)
{
	for (const struct conf_word *w = k->words; w->word != NULL; w++) {
		bool b = w->value != 0;
		unsigned v = (unsigned)w->value;

		if (!is_slice_eq(s, w->word))
			continue;
		if (k->size == sizeof(bool)) {
			memcpy(field, &b, sizeof(b));
		} else {
			assert(k->size == sizeof(v));
			memcpy(field, &v, sizeof(v));
		}
		return true;
	}
	return false;
}

static bool set_cluster(const struct conf *c, void *field, struct slice s)
{
	for (uint16_t i = 0; i < c->cluster_n; i++) {
		if (is_slice_eq(s, c->cluster[i].name)) {
			memcpy(field, &i, sizeof(i));
			return true;
		}
	}
	return false;
}

/* One line of text, as it is written; HAProxy reads it. */
static bool set_line(void *field, size_t size, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return slice_copy(s, field, size);
}

static bool add_line(struct conf_lines *l, struct slice s)
{
	assert(l->n < LIM_EXTRA);
	return set_line(l->line[l->n++], LIM_TEXT, s);
}

static bool add_bind(struct conf_binds *b, struct slice s)
{
	char *addr = b->addr[b->n];

	assert(b->n < LIM_BINDS);
	b->n++;
	return is_slice_eq(s, "*") ? slice_copy(s, addr, LIM_ADDR)
				   : set_address(addr, LIM_ADDR, s);
}

static bool add_socket(struct conf_sockets *to, struct slice s)
{
	assert(to->n < LIM_HAPROXIES);
	return set_path(to->path[to->n++], LIM_PATH, s);
}

/* HOST:PORT or [HOST]:PORT. */
static bool split_port(struct slice s, struct slice *host, uint16_t *port)
{
	uint64_t v;
	size_t colon = s.len;

	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (colon < 2 || !num_u64(slice_skip(s, colon), 1, 65535, &v))
		return false;
	*port = (uint16_t)v;
	*host = slice_of(s.p, colon - 1);
	if (host->p[0] == '[' && host->p[host->len - 1] == ']') {
		*host = slice_of(host->p + 1, host->len - 2);
		return host->len > 0 && memchr(host->p, ':', host->len) != NULL;
	}
	return memchr(host->p, ':', host->len) == NULL;
}

static bool take_prefix(struct slice *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (s->len < n || memcmp(s->p, prefix, n) != 0)
		return false;
	*s = slice_skip(*s, n);
	return true;
}

/* A name, or an IPv6 address without its brackets. */
static bool set_host(char host[static LIM_ADDR], struct slice s)
{
	return memchr(s.p, ':', s.len) != NULL
	    ? set_address(host, LIM_ADDR, s)
	    : is_conf_label(s) && slice_copy(s, host, LIM_ADDR);
}

static bool set_endpoint(struct conf_endpoint *e, struct slice s)
{
	struct slice host;

	*e = (struct conf_endpoint){0};
	e->tls = take_prefix(&s, "https://");
	return (e->tls || take_prefix(&s, "http://")) &&
	    split_port(s, &host, &e->port) && set_host(e->host, host);
}

static bool add_etcd(struct conf_cluster *cl, struct slice s)
{
	assert(cl->etcd_n < LIM_ENDPOINTS);
	return set_endpoint(&cl->etcd[cl->etcd_n++], s);
}

static bool add_member(struct conf_cluster *cl, struct slice s)
{
	assert(cl->patroni_n < LIM_MEMBERS);
	return set_endpoint(&cl->patroni[cl->patroni_n++], s);
}

/* [MEMBER=][HOST]:PORT; without HOST it is conn_url's. */
static bool add_probe_at(struct conf_cluster *cl, struct slice s)
{
	struct conf_probe_at *at = &cl->probe_at[cl->probe_at_n++];
	const unsigned char *eq = s.len > 0 ? memchr(s.p, '=', s.len) : NULL;
	struct slice host;
	uint64_t port;

	*at = (struct conf_probe_at){0};
	if (eq != NULL) {
		size_t len = (size_t)(eq - s.p);

		if (!set_text(
			at->member, sizeof(at->member), slice_of(s.p, len)))
			return false;
		s = slice_skip(s, len + 1);
	}
	if (s.len > 0 && s.p[0] == ':' &&
	    num_u64(slice_skip(s, 1), 1, 65535, &port)) {
		at->port = (uint16_t)port;
		return true;
	}
	return eq != NULL && split_port(s, &host, &at->port) &&
	    set_host(at->host, host);
}

/* MEMBER=HOST:PORT, and its Patroni where that is elsewhere than usual. */
static bool add_server(struct conf_haproxy_cluster *h, struct slice s)
{
	struct conf_server *sv = &h->server[h->server_n];
	struct slice where = next_word(&s), host;
	const unsigned char *eq =
	    where.len > 0 ? memchr(where.p, '=', where.len) : NULL;
	size_t len = eq != NULL ? (size_t)(eq - where.p) : 0;

	assert(h->server_n < LIM_MEMBERS);
	h->server_n++;
	*sv = (struct conf_server){.port = 0};
	return eq != NULL &&
	    set_text(sv->member, sizeof(sv->member), slice_of(where.p, len)) &&
	    split_port(slice_skip(where, len + 1), &host, &sv->port) &&
	    set_host(sv->host, host) &&
	    (s.len == 0 || set_endpoint(&sv->rest, s));
}

static bool add_map(struct conf_cluster *cl, struct slice s)
{
	struct conf_map *m = &cl->map[cl->map_n];
	const unsigned char *eq = s.len > 0 ? memchr(s.p, '=', s.len) : NULL;
	struct slice server;

	if (eq == NULL)
		return false;
	server = slice_skip(s, (size_t)(eq - s.p) + 1);
	if (!set_text(m->member, sizeof(m->member),
		slice_of(s.p, (size_t)(eq - s.p))) ||
	    !is_conf_label(server) ||
	    !slice_copy(server, m->server, sizeof(m->server)))
		return false;
	cl->map_n++;
	return true;
}

static bool add_listen(struct conf_agent *a, struct slice s)
{
	struct conf_agent_listen *l = &a->listen[a->listen_n];
	struct slice host;

	*l = (struct conf_agent_listen){0};
	if (take_prefix(&s, "unix:")) {
		l->is_unix = true;
		if (!set_path(l->path, sizeof(l->path), s))
			return false;
	} else {
		l->tls = take_prefix(&s, "tls:");
		if ((!l->tls && !take_prefix(&s, "tcp:")) ||
		    !split_port(s, &host, &l->port) ||
		    !set_address(l->addr, sizeof(l->addr), host))
			return false;
	}
	a->listen_n++;
	return true;
}

static bool add_host(struct conf_vip *v, struct slice s)
{
	assert(v->host_n < LIM_HOSTS);
	return is_conf_label(s) &&
	    slice_copy(s, v->host[v->host_n++], LIM_NAME);
}

/* ADDRESS/PREFIX, the prefix shorter than the address; or "none". */
static bool set_cidr(struct conf_vip *v, struct slice s)
{
	const unsigned char *slash = s.len > 0 ? memchr(s.p, '/', s.len) : NULL;
	uint64_t prefix;
	size_t len;

	if (is_slice_eq(s, "none"))
		return true;
	if (slash == NULL)
		return false;
	len = (size_t)(slash - s.p);
	if (!set_address(v->address, sizeof(v->address), slice_of(s.p, len)) ||
	    !num_u64(slice_skip(s, len + 1), 1,
		strchr(v->address, ':') != NULL ? 128 : 32, &prefix))
		return false;
	v->prefix = (uint8_t)prefix;
	return true;
}

static bool set_dur(const struct conf_key *k, void *field, struct slice s)
{
	return num_dur(s, dur_us(k->min), dur_us(k->max), field);
}

bool conf_set(const struct conf *c, const struct conf_key *k, void *section,
    struct slice text)
{
	void *field = (char *)section + k->offset;

	assert(c != NULL && section != NULL);
	switch (k->type) {
	case CONF_LABEL:
		return is_conf_label(text) && slice_copy(text, field, k->size);
	case CONF_WORD:
		return set_text(field, k->size, text);
	case CONF_NAMESPACE:
		return set_namespace(field, k->size, text);
	case CONF_PATH:
	case CONF_SECRET:
		return set_path(field, k->size, text);
	case CONF_ADDRESS:
		return set_address(field, k->size, text);
	case CONF_NUMBER:
		return set_number(k, field, text);
	case CONF_DURATION:
		return set_dur(k, field, text);
	case CONF_LAG:
		return set_lag(k, field, text);
	case CONF_ENUM:
		return set_enum(k, field, text);
	case CONF_CLUSTER:
		return set_cluster(c, field, text);
	case CONF_ENDPOINTS:
		return add_etcd(section, text);
	case CONF_MEMBERS:
		return add_member(section, text);
	case CONF_PROBE_AT:
		return add_probe_at(section, text);
	case CONF_MAP:
		return add_map(section, text);
	case CONF_LISTENS:
		return add_listen(section, text);
	case CONF_CIDR:
		return set_cidr(section, text);
	case CONF_HOSTS:
		return add_host(section, text);
	case CONF_BINDS:
		return add_bind(field, text);
	case CONF_SOCKETS:
		return add_socket(field, text);
	case CONF_LINE:
		return set_line(field, k->size, text);
	case CONF_LINES:
		return add_line(field, text);
	case CONF_SERVERS:
		return add_server(&((struct conf_cluster *)section)->hap, text);
	case CONF_NONE:
		break;
	}
	assert(false && "a key of no type");
	return false;
}

static const char *dur_words(int64_t us, char *buf, size_t size)
{
	static const struct {
		int64_t us;
		const char *unit;
	} units[] = {{3600000000, "h"}, {60000000, "min"}, {1000000, "s"},
	    {1000, "ms"}, {1, "us"}};
	unsigned i = 0;

	while (us % units[i].us != 0 || us < units[i].us) {
		if (us == 0) {
			i = 2;
			break;
		}
		i++;
	}
	(void)snprintf(
	    buf, size, "%lld%s", (long long)(us / units[i].us), units[i].unit);
	return buf;
}

static void list_words(const struct conf_word *w, char buf[CONF_EXPECTED])
{
	size_t n = 0;

	buf[0] = '\0';
	for (; w->word != NULL; w++) {
		(void)snprintf(buf + n, CONF_EXPECTED - n, "%s%s",
		    n == 0                  ? ""
			: w[1].word == NULL ? " or "
					    : ", ",
		    w->word);
		n = strlen(buf);
	}
}

const char *conf_expected(
    const struct conf_key *k, char buf[static CONF_EXPECTED])
{
	static const char *const words[] = {
	    [CONF_LABEL] = "a name of letters, digits, '.', '_' and '-', at "
			   "most 63 of them",
	    [CONF_WORD] = "a word without blanks, of at most 63 bytes",
	    [CONF_NAMESPACE] = "a path such as /service",
	    [CONF_SECRET] = "the absolute path of a file that only its owner "
			    "may read",
	    [CONF_ADDRESS] = "a numeric IPv4 or IPv6 address",
	    [CONF_CLUSTER] = "the name of a cluster of this file",
	    [CONF_ENDPOINTS] = "http://HOST:PORT or https://HOST:PORT",
	    [CONF_MEMBERS] = "http://HOST:PORT or https://HOST:PORT",
	    [CONF_PROBE_AT] =
		":PORT for each member, MEMBER=:PORT or MEMBER=HOST:PORT",
	    [CONF_MAP] =
		"MEMBER=SERVER, Patroni's name and HAProxy's (letters, "
		"digits, '.', '_', '-')",
	    [CONF_CIDR] = "ADDRESS/PREFIX, both numeric, such as "
			  "192.168.34.85/24, or none",
	    [CONF_HOSTS] = "a name of letters, digits, '.', '_' and '-'",
	    [CONF_SOCKETS] = "an absolute path of at most 107 bytes",
	    [CONF_BINDS] = "* or a numeric address",
	    [CONF_LINE] = "one line of text, of at most 255 bytes",
	    [CONF_LINES] = "one line of text, of at most 255 bytes",
	    [CONF_SERVERS] = "MEMBER=HOST:PORT, or \"MEMBER=HOST:PORT "
			     "http[s]://HOST:PORT\" with its Patroni",
	    [CONF_LISTENS] = "unix:/PATH, tcp:ADDRESS:PORT or "
			     "tls:ADDRESS:PORT, the address numeric (IPv6 in "
			     "brackets)",
	};
	char min[32], max[32];

	if (k->type == CONF_ENUM)
		list_words(k->words, buf);
	else if (k->type == CONF_PATH)
		(void)snprintf(buf, CONF_EXPECTED,
		    "an absolute path of at most %zu bytes", k->size - 1);
	else if (k->type == CONF_NUMBER)
		(void)snprintf(buf, CONF_EXPECTED,
		    "a whole number from %lld to %lld", (long long)k->min,
		    (long long)k->max);
	else if (k->type == CONF_DURATION)
		(void)snprintf(buf, CONF_EXPECTED,
		    "a duration from %s to %s, such as 500ms, 3s or 10min",
		    dur_words(k->min, min, sizeof(min)),
		    dur_words(k->max, max, sizeof(max)));
	else if (k->type == CONF_LAG)
		(void)snprintf(buf, CONF_EXPECTED,
		    "a size in B, kB, MB, GB or TB, a duration of at most %s, "
		    "or both: 16MB, 500ms, \"16MB 500ms\"",
		    dur_words(k->max, max, sizeof(max)));
	else
		(void)snprintf(buf, CONF_EXPECTED, "%s", words[k->type]);
	return buf;
}
