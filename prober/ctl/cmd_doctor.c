/*
 * cmd_doctor.c - `patroutectl doctor`: before going live.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "doctor.h"
#include "json.h"
#include "look.h"

static const struct args_option options[] = {
    {ARGS_FLAG, "quiet", 'q', NULL, "only what is not right", 0, 0},
    {ARGS_TEXT, "haproxy-file", '\0', "FILE",
	"HAProxy's configuration, default haproxy.file", 0, 0},
    {ARGS_TEXT, "spoe-file", '\0', "FILE",
	"the one beside it, default haproxy.spoe_file", 0, 0},
    {.kind = ARGS_END},
};

static const struct {
	const char *name;
	enum out_paint paint;
} levels[] = {[DOCTOR_OK] = {"ok", OUT_GOOD},
    [DOCTOR_WARN] = {"warn", OUT_WARN},
    [DOCTOR_BAD] = {"bad", OUT_BAD}};

static void show(struct ctl *ctl, const struct doctor_finding *f)
{
	struct out *o = &ctl->out;

	out_part(o, levels[f->level].paint, "%-5s", levels[f->level].name);
	out_part(o, OUT_DIM, "%-11s", f->area);
	if (f->cluster[0] != '\0' && ctl->conf->cluster_n > 1)
		out_part(o, OUT_PLAIN, "%s: ", f->cluster);
	out_line(o, "%s", f->text);
	if (f->todo != NULL && f->level != DOCTOR_OK)
		out_line(o, "                → %s", f->todo);
}

static void print(struct ctl *ctl, const struct doctor *d, bool quiet)
{
	cJSON *list = cJSON_CreateArray();

	for (unsigned i = 0; i < d->n; i++) {
		const struct doctor_finding *f = &d->found[i];
		cJSON *o;

		if (quiet && f->level == DOCTOR_OK)
			continue;
		o = cJSON_CreateObject();
		(void)cJSON_AddItemToArray(list, o);
		(void)cJSON_AddStringToObject(
		    o, "level", levels[f->level].name);
		(void)cJSON_AddStringToObject(o, "area", f->area);
		if (f->cluster[0] != '\0')
			(void)cJSON_AddStringToObject(o, "cluster", f->cluster);
		(void)cJSON_AddStringToObject(o, "text", f->text);
		if (f->todo != NULL)
			(void)cJSON_AddStringToObject(o, "todo", f->todo);
	}
	ctl_print_json(ctl, list);
	cJSON_Delete(list);
}

static void check_cluster(struct ctl *ctl, struct doctor *d,
    const struct conf_cluster *own, const cJSON *topology,
    const struct doctor_haproxy *h)
{
	struct doctor_cluster *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return;
	d->cluster = own->name;
	doctor_ask_cluster(ctl, own, look_cluster(topology, own->name), c);
	doctor_etcds(d, c);
	doctor_patronis(d, c);
	doctor_servers(d, c);
	doctor_maxconn(d, c, h);
	doctor_certs(d, c);
	doctor_clocks(d, c);
	doctor_failover(d, c);
	free(c);
}

static int verdict(struct ctl *ctl, const struct doctor *d, bool quiet)
{
	unsigned n[3] = {0, 0, 0};

	for (unsigned i = 0; i < d->n; i++) {
		n[d->found[i].level]++;
		if (!ctl->json && (!quiet || d->found[i].level != DOCTOR_OK))
			show(ctl, &d->found[i]);
	}
	if (ctl->json)
		print(ctl, d, quiet);
	else
		out_line(&ctl->out, "%u ok, %u warn, %u bad", n[DOCTOR_OK],
		    n[DOCTOR_WARN], n[DOCTOR_BAD]);
	return n[DOCTOR_BAD] > 0 ? CTL_NO : CTL_OK;
}

static int run(struct ctl *ctl, const struct args *args)
{
	const struct conf *conf = ctl_conf(ctl);
	struct doctor d = {.n = 0};
	struct doctor_haproxy *h;
	cJSON *topology;
	int rc = CTL_FAILED;

	if (conf == NULL)
		return CTL_FAILED;
	d.found = calloc(DOCTOR_MAX, sizeof(*d.found));
	h = calloc(1, sizeof(*h));
	topology = ctl_topology(ctl);
	if (d.found != NULL && h != NULL && topology != NULL) {
		doctor_host(&d, conf);
		h->path = is_arg(args, "haproxy-file")
		    ? args_text(args, "haproxy-file")
		    : conf->haproxy.file;
		h->spoe_path = is_arg(args, "spoe-file")
		    ? args_text(args, "spoe-file")
		    : conf->haproxy.spoe_file;
		doctor_ask_haproxy(conf, h);
		doctor_haproxies(&d, conf, h);
		for (uint16_t i = 0; i < conf->cluster_n; i++)
			if (ctl->only == NULL ||
			    strcmp(ctl->only, conf->cluster[i].name) == 0)
				check_cluster(
				    ctl, &d, &conf->cluster[i], topology, h);
		rc = verdict(ctl, &d, is_arg(args, "quiet"));
	}
	cJSON_Delete(topology);
	free(h);
	free(d.found);
	return rc;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .operands = "",
    .text = "looks for what would go wrong, before going live",
    .more = "Asks from this host, as root or as the prober's user: etcd, "
	    "Patroni and PostgreSQL of each member, HAProxy's socket and "
	    "files. Each finding is a sentence: ok, warn, or bad with what "
	    "to do. The exit status is 1 if one is bad. Clocks are only a "
	    "hint: patroute compares none.",
    .options = options,
    .run = run,
};
