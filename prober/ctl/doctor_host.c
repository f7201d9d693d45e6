/*
 * doctor_host.c - this host: who owns the sockets, who answers on the ports,
 * when certificates end; see doctor.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <openssl/pem.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "doctor.h"
#include "mono.h"
#include "sock.h"

#define DIAL_MS 1000

/* A program that was killed leaves its socket's file behind. */
static bool is_deserted(const char *path)
{
	static const int type[] = {SOCK_STREAM, SOCK_SEQPACKET};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int why = 0;

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	for (size_t i = 0; i < 2 && (i == 0 || why == EPROTOTYPE); i++) {
		int fd =
		    socket(AF_UNIX, type[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		why = 0;
		if (fd == -1)
			break;
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
			why = errno;
		(void)close(fd);
	}
	return why == ECONNREFUSED;
}

static void socket_file(struct doctor *d, const struct conf *conf,
    const char *key, const char *path)
{
	const struct group *gr;
	struct stat st;

	if (stat(path, &st) == -1) {
		doctor_say(d, DOCTOR_BAD, "start the program that makes it",
		    "%s %s: %s", key, path, strerror(errno));
		return;
	}
	gr = getgrgid(st.st_gid);
	if (!S_ISSOCK(st.st_mode))
		doctor_say(d, DOCTOR_BAD, "remove the file",
		    "%s %s is no socket", key, path);
	else if (is_deserted(path))
		doctor_say(d, DOCTOR_BAD, "start the program that makes it",
		    "%s %s is there, and nobody listens", key, path);
	else if ((st.st_mode & 0007) != 0)
		doctor_say(d, DOCTOR_WARN, "chmod 660, and see who made it",
		    "%s %s is open to everybody on this host", key, path);
	else if (gr == NULL || strcmp(gr->gr_name, conf->group) != 0)
		doctor_say(d, DOCTOR_WARN,
		    "HAProxy must be able to open it: see `group` in the "
		    "configuration, and the program's user",
		    "%s %s belongs to group %s, not to %s", key, path,
		    gr != NULL ? gr->gr_name : "?", conf->group);
	else
		doctor_say(d, DOCTOR_OK, NULL, "%s %s is there, group %s", key,
		    path, conf->group);
}

/* HAProxy's own: the prober's user opens it by its group. */
static void haproxy_socket(
    struct doctor *d, const struct conf *conf, const char *path)
{
	const struct group *gr;
	struct stat st;

	if (stat(path, &st) == -1)
		return; /* said with HAProxy */
	gr = getgrgid(st.st_gid);
	if (gr != NULL && strcmp(gr->gr_name, conf->group) == 0 &&
	    (st.st_mode & 0060) == 0060)
		doctor_say(d, DOCTOR_OK, NULL, "group %s may open %s",
		    conf->group, path);
	else
		doctor_say(d, DOCTOR_BAD,
		    "`mode 660 group haproxy` on HAProxy's stats socket and "
		    "behind -S",
		    "%s belongs to group %s, mode %o: the prober's group %s "
		    "cannot open it",
		    path, gr != NULL ? gr->gr_name : "?",
		    (unsigned)(st.st_mode & 0777), conf->group);
}

static void sockets(struct doctor *d, const struct conf *conf)
{
	socket_file(d, conf, "prober.feed_socket", conf->prober.feed_socket);
	socket_file(d, conf, "prober.http_socket", conf->prober.http_socket);
	for (uint8_t i = 0; i < conf->agent.listen_n; i++)
		if (conf->agent.listen[i].is_unix)
			socket_file(d, conf, "agent.listen",
			    conf->agent.listen[i].path);
	socket_file(d, conf, "agent.desk_socket", conf->agent.desk_socket);
	for (uint8_t i = 0; i < conf->prober.haproxy_socket.n; i++)
		haproxy_socket(d, conf, conf->prober.haproxy_socket.path[i]);
	for (uint8_t i = 0; i < conf->prober.haproxy_master_socket.n; i++)
		haproxy_socket(
		    d, conf, conf->prober.haproxy_master_socket.path[i]);
}

/* Does somebody listen on this port of this host? */
static bool is_open(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = sock_dial(
	    (const struct sockaddr *)&to, sizeof(to), dur_ms(DIAL_MS));

	if (fd == -1)
		return false;
	(void)close(fd);
	return true;
}

static const struct conf_binds *binds_of(
    const struct conf *conf, const struct conf_listen *l)
{
	return l->hap.bind.n > 0 ? &l->hap.bind : &conf->haproxy.bind;
}

static bool is_everywhere(const struct conf_binds *b)
{
	for (uint8_t i = 0; i < b->n; i++)
		if (strcmp(b->addr[i], "*") == 0 ||
		    strcmp(b->addr[i], "0.0.0.0") == 0)
			return true;
	return false;
}

static void ports(struct doctor *d, const struct conf *conf)
{
	for (uint16_t i = 0; i < conf->listen_n; i++) {
		const struct conf_listen *l = &conf->listen[i];

		/* On an address of its own loopback says nothing. */
		if (!is_everywhere(binds_of(conf, l)))
			doctor_say(d, DOCTOR_OK, NULL,
			    "listener %s, port %u, is bound to %s", l->name,
			    (unsigned)l->port, binds_of(conf, l)->addr[0]);
		else if (is_open(l->port))
			doctor_say(d, DOCTOR_OK, NULL,
			    "port %u (listener %s) is open on every address "
			    "of this host",
			    (unsigned)l->port, l->name);
		else
			doctor_say(d, DOCTOR_BAD,
			    "HAProxy must run with the file that `patroutectl "
			    "render` makes",
			    "nobody listens on port %u (listener %s)",
			    (unsigned)l->port, l->name);
	}
}

static void cert_file(struct doctor *d, const char *key, const char *path)
{
	FILE *f;
	X509 *cert = NULL;
	int days = 0, seconds = 0;

	if (path[0] == '\0')
		return;
	f = fopen(path, "re");
	if (f != NULL) {
		cert = PEM_read_X509(f, NULL, NULL, NULL);
		(void)fclose(f);
	}
	if (cert == NULL ||
	    ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) !=
		1)
		doctor_say(d, DOCTOR_WARN,
		    "expected a certificate in PEM that this user may read",
		    "%s %s could not be read", key, path);
	else
		doctor_say(d,
		    days < 7        ? DOCTOR_BAD
			: days < 30 ? DOCTOR_WARN
				    : DOCTOR_OK,
		    days < 30 ? "renew it" : NULL, "%s %s ends in %d days", key,
		    path, days);
	X509_free(cert);
}

static void certs(struct doctor *d, const struct conf *conf)
{
	for (uint16_t i = 0; i < conf->cluster_n; i++) {
		const struct conf_cluster *c = &conf->cluster[i];

		d->cluster = c->name;
		cert_file(d, "etcd_ca", c->etcd_ca);
		cert_file(d, "etcd_cert", c->etcd_cert);
		cert_file(d, "rest_ca", c->rest_ca);
		cert_file(d, "rest_cert", c->rest_cert);
		cert_file(d, "probe_sslrootcert", c->probe_sslrootcert);
		cert_file(d, "probe_sslcert", c->probe_sslcert);
	}
	d->cluster = NULL;
	cert_file(d, "agent.tls_ca", conf->agent.tls_ca);
	cert_file(d, "agent.tls_cert", conf->agent.tls_cert);
	cert_file(d, "haproxy.stats_cert", conf->haproxy.stats_cert);
}

void doctor_host(struct doctor *d, const struct conf *conf)
{
	d->cluster = NULL;
	d->area = "sockets";
	sockets(d, conf);
	d->area = "ports";
	ports(d, conf);
	d->area = "tls";
	certs(d, conf);
}
