/*
 * cmd_render.c - `patroutectl render`: HAProxy's files from patroute.conf.
 *
 * Nothing is touched before HAProxy itself has accepted the new text.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "child.h"
#include "ctl.h"
#include "hapload.h"
#include "json.h"
#include "look.h"
#include "place.h"
#include "render.h"
#include "servers.h"

static const struct args_option options[] = {
    {ARGS_FLAG, "dry-run", 'n', NULL, "what would change, and nothing else", 0,
	0},
    {ARGS_FLAG, "no-reload", '\0', NULL,
	"put the files in place, HAProxy reads them another time", 0, 0},
    {ARGS_FLAG, "force", '\0', NULL, "overwrite what somebody changed by hand",
	0, 0},
    {ARGS_FLAG, "prune", '\0', NULL,
	"leave out servers that are no members now", 0, 0},
    {ARGS_TEXT, "print", '\0', "haproxy|spoe",
	"that file on standard output, and nothing else", 0, 0},
    {ARGS_TEXT, "haproxy", '\0', "FILE", "the program that checks them", 0, 0},
    {.kind = ARGS_END},
};

struct job {
	struct ctl *ctl;
	const struct args *args;
	const struct conf *conf;
	struct render render;
	struct place file[2]; /* HAProxy's, the SPOE's */
	char folder[32];      /* where they are tried, "": none */
	cJSON *topology;      /* NULL: not asked, or no answer */
	const char *done;     /* for --json */
};

static void say(const struct job *j, const char *text)
{
	if (!j->ctl->json)
		out_line(&j->ctl->out, "%s", text);
}

/* This cluster in the prober's answer, which is asked once. */
static const cJSON *ask_prober(struct job *j, const char *name, bool *asked)
{
	if (!*asked)
		j->topology = ctl_get(j->ctl, "/topology");
	*asked = true;
	return look_cluster(j->topology, name);
}

/* Who is only away now is kept: a line too many costs a check, one too few a
   reload when it comes back. */
static void keep(const struct job *j, const struct conf_cluster *cl,
    struct render_cluster *out)
{
	struct render_cluster old;
	char names[LIM_TEXT], text[LIM_LOG_LINE];

	if (j->file[0].now == NULL || is_arg(j->args, "prune"))
		return;
	servers_from_file(cl, slice_str(j->file[0].now), &old);
	if (servers_keep(out, &old, names) == 0)
		return;
	(void)snprintf(text, sizeof(text),
	    "%s: kept %s, no member now; --prune leaves it out", cl->name,
	    names);
	say(j, text);
}

static bool find_servers(struct job *j, uint16_t i, bool *asked)
{
	const struct conf_cluster *cl = &j->conf->cluster[i];
	struct render_cluster *out = &j->render.cluster[i];
	const cJSON *c;
	unsigned passed;

	if (servers_from_conf(cl, out))
		return true;
	c = ask_prober(j, cl->name, asked);
	passed = servers_from_topology(cl, c, out);
	if (passed > 0)
		(void)ctl_fail(j->ctl,
		    "%s: %u of its members have no name or address that "
		    "HAProxy takes; cluster.server_map gives them another name",
		    cl->name, passed);
	keep(j, cl, out);
	if (out->n > 0)
		return true;
	(void)ctl_fail(j->ctl,
	    "%s: no member is known, expected cluster.servers in %s or a "
	    "running patroute-prober that knows them",
	    cl->name, j->ctl->conf_path);
	return false;
}

static bool has_plain_agent(const struct conf_agent *a)
{
	for (unsigned i = 0; i < a->listen_n; i++)
		if (a->listen[i].is_unix || !a->listen[i].tls)
			return true;
	return false;
}

