/*
 * init_write.c - the configuration of what was found; see init.h. Pure.
 *
 * Every name in it passed is_init_name(): nothing can end a string.
 */
#include <assert.h>
#include <string.h>

#include "init.h"

#define PORT_FIRST 5000u
#define PORT_STEP 10u /* the next cluster's ports */

static void say_found(const struct init_found *f, FILE *out)
{
	fprintf(out, "# Made by `patroutectl init --from %s`, which found\n",
	    f->from);
	if (f->is_etcd)
		fprintf(out,
		    "# etcd %s, in which Patroni keeps its keys by "
		    "API %s.\n",
		    f->version, f->api);
	else
		fprintf(out, "# Patroni %s.\n", f->version);
	fputs("#\n"
	      "# It observes: everything decides, logs and counts, HAProxy "
	      "routes the\n"
	      "# classic way. See `patroutectl doctor` and `status`, then go "
	      "live by\n"
	      "# `patroutectl observe off`. Every key: patroute.conf(5).\n",
	    out);
}

static void write_item(FILE *out, unsigned i, const char *text)
{
	fprintf(out, "%s\"%s\"", i > 0 ? ",\n\t         " : " ", text);
}

static void write_file(FILE *out, const char *key, const char *path)
{
	if (path != NULL)
		fprintf(out, "\t%s = \"%s\"\n", key, path);
}

static void write_etcd(
    const struct init_found *f, const struct init_cluster *c, FILE *out)
{
	if (strcmp(c->namespace, "/service") != 0)
		fprintf(out, "\tnamespace = \"%s\"\n", c->namespace);
	fputs("\tetcd     = {", out);
	for (unsigned i = 0; i < f->etcd_n; i++)
		write_item(out, i, f->etcd[i]);
	fprintf(out, " }\n\tetcd_api = \"%s\"\n", f->api);
	write_file(out, "etcd_ca", f->ca);
	write_file(out, "etcd_cert", f->cert);
	write_file(out, "etcd_key", f->key);
	write_file(out, "etcd_auth", f->auth);
	if (f->auth != NULL)
		fprintf(out,
		    "\t# Orders (drain, hold, observe …) want that user to "
		    "have "
		    "readwrite on\n\t# the keys below /patroute/%s/.\n",
		    c->scope);
	if (f->ca == NULL && strncmp(f->etcd[0], "https:", 6) == 0)
		fputs("\t# Whose certificates etcd has, and what it is shown, "
		      "where it wants that:\n"
		      "\t# etcd_ca   = \"/etc/patroute/etcd-ca.crt\"\n"
		      "\t# etcd_cert = \"/etc/patroute/etcd.crt\"\n"
		      "\t# etcd_key  = \"/etc/patroute/etcd.key\"\n",
		    out);
}

static void write_patroni(
    const struct init_found *f, const struct init_cluster *c, FILE *out)
{
	unsigned n = 0;

	fputs("\tpatroni  = {", out);
	for (unsigned i = 0; i < c->n; i++)
		if (c->m[i].rest[0] != '\0')
			write_item(out, n++, c->m[i].rest);
	if (n == 0)
		write_item(out, 0, f->from);
	fputs(" }\n", out);
	write_file(out, "rest_ca", f->ca);
	write_file(out, "rest_cert", f->cert);
	write_file(out, "rest_key", f->key);
	fputs("\t# Patroni does not say where its etcd is. With it there is "
	      "more proof, and\n"
	      "\t# orders (drain, hold, force) reach every load balancer:\n"
	      "\t# etcd = { \"http://10.0.0.1:2379\", "
	      "\"http://10.0.0.2:2379\" }\n",
	    out);
}

static bool has_tls_rest(const struct init_cluster *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (strncmp(c->m[i].rest, "https:", 6) == 0)
			return true;
	return false;
}

static void write_cluster(const struct init_found *f, unsigned k, FILE *out)
{
	const struct init_cluster *c = &f->c[k];
	char name[LIM_NAME];

	(void)snprintf(name, sizeof(name), "%s", c->scope);
	for (char *p = name; *p != '\0'; p++)
		if (*p == '/')
			*p = '-';
	fputs("\n# Members found:", out);
	for (unsigned i = 0; i < c->n; i++)
		fprintf(out, "%s %s (%s)", i > 0 ? "," : "", c->m[i].name,
		    c->m[i].role[0] != '\0' ? c->m[i].role : "?");
	fprintf(out, "%s\ncluster %s {\n", c->n == 0 ? " none" : "", name);
	if (strcmp(name, c->scope) != 0)
		fprintf(out, "\tscope    = \"%s\"\n", c->scope);
	if (f->is_etcd)
		write_etcd(f, c, out);
	else
		write_patroni(f, c, out);
	if (has_tls_rest(c) && (f->is_etcd || f->ca == NULL))
		fputs("\t# Who signs the certificates of Patroni's REST "
		      "APIs:\n\t# rest_ca = \"/etc/patroute/rest-ca.crt\"\n",
		    out);
	fputs("\tobserve  = true\n"
	      "\t# PostgreSQL's own word is quicker than Patroni's. On the "
	      "leader:\n"
	      "\t# CREATE ROLE patroute LOGIN PASSWORD '…'; then\n"
	      "\t# probe_user     = \"patroute\"\n"
	      "\t# probe_passfile = \"/etc/patroute/pgpass\"\n"
	      "\t# Where HAProxy's servers are not called as the members:\n"
	      "\t# server_map = { \"",
	    out);
	fprintf(out, "%s=NAME-IN-HAPROXY\" }\n}\n",
	    c->n > 0 ? c->m[0].name : "node1");
}

static void write_listen(
    const struct init_found *f, unsigned k, unsigned i, FILE *out)
{
	static const struct {
		const char *name, *target;
	} all[] = {
	    {"write", "primary"}, {"read", "replica"}, {"mixed", "replica"}};
	char cluster[LIM_NAME];

	(void)snprintf(cluster, sizeof(cluster), "%s", f->c[k].scope);
	for (char *p = cluster; *p != '\0'; p++)
		if (*p == '/')
			*p = '-';
	fprintf(out, "listen %s", all[i].name);
	if (k > 0)
		fprintf(out, "%u", k + 1);
	fprintf(out,
	    " {\n\tport    = %u\n\tcluster = \"%s\"\n\ttarget  = \"%s\"\n",
	    PORT_FIRST + k * PORT_STEP + i, cluster, all[i].target);
	if (i == 2)
		fputs("\tstartup_options = true\n", out);
	fputs("}\n", out);
}

void init_write(const struct init_found *f, FILE *out)
{
	assert(f != NULL && f->n > 0 && out != NULL);
	say_found(f, out);
	for (unsigned k = 0; k < f->n; k++)
		write_cluster(f, k, out);
	fputc('\n', out);
	for (unsigned k = 0; k < f->n; k++)
		for (unsigned i = 0; i < 3; i++)
			write_listen(f, k, i, out);
}
