/*
 * doctor's rules over made facts: what is right, and each thing that is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "doctor.h"

#define SECOND 1000000LL

/* A healthy cluster of three behind a HAProxy that fits. */
struct site {
	struct conf conf;
	struct conf_cluster cluster;
	struct conf_listen listen[2];
	struct doctor_cluster c;
	struct doctor_haproxy h;
	struct doctor d;
};

static int make(void **state)
{
	struct site *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->conf.cluster = &s->cluster;
	s->conf.cluster_n = 1;
	s->conf.listen = s->listen;
	s->conf.listen_n = 2;
	s->conf.agent.hold_timeout = dur_us(10 * SECOND);
	s->cluster.fence = dur_us(30 * SECOND);
	memcpy(s->cluster.probe_user, "patroute", 9);
	s->listen[0] = (struct conf_listen){.name = "write",
	    .port = 5000,
	    .target = INTENT_PRIMARY,
	    .hold_timeout = dur_us(10 * SECOND)};
	s->listen[1] = (struct conf_listen){
	    .name = "read", .port = 5001, .target = INTENT_REPLICA};
	s->c = (struct doctor_cluster){.conf = &s->conf,
	    .own = &s->cluster,
	    .n = 3,
	    .etcd_n = 3,
	    .has_config = true,
	    .ttl = 30,
	    .loop_wait = 10,
	    .retry_timeout = 10,
	    .max_lag_on_failover = 1048576};
	for (unsigned i = 0; i < 3; i++) {
		struct doctor_member *m = &s->c.m[i];

		s->c.etcd[i].peer.asked = s->c.etcd[i].peer.ok = true;
		memcpy(s->c.etcd[i].version, "3.4.23", 7);
		memcpy(m->name, (char[]){'n', (char)('1' + i), '\0'}, 3);
		memcpy(m->patroni, "3.0.2", 6);
		m->rest = m->sql = (struct doctor_peer){
		    .asked = true, .ok = true, .has_clock = true};
		m->version = 150004;
		m->max_connections = 5000;
		m->reserved = 3;
		m->running = true;
		m->leader = i == 0;
	}
	s->h = (struct doctor_haproxy){.path = "f",
	    .spoe_path = "s",
	    .reachable = true,
	    .master = true,
	    .version = "2.6.12-1",
	    .maxconn = 8000,
	    .files = 20000,
	    .has_file = true,
	    .has_spoe = true};
	hapcfg_init(&s->h.file);
	hapcfg_init(&s->h.spoe);
	s->h.file.maxconn = 8000;
	s->h.file.inspect_delay = 13 * SECOND;
	s->h.file.client_timeout = 86400 * SECOND;
	s->h.file.agent_server = 3600 * SECOND;
	s->h.file.bind_n = 1;
	memcpy(s->h.file.bind[0].name, "write", 6);
	s->h.file.bind[0].maxconn = 2500;
	s->h.spoe.hold_processing = 11 * SECOND;
	s->h.spoe.hold_idle = 30 * SECOND;
	s->h.spoe.route_processing = SECOND / 10;
	s->d.found = calloc(DOCTOR_MAX, sizeof(*s->d.found));
	assert_non_null(s->d.found);
	*state = s;
	return 0;
}

static int end(void **state)
{
	struct site *s = *state;

	free(s->d.found);
	free(s);
	return 0;
}

static void judge(struct site *s)
{
	s->d.n = 0;
	doctor_haproxies(&s->d, &s->conf, &s->h);
	doctor_etcds(&s->d, &s->c);
	doctor_patronis(&s->d, &s->c);
	doctor_servers(&s->d, &s->c);
	doctor_maxconn(&s->d, &s->c, &s->h);
	doctor_certs(&s->d, &s->c);
	doctor_clocks(&s->d, &s->c);
	doctor_failover(&s->d, &s->c);
}

/* Is it said, at that level, and with what to do unless all is well? */
static bool says(struct site *s, enum doctor_level level, const char *text)
{
	for (unsigned i = 0; i < s->d.n; i++)
		if (strstr(s->d.found[i].text, text) != NULL)
			return s->d.found[i].level == level &&
			    (level == DOCTOR_OK || s->d.found[i].todo != NULL);
	return false;
}

