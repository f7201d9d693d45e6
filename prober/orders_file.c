/*
 * orders_file.c - see orders_file.h. Called at start, and after each order of
 * this host alone: an operator's, so seldom.
 */
#include "orders_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "cluster.h"
#include "cluster_orders.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "wall.h"

#define BOOT 40
#define FILE_MAX ((size_t)LIM_CLUSTERS * ORDERS_VALUE)
#define NAME "/orders.json"
#define PATH_ROOM (LIM_TEXT + 24)

/* Of this boot; empty where it cannot be read: then the wall clock decides. */
static void boot_of(char boot[static BOOT])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, boot, BOOT - 1);

	if (fd != -1)
		(void)close(fd);
	boot[n > 0 ? n : 0] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
}

static char *read_all(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd == -1 ? NULL : malloc(FILE_MAX);
	ssize_t n = 0;

	*len = 0;
	while (text != NULL && *len < FILE_MAX &&
	    (n = read(fd, text + *len, FILE_MAX - *len)) > 0)
		*len += (size_t)n;
	if (fd != -1)
		(void)close(fd);
	return text;
}

static struct cluster *find(const struct app *app, struct slice name)
{
	for (uint16_t i = 0; i < app->cluster_n; i++)
		if (is_slice_eq(name, app->cluster[i]->conf->name))
			return app->cluster[i];
	return NULL;
}

/* Gives: false if its time is over. */
static bool is_left(
    struct order *o, bool same_boot, int64_t until_us, struct mono now)
{
	int64_t most = dur_to_ms(mono_sub(o->until, now));
	int64_t ms =
	    same_boot ? (until_us - now.us) / 1000 : o->until_ms - wall_ms();

	if (!is_mono_set(o->until))
		return true;
	if (ms > most)
		ms = most;
	o->until = mono_add(now, dur_ms(ms > 0 ? ms : 0));
	return ms > 0;
}

/* One order as this file has it: its key, its value as in etcd, its end. */
static void load_one(const struct app *app, const cJSON *e, bool same_boot)
{
	struct cluster *c = find(app, json_str(e, "cluster"));
	struct slice value = json_str(e, "value");
	struct order_when when = {mono_now(), wall_ms()};
	struct order o;

	if (c == NULL || !order_decode(json_str(e, "key"), value, when, &o) ||
	    !is_left(&o, same_boot, json_i64(e, "until_us"), when.now))
		return;
	o.is_host = true;
	(void)!cluster_order_host(c, &o);
}

void orders_file_load(struct app *app)
{
	char path[PATH_ROOM], boot[BOOT];
	size_t len;
	char *text;
	cJSON *doc;
	const cJSON *e;

	assert(app != NULL);
	(void)snprintf(
	    path, sizeof(path), "%s" NAME, app->conf->prober.state_dir);
	text = read_all(path, &len);
	if (text == NULL && errno == ENOENT)
		return;
	doc = text == NULL ? NULL : json_parse(slice_of(text, len));
	if (doc == NULL)
		log_warnx("drop orders=%s why=\"it cannot be read as JSON: "
			  "orders of this host alone are forgotten\"",
		    path);
	boot_of(boot);
	bool same = boot[0] != '\0' && is_slice_eq(json_str(doc, "boot"), boot);
	for (e = json_first(json_get(doc, "orders")); e != NULL; e = e->next)
		load_one(app, e, same);
	cJSON_Delete(doc);
	free(text);
}

static bool add_one(cJSON *list, const struct cluster *c, const struct order *o)
{
	char key[ORDERS_KEY], value[ORDERS_VALUE], until[24];
	cJSON *e = cJSON_CreateObject();

	if (order_encode(o, value, sizeof(value)) == 0 ||
	    !cJSON_AddItemToArray(list, e))
		return false;
	(void)snprintf(until, sizeof(until), "%" PRId64, o->until.us);
	return cJSON_AddStringToObject(e, "cluster", c->conf->name) != NULL &&
	    cJSON_AddStringToObject(e, "key", order_key(o, key)) != NULL &&
	    cJSON_AddStringToObject(e, "value", value) != NULL &&
	    cJSON_AddStringToObject(e, "until_us", until) != NULL;
}

static char *text_of(const struct app *app)
{
	cJSON *doc = cJSON_CreateObject();
	char boot[BOOT], *text = NULL;
	cJSON *list;
	bool ok;

	boot_of(boot);
	ok = cJSON_AddStringToObject(doc, "boot", boot) != NULL;
	list = cJSON_AddArrayToObject(doc, "orders");
	for (uint16_t i = 0; ok && i < app->cluster_n; i++) {
		const struct order_set *s = app->cluster[i]->orders.host;

		for (unsigned k = 0; ok && s != NULL && k < s->n; k++)
			ok = add_one(list, app->cluster[i], &s->o[k]);
	}
	if (ok)
		text = cJSON_Print(doc);
	cJSON_Delete(doc);
	return text;
}

bool orders_file_save(const struct app *app)
{
	char path[PATH_ROOM], fresh[PATH_ROOM + 8], *text;
	bool ok = false;
	int fd;

	assert(app != NULL);
	(void)snprintf(
	    path, sizeof(path), "%s" NAME, app->conf->prober.state_dir);
	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	text = text_of(app);
	if (text == NULL) {
		errno = ENOMEM;
		return false;
	}
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd != -1) {
		ok = file_write(fd, text);
		ok = close(fd) == 0 && ok;
	}
	free(text);
	return ok && rename(fresh, path) == 0;
}