static bool make(struct job *j)
{
	bool asked = false;

	if (!has_plain_agent(&j->conf->agent)) {
		(void)ctl_fail(j->ctl,
		    "agent.listen: tls: alone, expected a unix: for this "
		    "host's HAProxy");
		return false;
	}
	for (uint16_t i = 0; i < j->conf->cluster_n; i++)
		if (!find_servers(j, i, &asked))
			return false;
	j->file[0].next = render_haproxy(&j->render);
	j->file[1].next = render_spoe(&j->render);
	if (j->file[0].next != NULL && j->file[1].next != NULL)
		return true;
	(void)ctl_fail(j->ctl, "no memory for the files");
	return false;
}

static bool read_files(struct job *j)
{
	char why[LIM_TEXT];

	j->file[0].path = j->conf->haproxy.file;
	j->file[1].path = j->conf->haproxy.spoe_file;
	for (unsigned i = 0; i < 2; i++) {
		if (!place_read(&j->file[i], why)) {
			(void)ctl_fail(j->ctl, "%s", why);
			return false;
		}
	}
	return true;
}

static bool compare(struct job *j)
{
	bool changed = false;

	for (unsigned i = 0; i < 2; i++) {
		struct place *p = &j->file[i];

		p->is_changed = p->now == NULL || strcmp(p->now, p->next) != 0;
		changed = changed || p->is_changed;
	}
	return changed;
}

/* A folder that nobody else looks into, with the new texts. */
static bool try_out(struct job *j)
{
	(void)snprintf(
	    j->folder, sizeof(j->folder), "/tmp/patroute-render-XXXXXX");
	if (mkdtemp(j->folder) == NULL) {
		j->folder[0] = '\0';
	} else if (place_try(&j->file[0], j->folder, "haproxy.cfg") &&
	    place_try(&j->file[1], j->folder, "spoe.cfg")) {
		return true;
	}
	(void)ctl_fail(j->ctl, "/tmp: %s, expected room for a folder",
	    strerrordesc_np(errno));
	return false;
}

static void show_diff_line(struct out *o, struct slice line)
{
	enum out_paint paint = OUT_PLAIN;
	char text[2048];

	if (line.len > 0 && line.p[0] == '+')
		paint = OUT_GOOD;
	else if (line.len > 0 && line.p[0] == '-')
		paint = OUT_BAD;
	else if (line.len > 0 && line.p[0] == '@')
		paint = OUT_DIM;
	(void)snprintf(text, sizeof(text), "%.*s", (int)line.len,
	    line.len > 0 ? (const char *)line.p : "");
	out_part(o, paint, "%s", text);
	out_line(o, "%s", "");
}

static void show_diff(const struct job *j, const struct place *p)
{
	const char *const argv[] = {"diff", "-u", "--label", p->path, "--label",
	    p->path, p->now != NULL ? p->path : "/dev/null", p->tried, NULL};
	struct child ran;
	size_t from = 0;

	child_run(argv, &ran);
	if (ran.status != 1) {
		say(j, "(no `diff` here to show what changes)");
		child_done(&ran);
		return;
	}
	for (size_t i = 0; i < ran.len; i++) {
		if (ran.said[i] != '\n')
			continue;
		show_diff_line(
		    &j->ctl->out, slice_of(ran.said + from, i - from));
		from = i + 1;
	}
	child_done(&ran);
}

static void show_changes(const struct job *j)
{
	for (unsigned i = 0; i < 2; i++)
		if (j->file[i].is_changed && !j->ctl->json)
			show_diff(j, &j->file[i]);
}

/* Did somebody else write there? */
static bool is_free(const struct job *j)
{
	if (is_arg(j->args, "force"))
		return true;
	for (unsigned i = 0; i < 2; i++) {
		if (!j->file[i].is_changed || !j->file[i].is_edited)
			continue;
		(void)ctl_fail(j->ctl,
		    "%s was changed by hand, or made by something else: "
		    "nothing was done. Lines of your own go into the keys "
		    "extra… of the section haproxy in %s; --force overwrites "
		    "it",
		    j->file[i].path, j->ctl->conf_path);
		return false;
	}
	return true;
}