static unsigned count(const struct site *s, enum doctor_level level)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->d.n; i++)
		n += s->d.found[i].level == level ? 1 : 0;
	return n;
}

static void a_healthy(void **state)
{
	struct site *s = *state;

	judge(s);
	assert_int_equal(count(s, DOCTOR_WARN), 0);
	assert_int_equal(count(s, DOCTOR_BAD), 0);
	assert_true(says(s, DOCTOR_OK,
	    "if n1 died now, n2 (lag 0), n3 (lag 0) would take over"));
	assert_true(says(s, DOCTOR_OK, "after 20 to 30 s"));
}

static void b_haproxy(void **state)
{
	struct site *s = *state;

	s->h.files = 15999;
	memcpy(s->h.version, "2.4.0", 6);
	s->h.master = false;
	s->h.file.redispatch = s->h.file.chroot = s->h.file.hard_stop = true;
	s->h.file.maxconn = 2000;
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "HAProxy 2.4.0 runs"));
	assert_true(says(s, DOCTOR_BAD, "limit of 15999 descriptors"));
	assert_true(says(s, DOCTOR_BAD, "`option redispatch`"));
	assert_true(says(s, DOCTOR_WARN, "`chroot`"));
	assert_true(says(s, DOCTOR_WARN, "`hard-stop-after`"));
	assert_true(says(s, DOCTOR_WARN, "2500 together, above the global"));
	s->h.reachable = false;
	memcpy(s->h.why, "gone", 5);
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "gone"));
}

/* Each step of the ladder, at its edge. */
static void b_timeouts(void **state)
{
	struct site *s = *state;

	s->h.spoe.hold_processing = 10 * SECOND;
	judge(s);
	assert_true(says(s, DOCTOR_BAD,
	    "timeout processing (10.0 s) is not "
	    "longer than hold_timeout (10.0 s)"));
	s->h.spoe.hold_processing = 13 * SECOND;
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "inspect-delay (13.0 s) is not"));
	s->h.spoe.hold_processing = 11 * SECOND;
	s->h.spoe.hold_idle = 10 * SECOND;
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "timeout idle (10.0 s)"));
	s->h.spoe.hold_idle = 30 * SECOND;
	s->h.file.agent_server = 2 * SECOND;
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "backend agent's timeout server"));
	s->h.file.agent_server = 3600 * SECOND;
	/* So does a wait for an LSN that is longer than any hold. */
	s->conf.agent.min_lsn_wait = dur_us(14 * SECOND);
	doctor_haproxies(&s->d, &s->conf, &s->h);
	assert_true(says(s, DOCTOR_BAD, "hold_timeout (14.0 s)"));
	s->conf.agent.min_lsn_wait = dur_us(0);
	/* One listener's own hold counts. */
	s->listen[1].hold_timeout = dur_us(12 * SECOND);
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "hold_timeout (12.0 s)"));
	s->h.has_spoe = false;
	judge(s);
	assert_true(says(s, DOCTOR_WARN, "s could not be read"));
}

static void b_etcd(void **state)
{
	struct site *s = *state;

	s->c.etcd[1].peer.ok = false;
	memcpy(s->c.etcd[1].peer.why, "refused", 8);
	memcpy(s->c.etcd[2].version, "3.3.9", 6);
	judge(s);
	assert_true(says(s, DOCTOR_WARN, "refused"));
	assert_true(says(s, DOCTOR_WARN, "etcd 3.3.9"));
	assert_int_equal(count(s, DOCTOR_BAD), 0);
	s->c.etcd[0].peer.ok = s->c.etcd[2].peer.ok = false;
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "none of etcd's endpoints"));
	s->c.etcd_n = 0;
	judge(s);
	assert_true(says(s, DOCTOR_WARN, "no etcd is configured"));
}

static void b_patroni(void **state)
{
	struct site *s = *state;

	s->c.ttl = 29;
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "ttl 29 is below"));
	s->c.ttl = 60;
	s->c.pause = true;
	s->c.m[1].rest.ok = false;
	memcpy(s->c.m[2].patroni, "2.1.4", 6);
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "fence 30 s is shorter"));
	assert_true(says(s, DOCTOR_WARN, "Patroni is paused"));
	assert_true(says(s, DOCTOR_BAD, "REST API of n2 does not answer"));
	assert_true(says(s, DOCTOR_WARN, "n3 runs Patroni 2.1.4"));
	s->c.has_config = false;
	s->c.n = 0;
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "no member is known"));
}

