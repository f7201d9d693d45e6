/*
 * doctor_hap.c - HAProxy and its files, judged by what was found out; see
 * doctor.h. Pure.
 */
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "render.h"
#include "text.h"

#define HAPROXY_OLDEST 20600

static void running(
    struct doctor *d, const struct conf *conf, const struct doctor_haproxy *h)
{
	int version = doctor_version(h->version);

	if (!h->reachable) {
		doctor_say(d, DOCTOR_BAD,
		    "start it, with `stats socket … mode 660 group haproxy "
		    "level admin`",
		    "%s: %s", conf->prober.haproxy_socket.path[0], h->why);
		return;
	}
	if (version != 0 && version < HAPROXY_OLDEST)
		doctor_say(d, DOCTOR_BAD,
		    "2.6 is the oldest that "
		    "does what is asked of it",
		    "HAProxy %s runs", h->version);
	else
		doctor_say(d, DOCTOR_OK, NULL,
		    "HAProxy %s answers on its socket", h->version);
	if (h->master)
		doctor_say(d, DOCTOR_OK, NULL, "its master socket answers");
	else
		doctor_say(d, DOCTOR_WARN,
		    "start it with -W -S /run/haproxy-master.sock,mode,660,"
		    "group,haproxy: without it sessions that a reload left "
		    "behind cannot be closed",
		    "%s does not answer",
		    conf->prober.haproxy_master_socket.path[0]);
	if (h->files > 0 && h->maxconn > 0 && h->files < 2 * h->maxconn)
		doctor_say(d, DOCTOR_BAD,
		    "raise LimitNOFILE of the service, or lower maxconn",
		    "its limit of %lld descriptors is below two for each of "
		    "%lld connections",
		    (long long)h->files, (long long)h->maxconn);
}

struct limit {
	const char *name;
	int64_t us;
};

/* Each must be longer than the one before. */
static void ladder(struct doctor *d, const struct limit *l, unsigned n)
{
	bool good = true;

	for (unsigned i = 0; i + 1 < n; i++) {
		char a[TEXT_DUR], b[TEXT_DUR];

		if (l[i + 1].us == -1 || l[i].us < l[i + 1].us)
			continue;
		good = false;
		doctor_say(d, DOCTOR_BAD,
		    "`patroutectl render` makes files whose timeouts fit, or "
		    "lengthen it by hand",
		    "%s (%s) is not longer than %s (%s): holds would be cut "
		    "short, and then balanced on a guess",
		    l[i + 1].name, text_dur((double)l[i + 1].us / 1000, a),
		    l[i].name, text_dur((double)l[i].us / 1000, b));
	}
	if (good)
		doctor_say(d, DOCTOR_OK, NULL,
		    "HAProxy's timeouts are longer than the longest hold");
}

static void timeouts(
    struct doctor *d, const struct conf *conf, const struct doctor_haproxy *h)
{
	const int64_t hold = render_longest_hold(conf).us;
	const struct limit all[] = {{"hold_timeout", hold},
	    {"the hold engine's timeout processing", h->spoe.hold_processing},
	    {"the frontend's inspect-delay", h->file.inspect_delay},
	    {"timeout client", h->file.client_timeout}};
	const struct limit idle[] = {{"hold_timeout", hold},
	    {"the hold engine's timeout idle", h->spoe.hold_idle}};
	const struct limit server[] = {{"hold_timeout", hold},
	    {"backend agent's timeout server", h->file.agent_server}};

	if (!h->has_file || !h->has_spoe) {
		doctor_say(d, DOCTOR_WARN,
		    "run this as a user who may read them, or set "
		    "haproxy.file and haproxy.spoe_file",
		    "%s could not be read: its timeouts are not compared "
		    "with the holds",
		    h->has_file ? h->spoe_path : h->path);
		return;
	}
	ladder(d, all, 4);
	ladder(d, idle, 2);
	ladder(d, server, 2);
	if (h->spoe.route_processing > 1000000)
		doctor_say(d, DOCTOR_WARN, "100ms is what is tried",
		    "the route engine's timeout processing is long: each "
		    "connection pays it while an agent hangs");
}

