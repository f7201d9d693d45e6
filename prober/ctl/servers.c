/*
 * servers.c - members as lines of HAProxy's file; see servers.h.
 */
#include "servers.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "conf_int.h"
#include "json.h"
#include "look.h"
#include "num.h"

static bool is_host(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET6, host, bytes) == 1 ||
	    is_conf_label(slice_str(host));
}

static bool is_known(const struct render_cluster *c, const char *name)
{
	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->server[i].name, name) == 0)
			return true;
	return false;
}

static bool add(struct render_cluster *out, const struct render_server *sv)
{
	if (out->n == LIM_MEMBERS || !is_conf_label(slice_str(sv->name)) ||
	    !is_host(sv->host) || !is_host(sv->rest_host) || sv->port == 0 ||
	    sv->rest_port == 0 || is_known(out, sv->name))
		return false;
	out->server[out->n++] = *sv;
	return true;
}

static bool has_rest_tls(const struct conf_cluster *cl)
{
	return cl->rest_ca[0] != '\0' || cl->rest_cert[0] != '\0' ||
	    (cl->patroni_n > 0 && cl->patroni[0].tls);
}

static bool copy(const char *text, char *out, size_t size)
{
	return slice_copy(slice_str(text), out, size);
}

bool servers_from_conf(
    const struct conf_cluster *cl, struct render_cluster *out)
{
	assert(cl != NULL && out != NULL);
	out->n = 0;
	for (unsigned i = 0; i < cl->hap.server_n; i++) {
		const struct conf_server *in = &cl->hap.server[i];
		bool own = in->rest.port != 0;
		struct render_server sv = {.port = cl->hap.server_port != 0
			? cl->hap.server_port
			: in->port,
		    .rest_port = own ? in->rest.port : RENDER_REST_PORT,
		    .rest_tls = own ? in->rest.tls : has_rest_tls(cl)};
		bool ok = copy(conf_server_of(cl, in->member), sv.name,
			      sizeof(sv.name)) &&
		    copy(in->host, sv.host, sizeof(sv.host)) &&
		    copy(own ? in->rest.host : in->host, sv.rest_host,
			sizeof(sv.rest_host)) &&
		    add(out, &sv);

		assert(ok); /* conf_check_haproxy() */
	}
	return out->n > 0;
}

static uint16_t port_of(const cJSON *o, const char *key)
{
	double v = look_num(o, key);

	return v >= 1 && v <= 65535 ? (uint16_t)v : 0;
}

static bool read_member(
    const struct conf_cluster *cl, const cJSON *m, struct render_server *sv)
{
	const cJSON *rest = json_get(m, "rest_at"), *at = json_get(m, "front");
	const char *member = look_text(m, "name", "");
	const char *name = look_text(m, "server", "");
	const char *host = look_text(m, "address", "");

	/* Its PostgreSQL may be behind a pooler (use_proxy_url). */
	at = look_text(at, "address", NULL) != NULL ? at : m;
	*sv = (struct render_server){.port = port_of(at, "port"),
	    .rest_port = port_of(rest, "port"),
	    .rest_tls = look_true(rest, "tls")};
	if (sv->rest_port == 0) {
		sv->rest_port = RENDER_REST_PORT;
		sv->rest_tls = has_rest_tls(cl);
	}
	if (cl->hap.server_port != 0)
		sv->port = cl->hap.server_port;
	return copy(name[0] != '\0' ? name : conf_server_of(cl, member),
		   sv->name, sizeof(sv->name)) &&
	    copy(look_text(at, "address", ""), sv->host, sizeof(sv->host)) &&
	    copy(look_text(rest, "host", host), sv->rest_host,
		sizeof(sv->rest_host));
}