static void b_servers(void **state)
{
	struct site *s = *state;

	s->c.m[0].sql.ok = false;
	memcpy(s->c.m[0].sql.why, "no pg_hba.conf entry", 21);
	s->c.m[1].version = 110009;
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "n1: no pg_hba.conf entry"));
	assert_true(says(s, DOCTOR_WARN, "n2 is PostgreSQL 11"));
	s->cluster.probe_user[0] = '\0';
	judge(s);
	assert_true(says(s, DOCTOR_WARN, "there is no probe_user"));
}

static void b_maxconn(void **state)
{
	struct site *s = *state;

	s->c.m[0].max_connections = 2503;
	judge(s);
	assert_true(says(s, DOCTOR_OK, "n1 has room for 2500"));
	s->c.m[0].max_connections = 2502;
	judge(s);
	assert_true(says(s, DOCTOR_WARN, "n1 has room for 2499"));
	s->h.has_file = false;
	judge(s);
	assert_true(says(s, DOCTOR_WARN, "maxconn could not be compared"));
}

static void b_failover(void **state)
{
	struct site *s = *state;

	s->c.m[1].nofailover = true;
	judge(s);
	assert_true(says(s, DOCTOR_WARN, "n1 died now, n3 (lag 0) would"));
	s->c.m[2].lag = 1048577;
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "nobody could take over"));
	s->c.m[2].lag = -1; /* unknown is not 0 */
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "nobody could take over"));
	s->c.m[2].lag = 0;
	s->c.sync_mode = true;
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "nobody could take over"));
	s->c.m[2].sync = true;
	judge(s);
	assert_true(says(s, DOCTOR_WARN, "n3 (lag 0) would take over"));
	s->c.m[0].leader = false;
	judge(s);
	assert_true(says(s, DOCTOR_BAD, "the cluster has no leader now"));
}

static void b_certs_and_clocks(void **state)
{
	struct site *s = *state;

	s->c.m[0].rest.has_cert = s->c.m[1].rest.has_cert = true;
	s->c.m[2].sql.has_cert = true;
	s->c.m[0].rest.cert_days = 90;
	s->c.m[1].rest.cert_days = 20;
	s->c.m[2].sql.cert_days = -3;
	s->c.m[1].rest.clock_s = -61;
	judge(s);
	assert_true(says(s, DOCTOR_OK, "Patroni on n1 ends in 90 days"));
	assert_true(says(s, DOCTOR_WARN, "Patroni on n2 ends in 20 days"));
	assert_true(says(s, DOCTOR_BAD, "PostgreSQL on n3 ended 3 days ago"));
	assert_true(says(s, DOCTOR_WARN, "clock of n2 is 61 s behind"));
}

static void a_versions(void **state)
{
	(void)state;
	assert_int_equal(doctor_version("3.0.2"), 30002);
	assert_int_equal(doctor_version("2.6.12-1+deb12u4"), 20612);
	assert_int_equal(doctor_version("4.1"), 40100);
	assert_int_equal(doctor_version("15"), 150000);
	assert_int_equal(doctor_version(""), 0);
	assert_int_equal(doctor_version("x"), 0);
	assert_int_equal(doctor_version("999999999999.1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_healthy, make, end),
	    cmocka_unit_test_setup_teardown(b_haproxy, make, end),
	    cmocka_unit_test_setup_teardown(b_timeouts, make, end),
	    cmocka_unit_test_setup_teardown(b_etcd, make, end),
	    cmocka_unit_test_setup_teardown(b_patroni, make, end),
	    cmocka_unit_test_setup_teardown(b_servers, make, end),
	    cmocka_unit_test_setup_teardown(b_maxconn, make, end),
	    cmocka_unit_test_setup_teardown(b_failover, make, end),
	    cmocka_unit_test_setup_teardown(b_certs_and_clocks, make, end),
	    cmocka_unit_test(a_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
