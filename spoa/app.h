/*
 * app.h - one agent: everything that its callbacks reach.
 *
 * main() creates the only one. A `void *` that comes back from a library goes
 * through app_of().
 */
#ifndef APP_H
#define APP_H

#include <assert.h>
#include <ev.h>
#include <stddef.h>

#include "agent.h"
#include "conf.h"
#include "conns.h"
#include "decide.h"
#include "desk.h"
#include "feed_client.h"
#include "listener.h"
#include "log.h"
#include "loopwatch.h"

#define APP_MAGIC 0x9a7e0001U

struct app {
	unsigned magic;
	const char *conf_path;
	struct conf *conf;
	struct ev_loop *loop;
	struct loopwatch watch;
	struct feed_client *feed;
	char feed_path[LIM_PATH];      /* the client keeps a pointer to it */
	bool feed_fresh[LIM_CLUSTERS]; /* as last logged, by slot */
	struct decider decide;
	struct agent agent;
	struct conns conns;
	struct listeners listeners;
	struct desk desk;
	struct log_rate reject_rate;
	bool is_stopping;
	ev_signal on_term, on_int, on_hup;
	struct mono stop_late;
	ev_timer fresh_check, stop_deadline, stop_poll;
};

static inline struct app *app_of(void *data)
{
	struct app *app = data;

	assert(app != NULL && app->magic == APP_MAGIC);
	return app;
}

/* How the descriptors are shared out. */
struct app_room {
	uint32_t conns, desk, cancels;
};

/*
 * Puts the parts together on a new loop and begins to serve. Needs: app is
 * zeroed but for conf, conf_path and its listeners, which are open, the desk's
 * last; `files` is the limit of descriptors.
 * Gives: false if there is no memory or no loop; app_end() is due then too.
 */
bool app_begin(struct app *app, uint32_t files)
    __attribute__((warn_unused_result));

/* Runs until a signal ends it. */
void app_run(struct app *app);

/* Everything goes, in reverse order, the configuration too. */
void app_end(struct app *app);

#endif
