/*
 * pgask.c - see pgask.h.
 */
#include "pgask.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "look.h"

#define KEYS 16

struct list {
	const char *key[KEYS + 1], *value[KEYS + 1];
	unsigned n;
};

static void put(struct list *l, const char *key, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	assert(l->n < KEYS);
	l->key[l->n] = key;
	l->value[l->n++] = value;
}

static const char *sslmode(enum conf_sslmode mode)
{
	static const char *const name[] = {[CONF_SSL_PREFER] = "prefer",
	    [CONF_SSL_DISABLE] = "disable",
	    [CONF_SSL_ALLOW] = "allow",
	    [CONF_SSL_REQUIRE] = "require",
	    [CONF_SSL_VERIFY_CA] = "verify-ca",
	    [CONF_SSL_VERIFY_FULL] = "verify-full"};

	assert((size_t)mode < sizeof(name) / sizeof(name[0]));
	return name[mode];
}

static bool has_dbname(const char *conninfo)
{
	PQconninfoOption *all = PQconninfoParse(conninfo, NULL);
	bool has = false;

	for (PQconninfoOption *o = all; o != NULL && o->keyword != NULL; o++)
		if (strcmp(o->keyword, "dbname") == 0 && o->val != NULL)
			has = true;
	PQconninfoFree(all);
	return has;
}

bool pgask_of(
    const struct conf_cluster *conf, const cJSON *member, struct pgask_at *at)
{
	const struct conf_probe_at *own = conf != NULL
	    ? conf_probe_at(conf, look_text(member, "name", ""))
	    : NULL;
	const cJSON *dcs = json_get(json_get(member, "evidence"), "dcs");

	assert(at != NULL);
	*at = (struct pgask_at){.addr = look_text(member, "address", NULL),
	    .port = (uint16_t)json_i64(member, "port"),
	    .name = look_text(dcs, "host", NULL)};
	if (own != NULL)
		at->port = own->port;
	if (own != NULL && own->host[0] != '\0') {
		at->addr = NULL;
		at->name = own->host;
		return true;
	}
	return at->addr != NULL;
}

PGconn *pgask_open(const struct conf_cluster *conf, const struct pgask_at *at,
    const char *conninfo)
{
	char port[8];
	struct list l = {.n = 0};

	assert(at != NULL && (at->addr != NULL || at->name != NULL));
	(void)snprintf(port, sizeof(port), "%u", (unsigned)at->port);
	if (conf != NULL) {
		put(&l, "user", conf->probe_user);
		put(&l, "passfile", conf->probe_passfile);
		put(&l, "sslmode", sslmode(conf->probe_sslmode));
		put(&l, "sslrootcert", conf->probe_sslrootcert);
		put(&l, "sslcert", conf->probe_sslcert);
		put(&l, "sslkey", conf->probe_sslkey);
	}
	put(&l, "host", at->name != NULL ? at->name : at->addr);
	/* libpq reads the first dbname as a whole connection string; what
	   stands behind it overrides it. */
	put(&l, "dbname", conninfo);
	if (conninfo == NULL || !has_dbname(conninfo))
		put(&l, "dbname",
		    conf != NULL ? conf->probe_dbname : "postgres");
	put(&l, "hostaddr", at->addr);
	put(&l, "port", port);
	put(&l, "connect_timeout", "5");
	put(&l, "gssencmode", "disable");
	put(&l, "application_name", "patroutectl");
	return PQconnectdbParams(l.key, l.value, 1);
}

const char *pgask_why(const PGconn *c, char buf[static PGASK_WHY])
{
	const char *text = c != NULL ? PQerrorMessage(c) : "out of memory";

	(void)snprintf(buf, PGASK_WHY, "%.*s", (int)strcspn(text, "\n"), text);
	return buf;
}
