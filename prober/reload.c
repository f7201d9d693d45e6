/*
 * reload.c - SIGHUP. A broken file changes nothing but the log.
 *
 * What changed is found by the key table itself: each key knows where its
 * value lies. The log level is taken at once, and the files that etcd's keys
 * name are read again; every other key of ours is named as one that waits for
 * a restart.
 */
#include "reload.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "cluster.h"
#include "conf_int.h"
#include "etcd.h"
#include "log.h"

#define SAID 200 /* bytes of keys that one line names */

struct waiting {
	char keys[SAID];
	size_t len;
	unsigned n;
};

static void wait_for_restart(
    struct waiting *w, const char *section, const char *key)
{
	size_t left = sizeof(w->keys) - w->len;
	int n = snprintf(w->keys + w->len, left, "%s%s.%s",
	    w->len > 0 ? "," : "", section, key);

	w->n++;
	if (n > 0 && (size_t)n < left)
		w->len += (size_t)n;
	else
		w->keys[w->len] = '\0'; /* counted, not named */
}

/* The agent's keys are the agent's, but for this one. */
static bool is_ours(const struct conf_key *k)
{
	return strcmp(k->section, "agent") != 0 ||
	    strcmp(k->name, "early_hold") == 0;
}

/* All keys of one section whose values differ between its two structs. */
static void compare(
    struct waiting *w, const char *section, const void *a, const void *b)
{
	for (const struct conf_key *k = conf_key_table(); k->section != NULL;
	     k++) {
		if (strcmp(k->section, section) == 0 && is_ours(k) &&
		    !k->reloadable &&
		    memcmp((const char *)a + k->offset,
			(const char *)b + k->offset, k->size) != 0)
			wait_for_restart(w, section, k->name);
	}
}

static const struct conf_cluster *find_cluster(
    const struct conf *c, const char *name)
{
	for (uint16_t i = 0; i < c->cluster_n; i++)
		if (strcmp(c->cluster[i].name, name) == 0)
			return &c->cluster[i];
	return NULL;
}

static void compare_clusters(
    struct waiting *w, const struct conf *a, const struct conf *b)
{
	for (uint16_t i = 0; i < a->cluster_n; i++) {
		const struct conf_cluster *mine = &a->cluster[i];
		const struct conf_cluster *other = find_cluster(b, mine->name);

		if (other == NULL)
			wait_for_restart(w, "cluster", mine->name);
		else
			compare(w, "cluster", mine, other);
	}
	for (uint16_t i = 0; i < b->cluster_n; i++)
		if (find_cluster(a, b->cluster[i].name) == NULL)
			wait_for_restart(w, "cluster", b->cluster[i].name);
}

void reload(struct app *app)
{
	struct conf_err err;
	struct waiting w = {.len = 0};

	assert(app != NULL && app->magic == APP_MAGIC);
	struct conf *fresh = conf_load_apart(app->conf_path, &err);
	if (fresh == NULL) {
		log_warnx("reject reload error=\"%s\"", err.text);
		return;
	}
	log_set_level(fresh->prober.log_level);
	for (uint16_t i = 0; i < app->etcd_n; i++)
		etcd_reload(app->etcd[i]);
	compare(&w, "", app->conf, fresh);
	compare(&w, "prober", &app->conf->prober, &fresh->prober);
	compare(&w, "agent", &app->conf->agent, &fresh->agent);
	compare_clusters(&w, app->conf, fresh);
	conf_free(fresh);
	if (w.n == 0)
		log_info("reload file=%s", app->conf_path);
	else
		log_warnx("reload file=%s restart_needed=%u keys=%s",
		    app->conf_path, w.n, w.keys);
}