static int by_name_cb(const void *a, const void *b)
{
	const struct render_server *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void sort(struct render_cluster *c)
{
	qsort(c->server, c->n, sizeof(c->server[0]), by_name_cb);
}

unsigned servers_from_topology(const struct conf_cluster *cl,
    const cJSON *cluster, struct render_cluster *out)
{
	unsigned passed = 0;

	assert(cl != NULL && out != NULL);
	out->n = 0;
	for (const cJSON *m = json_first(json_get(cluster, "members"));
	     m != NULL; m = m->next) {
		struct render_server sv;

		if (!read_member(cl, m, &sv) || !add(out, &sv))
			passed++;
	}
	sort(out);
	return passed;
}

/* Takes the next word off the line. */
static struct slice word(struct slice *line)
{
	struct slice w;

	while (line->len > 0 && (line->p[0] == ' ' || line->p[0] == '\t'))
		*line = slice_skip(*line, 1);
	w = *line;
	w.len = 0;
	while (w.len < line->len && line->p[w.len] != ' ' &&
	    line->p[w.len] != '\t')
		w.len++;
	*line = slice_skip(*line, w.len);
	return w;
}

static bool read_port(struct slice s, uint16_t *port)
{
	uint64_t v;

	if (!num_u64(s, 1, 65535, &v))
		return false;
	*port = (uint16_t)v;
	return true;
}

static struct slice bare(struct slice host)
{
	return host.len > 2 && host.p[0] == '['
	    ? slice_of(host.p + 1, host.len - 2)
	    : host;
}

/* HOST:PORT or [HOST]:PORT. */
static bool read_at(struct slice s, struct render_server *sv)
{
	size_t colon = s.len;
	struct slice host;

	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (colon < 2 || !read_port(slice_skip(s, colon), &sv->port))
		return false;
	host = bare(slice_of(s.p, colon - 1));
	return slice_copy(host, sv->host, sizeof(sv->host)) &&
	    slice_copy(host, sv->rest_host, sizeof(sv->rest_host));
}

/* One word behind a server's address, and what follows it. */
static bool read_word(
    struct slice w, struct slice *line, struct render_server *sv)
{
	if (is_slice_eq(w, "no-check-ssl"))
		sv->rest_tls = false;
	if (is_slice_eq(w, "port"))
		return read_port(word(line), &sv->rest_port);
	if (is_slice_eq(w, "addr"))
		return slice_copy(
		    bare(word(line)), sv->rest_host, sizeof(sv->rest_host));
	return true;
}

/* NAME HOST:PORT … as put_classic_servers() writes it. */
static bool read_line(struct slice line, bool tls, struct render_server *sv)
{
	struct slice w = word(&line);

	*sv = (struct render_server){
	    .rest_port = RENDER_REST_PORT, .rest_tls = tls};
	if (!slice_copy(w, sv->name, sizeof(sv->name)) ||
	    !read_at(word(&line), sv))
		return false;
	while ((w = word(&line)).len > 0)
		if (!read_word(w, &line, sv))
			return false;
	return true;
}

static struct slice next_line(struct slice *text)
{
	const unsigned char *end =
	    text->len > 0 ? memchr(text->p, '\n', text->len) : NULL;
	size_t n = end != NULL ? (size_t)(end - text->p) : text->len;
	struct slice line = slice_of(text->p, n);

	*text = slice_skip(*text, n + (end != NULL));
	return line;
}

static bool is_check_ssl(struct slice line)
{
	struct slice w;

	while ((w = word(&line)).len > 0)
		if (is_slice_eq(w, "check-ssl"))
			return true;
	return false;
}

void servers_from_file(const struct conf_cluster *cl, struct slice text,
    struct render_cluster *out)
{
	char backend[LIM_NAME + 16];
	bool inside = false, tls = false;

	assert(cl != NULL && out != NULL);
	(void)snprintf(backend, sizeof(backend), "%s_classic_write", cl->name);
	out->n = 0;
	while (text.len > 0) {
		struct slice line = next_line(&text), rest = line;
		struct slice w = word(&rest);
		struct render_server sv;

		if (line.len > 0 && line.p[0] != ' ' && line.p[0] != '\t')
			inside = is_slice_eq(w, "backend") &&
			    is_slice_eq(word(&rest), backend);
		else if (inside && is_slice_eq(w, "default-server"))
			tls = is_check_ssl(rest);
		else if (inside && is_slice_eq(w, "server") &&
		    read_line(rest, tls, &sv))
			(void)add(out, &sv);
	}
}

unsigned servers_keep(struct render_cluster *out,
    const struct render_cluster *old, char names[static LIM_TEXT])
{
	unsigned n = 0;
	size_t used = 0;

	assert(out != NULL && old != NULL);
	names[0] = '\0';
	for (unsigned i = 0; i < old->n; i++) {
		const char *name = old->server[i].name;

		if (is_known(out, name) || !add(out, &old->server[i]))
			continue;
		n++;
		if (used < LIM_TEXT)
			used += (size_t)snprintf(names + used, LIM_TEXT - used,
			    "%s%s", n > 1 ? ", " : "", name);
	}
	sort(out);
	return n;
}
