/* What libpq's texts say; the texts are PostgreSQL 15's own. */
#include "pg_error.h"
#include "../common/unit.h"

#define AT "connection to server at \"127.0.0.1\", port 5432 failed: "

static const struct {
	const char *text, *state;
} texts[] = {
    {AT "FATAL:  28P01: password authentication failed for user \"u\"\n"
	"LOCATION:  auth_failed, auth.c:334\n",
	"28P01"},
    {AT "FATAL:  57P03: the database system is starting up\n", "57P03"},
    {AT "FATAL:  28000: no pg_hba.conf entry\n" AT
	"FATAL:  53300: sorry, too many clients already\n",
	"53300"},
    {AT "FATALE :  57P03: le système se lance\n", "57P03"},
    {AT "Connection refused\n\tIs the server running\n", ""},
    {"FATAL:  28P0: short", ""},
    {"FATAL:  28P011: long", ""},
    {"FATAL:  28p01: lower case", ""},
    {"FATAL:  ", ""},
    {":  57P01", ""},
    {"", ""},
};

static void test_sqlstate(void **state)
{
	char found[PG_SQLSTATE];

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(pg_error_sqlstate(texts[i].text, found),
		    texts[i].state[0] != '\0');
		assert_string_equal(found, texts[i].state);
	}
}

static const struct {
	const char *state, *text;
	bool was_stopping;
	enum ev_rc rc;
} states[] = {
    {"57P01", "terminating connection", false, EV_RC_STOPPING},
    {"57P02", "", false, EV_RC_STARTING},
    {"57P03", "the database system is shutting down", false, EV_RC_STOPPING},
    {"57P03", "the database system is starting up", true, EV_RC_STARTING},
    {"57P03", "the database system is in recovery mode", true, EV_RC_STARTING},
    {"57P03", "the database system is not yet accepting connections", true,
	EV_RC_STARTING},
    {"57P03", "le système de base de données", true, EV_RC_STOPPING},
    {"57P03", "le système de base de données", false, EV_RC_STARTING},
    {"53300", "", false, EV_RC_BUSY},
    {"53200", "", false, EV_RC_BUSY},
    {"28P01", "", false, EV_RC_AUTH},
    {"28000", "", false, EV_RC_AUTH},
    {"3D000", "", false, EV_RC_AUTH},
    {"42501", "", false, EV_RC_AUTH},
    {"42601", "", false, EV_RC_NONE},
    {"57P05", "", false, EV_RC_NONE},
    {"XX000", "", false, EV_RC_NONE},
};

static void test_states(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(states); i++)
		assert_int_equal(pg_error_of_sqlstate(states[i].state,
				     states[i].text, states[i].was_stopping),
		    states[i].rc);
}

static const struct {
	const char *text;
	enum ev_rc rc;
} sentences[] = {
    {AT "Connection refused\n\tIs the server running on that host\n",
	EV_RC_REFUSED},
    {AT "No route to host\n", EV_RC_TIMEOUT},
    {AT "Network is unreachable\n", EV_RC_TIMEOUT},
    {AT "Connection timed out\n", EV_RC_TIMEOUT},
    {AT "Invalid argument\n", EV_RC_TIMEOUT},
    {"could not create socket: Too many open files\n", EV_RC_LOCAL},
    {"could not connect to server: Cannot assign requested address\n",
	EV_RC_LOCAL},
    {"out of memory\n", EV_RC_LOCAL},
    {"could not receive data from server: Connection reset by peer\n",
	EV_RC_LOST},
    {"server closed the connection unexpectedly\n", EV_RC_LOST},
    {AT "fe_sendauth: no password supplied\n", EV_RC_AUTH},
    {AT "SSL error: certificate verify failed\n", EV_RC_TLS},
    {AT "received invalid response to SSL negotiation: H\n", EV_RC_PARSE},
    {AT "expected authentication request from server, but received H\n",
	EV_RC_PARSE},
    {AT "could not fork new process for connection: "
	"Resource temporarily unavailable\n",
	EV_RC_BUSY},
    {"", EV_RC_LOCAL},
};

static void test_sentences(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sentences); i++)
		assert_int_equal(
		    pg_error_of_libpq(sentences[i].text), sentences[i].rc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sqlstate),
	    cmocka_unit_test(test_states),
	    cmocka_unit_test(test_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