/* HAProxy raises its own limit of descriptors, where it may. */
static bool has_descriptors(const struct job *j)
{
	const rlim_t need = 2 * (rlim_t)j->conf->haproxy.maxconn + 1000;
	struct rlimit was, more;
	bool ok;

	if (getrlimit(RLIMIT_NOFILE, &was) == -1 || was.rlim_max >= need)
		return true;
	more = (struct rlimit){.rlim_cur = was.rlim_cur, .rlim_max = need};
	ok = setrlimit(RLIMIT_NOFILE, &more) == 0;
	(void)setrlimit(RLIMIT_NOFILE, &was);
	if (!ok)
		(void)ctl_fail(j->ctl,
		    "haproxy.maxconn: %u connections need %llu descriptors, "
		    "this host gives at most %llu: expected a lower maxconn or "
		    "a higher limit",
		    (unsigned)j->conf->haproxy.maxconn,
		    (unsigned long long)need, (unsigned long long)was.rlim_max);
	return ok;
}

/* What HAProxy says of the new text. */
static bool is_accepted(const struct job *j)
{
	const char *program = args_text(j->args, "haproxy");
	const char *const argv[] = {program != NULL ? program : "haproxy", "-c",
	    "-f", j->file[0].tried, NULL};
	struct child ran;
	bool ok;

	child_environment(j->conf->haproxy.env_file);
	(void)setenv("PATROUTE_SPOE", j->file[1].tried, 1);
	child_run(argv, &ran);
	ok = ran.status == 0;
	if (ran.said != NULL && (!ok || strstr(ran.said, "WARNING") != NULL))
		(void)fputs(ran.said, stderr);
	if (ran.status == -1)
		(void)ctl_fail(j->ctl,
		    "%s cannot be run: nothing was done, expected HAProxy",
		    argv[0]);
	else if (!ok)
		(void)ctl_fail(
		    j->ctl, "HAProxy refuses the new files: nothing was done");
	child_done(&ran);
	return ok;
}

static bool put(const struct job *j)
{
	char why[LIM_TEXT];

	/* Of a first file its next start is what reads it. */
	if (j->file[0].now != NULL && !place_mark_unread(&j->file[0], why)) {
		(void)ctl_fail(j->ctl, "%s", why);
		return false;
	}
	/* Where HAProxy's own is read, the other must be there. */
	for (int i = 1; i >= 0; i--) {
		if (!j->file[i].is_changed)
			continue;
		if (!place_put(&j->file[i], why)) {
			(void)ctl_fail(j->ctl, "%s", why);
			return false;
		}
	}
	return true;
}

static int reload(struct job *j)
{
	char why[LIM_TEXT];

	switch (hapload(j->conf, why)) {
	case HAPLOAD_DONE:
		place_mark_read(&j->file[0]);
		j->done = "reloaded";
		say(j, "in place, and HAProxy has reloaded");
		return CTL_OK;
	case HAPLOAD_NONE:
		place_mark_read(&j->file[0]);
		j->done = "placed";
		say(j,
		    "in place; HAProxy does not run here yet: it reads them "
		    "at its next start");
		return CTL_OK;
	case HAPLOAD_FAILED:
		break;
	}
	j->done = "not reloaded";
	(void)ctl_fail(j->ctl, "in place, and not reloaded: %s", why);
	return CTL_NO;
}

static int apply(struct job *j)
{
	/* HAProxy serves from another file: a reload would not change that. */
	bool first = j->file[0].now == NULL;

	if (!try_out(j))
		return CTL_FAILED;
	show_changes(j);
	if (is_arg(j->args, "dry-run")) {
		j->done = "differs";
		return CTL_OK;
	}
	j->done = "refused";
	if (!is_free(j) || !is_accepted(j) || !has_descriptors(j) || !put(j))
		return CTL_NO;
	j->done = "placed";
	if (is_arg(j->args, "no-reload")) {
		say(j, "in place; HAProxy reads them at its next reload");
		return CTL_OK;
	}
	if (!first)
		return reload(j);
	say(j,
	    "in place, for the first time: start HAProxy with this file "
	    "(patroute-haproxy-setup; systemctl restart haproxy)");
	return CTL_OK;
}

