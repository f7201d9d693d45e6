/*
 * pg_start.c - see pg_start.h. Called by postgres.c.
 *
 * Nothing is left to what libpq would take from the home folder and the
 * environment of whoever started us: files are named, variables forgotten.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pg_start.h"

#define NO_FILE "/dev/null/none" /* is never there: no default stands in */

#define VARIABLE_MAX 64 /* libpq's longest has 22 bytes */

/* PGOPTIONS, PGSERVICE, PGPASSWORD, …: the next that is left, or none. */
static bool find_variable(char name[static VARIABLE_MAX])
{
	for (char **e = environ; e != NULL && *e != NULL; e++) {
		size_t len = strcspn(*e, "=");

		if (strncmp(*e, "PG", 2) == 0 && len < VARIABLE_MAX) {
			memcpy(name, *e, len);
			name[len] = '\0';
			return true;
		}
	}
	return false;
}

void pg_start_forget_env(void)
{
	char name[VARIABLE_MAX];

	while (find_variable(name) && unsetenv(name) == 0)
		continue;
}

static const char *or_none(const char *path)
{
	return path[0] != '\0' ? path : NO_FILE;
}

static const char *sslmode(enum conf_sslmode mode)
{
	switch (mode) {
	case CONF_SSL_DISABLE:
		return "disable";
	case CONF_SSL_ALLOW:
		return "allow";
	case CONF_SSL_PREFER:
		return "prefer";
	case CONF_SSL_REQUIRE:
		return "require";
	case CONF_SSL_VERIFY_CA:
		return "verify-ca";
	case CONF_SSL_VERIFY_FULL:
		return "verify-full";
	}
	assert(false && "not an sslmode");
	return "verify-full";
}

PGconn *pg_start(const struct pg_cfg *cfg, const struct pg_target *to)
{
	char port[8];
	const char *name = to->name[0] != '\0' ? to->name : to->addr;
	const struct {
		const char *key, *value;
	} all[] = {{"host", name}, {"hostaddr", to->addr}, {"port", port},
	    {"user", cfg->user}, {"dbname", cfg->dbname},
	    {"passfile", or_none(cfg->passfile)},
	    {"sslmode", sslmode(cfg->sslmode)},
	    {"sslrootcert", or_none(cfg->sslrootcert)},
	    {"sslcert", or_none(cfg->sslcert)},
	    {"sslkey", or_none(cfg->sslkey)}, {"sslcrl", NO_FILE},
	    {"gssencmode", "disable"}, {"application_name", "patroute-prober"},
	    {"target_session_attrs", "any"}, {"client_encoding", "UTF8"},
	    {"keepalives_idle", "2"}, {"keepalives_interval", "1"},
	    {"keepalives_count", "2"}, {"tcp_user_timeout", "2000"}};
	const char *key[sizeof(all) / sizeof(all[0]) + 1] = {NULL};
	const char *value[sizeof(all) / sizeof(all[0]) + 1] = {NULL};

	assert(to->addr[0] != '\0');
	(void)snprintf(port, sizeof(port), "%u", (unsigned)to->port);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		key[i] = all[i].key;
		value[i] = all[i].value;
	}
	return PQconnectStartParams(key, value, 0);
}
