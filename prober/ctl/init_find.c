/*
 * init_find.c - clusters out of etcd's keys and Patroni's answers; see init.h.
 * Pure. Source: Patroni's dcs/__init__.py, client_path().
 */
#include <assert.h>
#include <string.h>

#include "init.h"
#include "json.h"
#include "look.h"

bool is_init_name(struct slice s)
{
	if (s.len == 0 || s.len >= LIM_NAME)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '.' || c == '_' ||
			c == '-'))
			return false;
	}
	return true;
}

/* Slashes between names, one in front. */
static bool is_path(struct slice s)
{
	if (s.len == 0 || s.len >= LIM_NAME || s.p[0] != '/')
		return false;
	while (s.len > 0) {
		size_t n = 1;

		while (n < s.len && s.p[n] != '/')
			n++;
		if (!is_init_name(slice_of(s.p + 1, n - 1)))
			return false;
		s = slice_skip(s, n);
	}
	return true;
}

/* The last part of a path, which loses it and its slash. */
static struct slice last_part(struct slice *path)
{
	size_t n = path->len;
	struct slice last;

	while (n > 0 && path->p[n - 1] != '/')
		n--;
	last = slice_skip(*path, n);
	*path = slice_of(path->p, n > 0 ? n - 1 : 0);
	return last;
}

static bool is_number(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.len > 0;
}

static struct init_cluster *cluster(
    struct init_found *f, const char *namespace, const char *scope)
{
	struct init_cluster *c;

	if (f->only != NULL && strcmp(f->only, scope) != 0)
		return NULL;
	for (unsigned i = 0; i < f->n; i++)
		if (strcmp(f->c[i].scope, scope) == 0 &&
		    strcmp(f->c[i].namespace, namespace) == 0)
			return &f->c[i];
	if (f->n == INIT_CLUSTERS)
		return NULL;
	c = &f->c[f->n++];
	(void)snprintf(c->scope, sizeof(c->scope), "%s", scope);
	(void)snprintf(c->namespace, sizeof(c->namespace), "%s", namespace);
	return c;
}

static struct init_member *member(struct init_cluster *c, struct slice name)
{
	struct init_member *m;

	for (unsigned i = 0; i < c->n; i++)
		if (is_slice_eq(name, c->m[i].name))
			return &c->m[i];
	if (c->n == LIM_MEMBERS)
		return NULL;
	m = &c->m[c->n++];
	(void)slice_copy(name, m->name, sizeof(m->name));
	return m;
}

/* "http://10.0.0.1:8008/patroni" without its path, if it can stand here. */
static void take_rest(struct init_member *m, const char *url)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789.-_:[]";
	size_t head = strncmp(url, "https://", 8) == 0 ? 8
	    : strncmp(url, "http://", 7) == 0          ? 7
						       : 0;
	size_t n = head == 0 ? 0 : strspn(url + head, allowed);

	if (n == 0 || (url[head + n] != '\0' && url[head + n] != '/') ||
	    head + n >= sizeof(m->rest))
		return;
	memcpy(m->rest, url, head + n);
	m->rest[head + n] = '\0';
}

static void take_member(
    struct init_cluster *c, struct slice name, const cJSON *doc)
{
	struct init_member *m = member(c, name);

	if (m == NULL)
		return;
	take_rest(m, look_text(doc, "api_url", ""));
	if (is_init_name(json_str(doc, "role")))
		(void)slice_copy(
		    json_str(doc, "role"), m->role, sizeof(m->role));
}

/* The scope's own directory, by its namespace and name. */
static struct init_cluster *by_folder(struct init_found *f, struct slice dir)
{
	char namespace[LIM_NAME], scope[LIM_NAME];
	struct slice rest = dir, last = last_part(&rest);

	/* Of a Citus cluster each group is one: SCOPE/GROUP. */
	if (is_number(last) && rest.len > 0) {
		struct slice above = rest;

		(void)last_part(&above);
		if (above.len > 0) {
			last = slice_skip(dir, above.len + 1);
			rest = above;
		}
	}
	if (!is_path(dir) || rest.len == 0) {
		f->odd++;
		return NULL;
	}
	return slice_copy(rest, namespace, sizeof(namespace)) &&
		slice_copy(last, scope, sizeof(scope))
	    ? cluster(f, namespace, scope)
	    : NULL;
}

void init_key(struct init_found *f, struct slice key, struct slice value)
{
	struct slice dir = key, last, above;
	struct init_cluster *c;
	cJSON *doc;

	assert(f != NULL);
	last = last_part(&dir);
	if (is_slice_eq(last, "initialize")) {
		(void)by_folder(f, dir);
		return;
	}
	above = last_part(&dir);
	if (!is_slice_eq(above, "members"))
		return;
	if (!is_init_name(last)) {
		f->odd++;
		return;
	}
	c = by_folder(f, dir);
	if (c == NULL)
		return;
	doc = json_parse(value);
	take_member(c, last, doc);
	cJSON_Delete(doc);
}

void init_version(struct init_found *f, const cJSON *o, const char *key)
{
	assert(f != NULL);
	/* It stands in a comment, which a line feed would end. */
	if (!is_init_name(json_str(o, key)) ||
	    !slice_copy(json_str(o, key), f->version, sizeof(f->version)))
		(void)snprintf(f->version, sizeof(f->version), "?");
}

void init_patroni_cluster(
    struct init_found *f, const char *scope, const cJSON *doc)
{
	struct init_cluster *c;

	assert(f != NULL && scope != NULL);
	if (!is_init_name(slice_str(scope))) {
		f->odd++;
		return;
	}
	c = cluster(f, "", scope);
	for (const cJSON *m = json_first(json_get(doc, "members"));
	     c != NULL && m != NULL; m = m->next) {
		if (is_init_name(json_str(m, "name")))
			take_member(c, json_str(m, "name"), m);
		else
			f->odd++;
	}
}

void init_endpoint(struct init_found *f, const char *url)
{
	struct init_member at = {.rest = ""};
	bool asked;

	assert(f != NULL && url != NULL);
	take_rest(&at, url);
	/* What etcd advertises to itself is nothing to another host; where it
	   has answered just now is good in any case. */
	asked = strcmp(url, f->from) == 0;
	if (at.rest[0] == '\0' ||
	    (!asked &&
		(strstr(at.rest, "//localhost") != NULL ||
		    strstr(at.rest, "//0.0.0.0") != NULL ||
		    (strstr(at.rest, "//127.") != NULL &&
			strstr(f->from, "//127.") == NULL))))
		return;
	for (unsigned i = 0; i < f->etcd_n; i++)
		if (strcmp(f->etcd[i], at.rest) == 0)
			return;
	if (f->etcd_n < LIM_ENDPOINTS)
		memcpy(f->etcd[f->etcd_n++], at.rest, sizeof(at.rest));
}