static void show_json(const struct job *j)
{
	cJSON *o = cJSON_CreateObject();
	cJSON *files = cJSON_AddArrayToObject(o, "files");

	(void)cJSON_AddStringToObject(o, "done", j->done);
	for (unsigned i = 0; i < 2; i++) {
		cJSON *f = cJSON_CreateObject();

		(void)cJSON_AddItemToArray(files, f);
		(void)cJSON_AddStringToObject(f, "file", j->file[i].path);
		(void)cJSON_AddBoolToObject(
		    f, "changed", j->file[i].is_changed);
		(void)cJSON_AddBoolToObject(f, "by_hand", j->file[i].is_edited);
	}
	ctl_print_json(j->ctl, o);
	cJSON_Delete(o);
}

static int print(const struct job *j, const char *which)
{
	bool spoe = strcmp(which, "spoe") == 0;

	if (!spoe && strcmp(which, "haproxy") != 0)
		return ctl_fail(j->ctl,
		    "--print: \"%s\" is not possible, expected haproxy or spoe",
		    which);
	(void)fputs(j->file[spoe ? 1 : 0].next, j->ctl->out.file);
	return CTL_OK;
}

static int work(struct job *j)
{
	const char *which = args_text(j->args, "print");
	int rc = CTL_OK;

	/* What is printed is a function of the configuration alone. */
	if ((which == NULL && !read_files(j)) || !make(j))
		return CTL_FAILED;
	if (which != NULL)
		return print(j, which);
	j->done = "nothing";
	if (compare(j)) {
		rc = apply(j);
	} else if (!is_place_unread(&j->file[0])) {
		say(j, "nothing to change");
	} else if (is_arg(j->args, "dry-run") || is_arg(j->args, "no-reload")) {
		j->done = "unread";
		say(j, "nothing to change, but HAProxy has not read them yet");
	} else {
		rc = reload(j);
	}
	if (j->ctl->json)
		show_json(j);
	return rc;
}

static int run(struct ctl *ctl, const struct args *args)
{
	struct job j = {.ctl = ctl, .args = args, .conf = ctl_conf(ctl)};
	int rc;

	if (j.conf == NULL)
		return CTL_FAILED;
	j.render.conf = j.conf;
	j.render.cluster = calloc(j.conf->cluster_n, sizeof(*j.render.cluster));
	rc = j.render.cluster != NULL ? work(&j)
				      : ctl_fail(ctl, "no memory for it");
	for (unsigned i = 0; i < 2; i++)
		place_done(&j.file[i]);
	if (j.folder[0] != '\0')
		(void)rmdir(j.folder);
	cJSON_Delete(j.topology);
	free(j.render.cluster);
	return rc;
}

const struct command cmd_render = {
    .name = "render",
    .operands = "",
    .text = "HAProxy's files from patroute.conf, checked, replaced, reloaded",
    .more = "Shows what changes, has HAProxy check the new files in a folder "
	    "of their own, puts them in place in one step, and has HAProxy "
	    "reload. Where HAProxy refuses them, nothing was done. The members "
	    "are those of cluster.servers, or else those that the running "
	    "prober knows; a server that the file has and that is no member "
	    "now is kept, for it may only be away, unless --prune is given. A "
	    "file that was changed by hand is not overwritten without --force. "
	    "Without a change nothing is done, but that HAProxy reloads if it "
	    "has not since the last one: HAPROXY-FILE.unread stands beside the "
	    "file until then. The exit status is 1 if the "
	    "files were refused, or HAProxy did not reload.",
    .options = options,
    .run = run,
};
