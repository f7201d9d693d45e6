/*
 * render.h - HAProxy's two files, made of the configuration and of where the
 * members are.
 *
 * Pure but for the C library's memory streams. Needs: every name is one that
 * HAProxy takes (is_conf_label()), every address numeric or a host's name.
 */
#ifndef RENDER_H
#define RENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "slice.h"

#define RENDER_REST_PORT 8008

/* One member as HAProxy's file has it. */
struct render_server {
	char name[LIM_NAME];
	char host[LIM_ADDR];
	uint16_t port;
	char rest_host[LIM_ADDR]; /* where its Patroni is */
	uint16_t rest_port;
	bool rest_tls;
};

struct render_cluster {
	uint8_t n;
	struct render_server server[LIM_MEMBERS];
};

struct render {
	const struct conf *conf;
	struct render_cluster *cluster; /* conf->cluster_n of them */
};

/* Gives: the whole text on the heap, NULL if memory is out. */
char *render_haproxy(const struct render *r)
    __attribute__((warn_unused_result));
char *render_spoe(const struct render *r) __attribute__((warn_unused_result));

/* Is this, to the last byte, what an earlier rendering wrote? Its last line
   holds a sum of the rest. */
bool is_render_untouched(struct slice text);

/* The longest that the agent may keep a connection waiting. */
struct dur render_longest_hold(const struct conf *c);

/* Of the places that haproxy.maxconn leaves, those of one listener. */
uint32_t render_share(const struct conf *c, uint16_t listen);

#endif
