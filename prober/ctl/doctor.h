/*
 * doctor.h - what `doctor` found out, and what it makes of it.
 *
 * Facts are gathered by doctor_ask.c and doctor_host.c, which ask and read;
 * the rules (doctor_cluster.c, doctor_hap.c) are pure functions over facts.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "hapcfg.h"

enum doctor_level {
	DOCTOR_OK = 0,
	DOCTOR_WARN,
	DOCTOR_BAD
};

#define DOCTOR_TEXT 320
#define DOCTOR_MAX 1024
#define DOCTOR_WHY 160

struct doctor_finding {
	enum doctor_level level;
	char cluster[LIM_NAME]; /* "": this host */
	const char *area;       /* "etcd", "haproxy" … */
	char text[DOCTOR_TEXT];
	const char *todo; /* NULL: nothing */
};

struct doctor {
	struct doctor_finding *found; /* heap, DOCTOR_MAX */
	unsigned n;
	const char *area;    /* of those to come */
	const char *cluster; /* likewise, NULL: this host */
};

__attribute__((format(printf, 4, 5))) void doctor_say(struct doctor *d,
    enum doctor_level level, const char *todo, const char *fmt, ...);

/* Somebody who was asked. */
struct doctor_peer {
	bool asked, ok;
	char why[DOCTOR_WHY]; /* if not ok */
	bool has_cert;
	double cert_days; /* until its certificate ends */
	bool has_clock;
	double clock_s; /* how far its clock is ahead of ours */
};

struct doctor_etcd {
	char name[LIM_ADDR + 8];
	struct doctor_peer peer;
	char version[24];
};

struct doctor_member {
	char name[LIM_NAME];
	/* Patroni */
	struct doctor_peer rest;
	char patroni[24];
	bool leader, nofailover, sync, running;
	double lag; /* bytes, -1: unknown */
	/* PostgreSQL */
	struct doctor_peer sql;
	int version;         /* 150004 */
	int max_connections; /* 0: unknown */
	int reserved;
	bool sees_all; /* pg_monitor */
};

struct doctor_cluster {
	const struct conf *conf;
	const struct conf_cluster *own;
	struct doctor_etcd etcd[LIM_ENDPOINTS];
	unsigned etcd_n;
	struct doctor_member m[LIM_MEMBERS];
	unsigned n;
	bool has_config; /* Patroni's */
	double ttl, loop_wait, retry_timeout, max_lag_on_failover;
	bool sync_mode, pause;
};

/* Each says what is right as well. Pure. */
void doctor_etcds(struct doctor *d, const struct doctor_cluster *c);
void doctor_patronis(struct doctor *d, const struct doctor_cluster *c);
void doctor_servers(struct doctor *d, const struct doctor_cluster *c);
void doctor_failover(struct doctor *d, const struct doctor_cluster *c);
void doctor_certs(struct doctor *d, const struct doctor_cluster *c);
void doctor_clocks(struct doctor *d, const struct doctor_cluster *c);

/* "3.0.2" -> 30002, "2.6.12-1+deb12u4" -> 20612; 0: not a version. */
int doctor_version(const char *text);

struct doctor_haproxy {
	const char *path, *spoe_path; /* its files: the caller's */
	bool reachable, master;
	char why[DOCTOR_WHY];
	char version[24];
	int64_t maxconn, files; /* Maxconn, Ulimit-n; 0: unknown */
	bool has_file, has_spoe;
	struct hapcfg file, spoe;
};

void doctor_haproxies(
    struct doctor *d, const struct conf *conf, const struct doctor_haproxy *h);
/* A cluster's servers against HAProxy's binds. */
void doctor_maxconn(struct doctor *d, const struct doctor_cluster *c,
    const struct doctor_haproxy *h);

/* Gather. They block, each question for a few seconds at most. */
struct ctl;
void doctor_ask_cluster(struct ctl *ctl, const struct conf_cluster *own,
    const cJSON *topology_cluster, struct doctor_cluster *out);
void doctor_ask_haproxy(const struct conf *conf, struct doctor_haproxy *h);
/* Sockets, ports and certificates of this host: asked and judged. */
void doctor_host(struct doctor *d, const struct conf *conf);

#endif