static void files(struct doctor *d, const struct doctor_haproxy *h)
{
	int64_t sum = 0;
	bool open_end = false;

	if (!h->has_file)
		return;
	for (unsigned i = 0; i < h->file.bind_n; i++) {
		sum +=
		    h->file.bind[i].maxconn > 0 ? h->file.bind[i].maxconn : 0;
		open_end = open_end || h->file.bind[i].maxconn <= 0;
	}
	if (h->file.maxconn > 0 && sum > h->file.maxconn)
		doctor_say(d, DOCTOR_WARN,
		    "raise global maxconn, or lower the binds'",
		    "the binds' maxconn are %lld together, above the global "
		    "%lld: held writers could take the readers' places",
		    (long long)sum, (long long)h->file.maxconn);
	else if (open_end && h->file.bind_n > 0)
		doctor_say(d, DOCTOR_WARN, "give each bind a maxconn",
		    "a bind has no maxconn: held writers could take the "
		    "readers' places");
	if (h->file.redispatch)
		doctor_say(d, DOCTOR_BAD, "remove it",
		    "`option redispatch` makes a refused write one on "
		    "another server");
	if (h->file.hard_stop)
		doctor_say(d, DOCTOR_WARN, "remove it",
		    "`hard-stop-after` cuts sessions after each reload");
	if (h->file.chroot)
		doctor_say(d, DOCTOR_WARN,
		    "remove it, or put the sockets inside",
		    "`chroot` hides the agent's sockets");
}

void doctor_haproxies(
    struct doctor *d, const struct conf *conf, const struct doctor_haproxy *h)
{
	d->area = "haproxy";
	running(d, conf, h);
	files(d, h);
	d->area = "timeouts";
	timeouts(d, conf, h);
}

/* How many connections HAProxy may open to one member, by this cluster's
   binds; -1: any number. */
static int64_t may_open(
    const struct doctor_cluster *c, const struct doctor_haproxy *h, bool writes)
{
	int64_t sum = 0;

	for (uint16_t i = 0; i < c->conf->listen_n; i++) {
		const struct conf_listen *l = &c->conf->listen[i];

		if (&c->conf->cluster[l->cluster] != c->own ||
		    (l->target == INTENT_PRIMARY) != writes)
			continue;
		for (unsigned b = 0; b < h->file.bind_n; b++) {
			if (strcmp(h->file.bind[b].name, l->name) != 0)
				continue;
			if (h->file.bind[b].maxconn <= 0)
				return -1;
			sum += h->file.bind[b].maxconn;
		}
	}
	return sum;
}

void doctor_maxconn(struct doctor *d, const struct doctor_cluster *c,
    const struct doctor_haproxy *h)
{
	int64_t writes = may_open(c, h, true);
	bool said = false;

	d->area = "maxconn";
	for (unsigned i = 0; i < c->n && h->has_file; i++) {
		const struct doctor_member *m = &c->m[i];
		int room = m->max_connections - m->reserved;

		if (m->max_connections <= 0 || !m->leader)
			continue;
		said = true;
		if (writes < 0 || writes > room)
			doctor_say(d, DOCTOR_WARN,
			    "lower the bind's maxconn (each load balancer has "
			    "one of its own), raise max_connections, or put "
			    "PgBouncer in between",
			    "the write port takes up to %lld connections, %s "
			    "has room for %d (max_connections %d, %d "
			    "reserved): the rest would be refused by "
			    "PostgreSQL",
			    (long long)writes, m->name, room,
			    m->max_connections, m->reserved);
		else
			doctor_say(d, DOCTOR_OK, NULL,
			    "the write port takes up to %lld connections, %s "
			    "has room for %d",
			    (long long)writes, m->name, room);
	}
	if (!said)
		doctor_say(d, DOCTOR_WARN,
		    "the probe's role must get in, and haproxy.file be "
		    "readable",
		    "maxconn could not be compared with max_connections");
}
