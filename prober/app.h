/*
 * app.h - the one struct that main() makes and every part is reached through.
 *
 * Pointers only: who needs a part's functions includes that part's header.
 */
#ifndef APP_H
#define APP_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "daemon.h"
#include "lim.h"
#include "loopwatch.h"

struct api;
struct cluster;
struct etcd;
struct events;
struct feed;
struct haproxy;
struct http_client;
struct pg_client;
struct reports;
struct resolve;

#define APP_MAGIC 0x61707021u

struct app {
	unsigned magic;
	struct ev_loop *loop;
	const char *conf_path;
	struct conf *conf;
	uint64_t boot_id; /* of this start, random, not 0 */
	struct mono started;
	struct daemon_socks socks;
	struct loopwatch watch;
	struct resolve *resolve;
	struct http_client *http;
	struct pg_client *pg;
	struct etcd *etcd[LIM_CLUSTERS]; /* one for each list of endpoints */
	uint16_t etcd_n;
	struct etcd *etcd_of[LIM_CLUSTERS]; /* by cluster; NULL: it has none */
	struct cluster *cluster[LIM_CLUSTERS]; /* as in conf, cluster_n */
	uint16_t cluster_n;
	uint16_t fast_n; /* of them, whose members are asked every 20 ms */
	struct events *events;
	struct reports *reports;
	struct feed *feed;
	struct haproxy *haproxy;
	struct api *api;
	ev_signal on_term, on_int, on_hup;
};

/*
 * Makes every part, in the order in which they need each other, and starts
 * the watchers. Needs: conf, socks, boot_id, resolve and loop are set.
 * Gives: NULL, or the part that could not be started, for want of memory,
 * descriptors, or of what the log has just named; app_stop() is due either way.
 */
const char *app_start(struct app *app) __attribute__((warn_unused_result));

/* A cluster's members are asked every 20 ms from now on, or no more. */
void app_fast(struct app *app, bool began);

/* Frees every part in reverse order; parts that are not there are skipped. */
void app_stop(struct app *app);

#endif
