/*
 * conf_table.c - the key table: sections, keys, bounds, defaults, help.
 *
 * Parsing, the checks' sentences, the example file and the man page's list are
 * all made from these rows.
 */
#include "conf_int.h"

#define AT(type, field) offsetof(type, field), sizeof(((type *)NULL)->field)
#define TOP(field) AT(struct conf, field)
#define CLUSTER(field) AT(struct conf_cluster, field)
#define LISTEN(field) AT(struct conf_listen, field)
#define PROBER(field) AT(struct conf_prober, field)
#define AGENT(field) AT(struct conf_agent, field)
#define HAPROXY(field) AT(struct conf_haproxy, field)
#define VIP(field) AT(struct conf_vip, field)

#define MS 1000LL
#define SEC (1000 * MS)
#define MINUTE (60 * SEC)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
/*
 * The ages have lower bounds by what asks for the evidence: below them one
 * answer that is lost, or only late, would change a verdict. Members are asked
 * each second and have 800 ms for it, as etcd's heartbeat is asked each second
 * and has one; stale_after holds such an age and the agent's own 500 ms.
 */

static const struct conf_word bools[] = {
    {"true", true}, {"false", false}, {NULL, 0}};
static const struct conf_word fallbacks[] = {{"primary", SNAP_FALLBACK_PRIMARY},
    {"none", SNAP_FALLBACK_NONE}, {NULL, 0}};
static const struct conf_word wants[] = {{"primary", INTENT_PRIMARY},
    {"replica", INTENT_REPLICA}, {"sync", INTENT_SYNC}, {"any", INTENT_ANY},
    {NULL, 0}};
static const struct conf_word apis[] = {{"auto", CONF_ETCD_AUTO},
    {"v2", CONF_ETCD_V2}, {"v3", CONF_ETCD_V3}, {NULL, 0}};
static const struct conf_word sslmodes[] = {{"disable", CONF_SSL_DISABLE},
    {"allow", CONF_SSL_ALLOW}, {"prefer", CONF_SSL_PREFER},
    {"require", CONF_SSL_REQUIRE}, {"verify-ca", CONF_SSL_VERIFY_CA},
    {"verify-full", CONF_SSL_VERIFY_FULL}, {NULL, 0}};
static const struct conf_word losses[] = {
    {"classic", CONF_LOSS_CLASSIC}, {"refuse", CONF_LOSS_REFUSE}, {NULL, 0}};
static const struct conf_word checks[] = {
    {"tuned", CONF_CHECKS_TUNED}, {"stock", CONF_CHECKS_STOCK}, {NULL, 0}};
static const struct conf_word reloads[] = {{"socket", CONF_RELOAD_SOCKET},
    {"systemd", CONF_RELOAD_SYSTEMD}, {NULL, 0}};
static const struct conf_word levels[] = {{"warn", LOG_LVL_WARN},
    {"info", LOG_LVL_INFO}, {"debug", LOG_LVL_DEBUG}, {NULL, 0}};

static const struct conf_section sections[] = {
    {"", NULL, "Both programs.", 0},
    {"cluster", "NAME",
	"A Patroni cluster. HAProxy's backends for it are NAME_write, "
	"NAME_read and NAME_fallback.",
	0},
    {"listen", "NAME",
	"What a port of HAProxy stands for. NAME is the name of the bind "
	"line.",
	0},
    {"prober", NULL, "patroute-prober, which judges the clusters.",
	offsetof(struct conf, prober)},
    {"agent", NULL, "patroute-spoa, which answers HAProxy.",
	offsetof(struct conf, agent)},
    {"vip", NULL,
	"The virtual address, where Pacemaker is to keep it: only "
	"pacemaker/setup reads this.",
	offsetof(struct conf, vip)},
    {"haproxy", NULL,
	"HAProxy's files: `patroutectl render` makes them of this section and "
	"of those before, and a change there counts once it was rendered.",
	offsetof(struct conf, haproxy)},
    {NULL, NULL, NULL, 0},
};

const struct conf_section *conf_section_table(void)
{
	return sections;
}

static const struct conf_key keys[] = {
    {"", "user", CONF_WORD, false, false, TOP(user), 0, 0, NULL, "patroute",
	"The user that both programs become once their sockets are open."},
    {"", "group", CONF_WORD, false, false, TOP(group), 0, 0, NULL, "haproxy",
	"The group of their sockets: HAProxy's."},

    {"cluster", "scope", CONF_WORD, false, false, CLUSTER(scope), 0, 0, NULL,
	NULL,
	"Patroni's scope, where it is not the cluster's name. Of a Citus "
	"cluster each group is one of its own: SCOPE/GROUP."},
    {"cluster", "namespace", CONF_NAMESPACE, false, false, CLUSTER(namespace),
	0, 0, NULL, "/service", "Patroni's namespace in the DCS."},
    {"cluster", "etcd", CONF_ENDPOINTS, false, false, CLUSTER(etcd), 1,
	LIM_ENDPOINTS, NULL, NULL,
	"The etcd endpoints that Patroni uses. May be left out where `patroni` "
	"stands."},
    {"cluster", "etcd_api", CONF_ENUM, false, false, CLUSTER(etcd_api), 0, 0,
	apis, "auto",
	"etcd's API that Patroni keeps its keys by: v3 where Patroni has "
	"`etcd3:`, v2 where it has `etcd:`. auto finds out of "
	"each cluster, on each connection."},
    {"cluster", "etcd_ca", CONF_PATH, false, false, CLUSTER(etcd_ca), 0, 0,
	NULL, NULL,
	"Whose certificates etcd's https endpoints must have (PEM); without "
	"it the system's authorities count. Read again on SIGHUP."},
    {"cluster", "etcd_cert", CONF_PATH, false, false, CLUSTER(etcd_cert), 0, 0,
	NULL, NULL,
	"The certificate shown to etcd (PEM), likewise. Where etcd has users "
	"it must have no common name: etcd's gateway refuses one."},
    {"cluster", "etcd_key", CONF_SECRET, false, false, CLUSTER(etcd_key), 0, 0,
	NULL, NULL, "The key of that certificate (PEM)."},
    {"cluster", "etcd_auth", CONF_SECRET, false, false, CLUSTER(etcd_auth), 0,
	0, NULL, NULL,
	"A file with one line USER:PASSWORD: the etcd user that may read these "
	"keys. It goes in cleartext without TLS. Read again on SIGHUP."},
    {"cluster", "patroni", CONF_MEMBERS, false, false, CLUSTER(patroni), 1,
	LIM_MEMBERS, NULL, NULL,
	"Patroni's REST API on some of the members, for clusters whose DCS is "
	"not etcd or is out of reach: the members are those that GET /cluster "
	"names. Without the leader key there is less proof: see "
	"patroute-prober(8)."},
    {"cluster", "rest_ca", CONF_PATH, false, false, CLUSTER(rest_ca), 0, 0,
	NULL, NULL,
	"Who signs the certificates of Patroni's REST APIs (PEM), where it is "
	"not one of the system's. They are always verified."},
    {"cluster", "rest_cert", CONF_PATH, false, false, CLUSTER(rest_cert), 0, 0,
	NULL, NULL, "The certificate that is shown to them (PEM)."},
    {"cluster", "rest_key", CONF_SECRET, false, false, CLUSTER(rest_key), 0, 0,
	NULL, NULL, "The key of that certificate (PEM)."},
    {"cluster", "rest_auth", CONF_SECRET, false, false, CLUSTER(rest_auth), 0,
	0, NULL, NULL,
	"A file with one line USER:PASSWORD that is sent to them, in cleartext "
	"without TLS."},
    {"cluster", "server_map", CONF_MAP, false, false, CLUSTER(map), 0,
	LIM_MEMBERS, NULL, NULL,
	"HAProxy's names of members that Patroni calls otherwise."},
    {"cluster", "probe_user", CONF_WORD, false, false, CLUSTER(probe_user), 0,
	0, NULL, NULL,
	"The role that asks each PostgreSQL for its state; it needs no rights "
	"but CONNECT. Without one Patroni's REST API stands in."},
    {"cluster", "probe_dbname", CONF_WORD, false, false, CLUSTER(probe_dbname),
	0, 0, NULL, "postgres", "The database that it connects to."},
    {"cluster", "probe_passfile", CONF_SECRET, false, false,
	CLUSTER(probe_passfile), 0, 0, NULL, NULL,
	"Its password, in the format of libpq's .pgpass."},
    {"cluster", "probe_address", CONF_PROBE_AT, false, false, CLUSTER(probe_at),
	0, LIM_MEMBERS, NULL, NULL,
	"Where PostgreSQL itself is asked, where a member's conn_url leads to "
	"something else, such as PgBouncer: \":5433\" is that port at every "
	"member, \"node1=:5433\" and \"node1=10.0.0.1:5433\" are for one."},
    {"cluster", "probe_sslmode", CONF_ENUM, false, false,
	CLUSTER(probe_sslmode), 0, 0, sslmodes, "prefer",
	"libpq's sslmode of these connections."},
    {"cluster", "probe_sslrootcert", CONF_PATH, false, false,
	CLUSTER(probe_sslrootcert), 0, 0, NULL, NULL,
	"Who signs the servers' certificates (PEM), for verify-ca and "
	"verify-full."},
    {"cluster", "probe_sslcert", CONF_PATH, false, false,
	CLUSTER(probe_sslcert), 0, 0, NULL, NULL,
	"The certificate that is shown to them (PEM)."},
    {"cluster", "probe_sslkey", CONF_SECRET, false, false,
	CLUSTER(probe_sslkey), 0, 0, NULL, NULL,
	"The key of that certificate (PEM)."},
    {"cluster", "max_age_dcs", CONF_DURATION, false, false,
	CLUSTER(max_age_dcs), 2500 * MS, MINUTE, NULL, "3s",
	"How old the DCS's word may be and still count."},
    {"cluster", "max_age_rest", CONF_DURATION, false, false,
	CLUSTER(max_age_rest), 2 * SEC, MINUTE, NULL, "3s",
	"Likewise for Patroni's REST API. From 3s on a member that answers "
	"by SQL is asked by REST every other second while nothing changes, "
	"below it each second."},
    {"cluster", "max_age_sql", CONF_DURATION, false, false,
	CLUSTER(max_age_sql), 2 * SEC, MINUTE, NULL, "2s",
	"Likewise for PostgreSQL's answers."},
    {"cluster", "fence", CONF_DURATION, false, false, CLUSTER(fence), SEC,
	60 * MINUTE, NULL, "30s",
	"For how long a member that held the leader key and lives on a higher "
	"timeline bars the key's new holder. At least Patroni's ttl."},
    {"cluster", "silence", CONF_DURATION, false, false, CLUSTER(silence),
	2 * SEC, MINUTE, NULL, "2s",
	"Silence of SQL and REST after which a member counts as away."},
    {"cluster", "silence_close", CONF_DURATION, false, false,
	CLUSTER(silence_close), 100 * MS, 60 * MINUTE, NULL, "10s",
	"Silence of the leader after which its sessions are closed."},
    {"cluster", "follow_grace", CONF_DURATION, false, false,
	CLUSTER(follow_grace), 1 * MS, 10 * MINUTE, NULL, "10s",
	"How long replicas have to follow a new leader before streaming and "
	"lag count again."},
    {"cluster", "max_lag", CONF_LAG, false, false, CLUSTER(max_lag), 0, MINUTE,
	NULL, "16MB",
	"How far a replica may lag and be read, in bytes of WAL, in time, or "
	"both. Time is that since the leader stood where the replica stands "
	"now; members are asked once a second, and no finer is it known. A "
	"replica that left comes back at half of the bound."},
    {"cluster", "lag_grace", CONF_DURATION, false, false, CLUSTER(lag_grace), 0,
	MINUTE, NULL, "1s",
	"How long a replica that is read may be beyond max_lag before it "
	"leaves."},
    {"cluster", "slow_start", CONF_DURATION, false, false, CLUSTER(slow_start),
	0, 60 * MINUTE, NULL, "0s",
	"How long the share of reads of a replica that has become fit takes "
	"to grow to its full weight; 0s: it has that at once. The weight is "
	"the member's tag patroute_weight, 0 to 256, or 100; 0: no reads."},
    {"cluster", "read_fallback", CONF_ENUM, false, false,
	CLUSTER(read_fallback), 0, 0, fallbacks, "primary",
	"Where reads go when no replica is left: to the primary after a "
	"quarter of a second; or nowhere, and a read is refused after 2 "
	"seconds (while the leader changes, and for follow_grace after, when "
	"hold_timeout is over)."},
    {"cluster", "observe", CONF_ENUM, false, false, CLUSTER(observe), 0, 0,
	bools, "false",
	"Everything decides and counts, and HAProxy routes the classic way, "
	"until an operator goes live (patroutectl observe off); the "
	"operator's word stands over this one."},
    {"cluster", "read_fallback_max", CONF_NUMBER, false, true,
	CLUSTER(hap.read_fallback_max), 1, 1000000, NULL, "100",
	"How many reads at once the primary serves while no replica is left. "
	"Rendered into HAProxy's file."},
    {"cluster", "servers", CONF_SERVERS, false, true, CLUSTER(hap.server), 0,
	LIM_MEMBERS, NULL, NULL,
	"Where HAProxy finds the members. Without it `patroutectl render` "
	"asks the running prober, and keeps those that are only away. "
	"Patroni's REST API is asked at port 8008 of the same host, unless "
	"its address follows behind a blank."},
    {"cluster", "server_port", CONF_NUMBER, false, true,
	CLUSTER(hap.server_port), 1, 65535, NULL, NULL,
	"The port to which HAProxy sends connections, where it is not the "
	"members' own: that of a PgBouncer beside each PostgreSQL."},
    {"cluster", "send_proxy", CONF_ENUM, false, true, CLUSTER(hap.send_proxy),
	0, 0, bools, "false",
	"Does HAProxy send the PROXY protocol, version 2, to the members? "
	"PostgreSQL does not know it, PgBouncer 1.18 neither."},
    {"cluster", "rest_pem", CONF_PATH, false, true, CLUSTER(hap.rest_pem), 0, 0,
	NULL, NULL,
	"rest_cert and rest_key in one file, as HAProxy wants them where it "
	"asks Patroni itself. HAProxy reads it as root."},
    {"cluster", "extra", CONF_LINES, false, true, CLUSTER(hap.extra), 0,
	LIM_EXTRA, NULL, NULL,
	"Lines for each of this cluster's backends in HAProxy's file."},
    {"cluster", "discover", CONF_ENUM, false, false, CLUSTER(discover), 0, 0,
	bools, "true",
	"Does a member that HAProxy's file does not name become a server of "
	"the running HAProxy? One that leaves is removed again; the file's "
	"own servers stay, and follow a member's address that changes where "
	"they had it."},
    {"cluster", "use_proxy_url", CONF_ENUM, false, false,
	CLUSTER(use_proxy_url), 0, 0, bools, "false",
	"Is such a server at the member's proxy_url, where it has one, rather "
	"than at its conn_url? server_port goes before either's port."},
    {"cluster", "leave_timeout", CONF_DURATION, false, false,
	CLUSTER(leave_timeout), 0, DAY, NULL, "10min",
	"How long the sessions of a server that is being removed may go on."},
    {"cluster", "lag_kill", CONF_DURATION, false, false, CLUSTER(lag_kill), 0,
	DAY, NULL, "0s",
	"A replica that has been over max_lag for so long loses its sessions, "
	"a few at a time; 0s: never."},
    {"cluster", "fallback_max_age", CONF_DURATION, false, false,
	CLUSTER(fallback_max_age), 0, DAY, NULL, "0s",
	"Reads that read_fallback put on the primary lose their session at "
	"this age once a replica is fit again, a few at a time, so that "
	"they go back; 0s: never."},

    {"listen", "port", CONF_NUMBER, true, true, LISTEN(port), 1, 65535, NULL,
	NULL, "The port of the bind line."},
    {"listen", "cluster", CONF_CLUSTER, false, true, LISTEN(cluster), 0, 0,
	NULL, NULL, "Which cluster; may be left out where there is one."},
    {"listen", "target", CONF_ENUM, true, true, LISTEN(target), 0, 0, wants,
	NULL, "What a connection to this port gets."},
    {"listen", "startup_options", CONF_ENUM, false, true,
	LISTEN(startup_options), 0, 0, bools, "false",
	"May a client choose otherwise by patroute.* options, application_name "
	"or server name?"},
    {"listen", "max_lag", CONF_LAG, false, true, LISTEN(max_lag), 0, MINUTE,
	NULL, NULL, "A closer bound than the cluster's."},
    {"listen", "fallback", CONF_ENUM, false, true, LISTEN(fallback), 0, 0,
	fallbacks, NULL, "Other than the cluster's read_fallback."},
    {"listen", "hold_timeout", CONF_DURATION, false, true, LISTEN(hold_timeout),
	100 * MS, 10 * MINUTE, NULL, NULL, "Other than the agent's."},
    {"listen", "hold_max", CONF_NUMBER, false, true, LISTEN(hold_max), 0,
	LIM_HELD, NULL, NULL,
	"How many may wait at once at this port, other than the agent's; "
	"together never more than the agent's."},
    {"listen", "bind", CONF_BINDS, false, true, LISTEN(hap.bind), 1, LIM_BINDS,
	NULL, NULL, "Other addresses than the section haproxy's."},
    {"listen", "maxconn", CONF_NUMBER, false, true, LISTEN(hap.maxconn), 1,
	1000000, NULL, NULL,
	"How many connections this port takes at once. Without it an equal "
	"share of what haproxy.maxconn leaves, so that no port takes "
	"another's places."},
    {"listen", "least_conn", CONF_ENUM, false, true, LISTEN(hap.least_conn), 0,
	0, bools, "false",
	"Reads go to the replica with the fewest connections, which HAProxy "
	"counts, and not in turns. For a target = replica without max_lag "
	"and startup_options of its own."},
    {"listen", "extra", CONF_LINE, false, true, LISTEN(hap.extra), 0, 0, NULL,
	NULL, "Words behind the bind line, such as accept-proxy."},

    {"prober", "feed_socket", CONF_PATH, false, false, PROBER(feed_socket), 0,
	0, NULL, "/run/patroute/feed.sock", "Where agents hear the verdicts."},
    {"prober", "http_socket", CONF_PATH, false, false, PROBER(http_socket), 0,
	0, NULL, "/run/patroute/http.sock", "Where local tools ask, by HTTP."},
    {"prober", "http_address", CONF_ADDRESS, false, false, PROBER(http_address),
	0, 0, NULL, "127.0.0.1", "Where HAProxy's checks ask."},
    {"prober", "http_port", CONF_NUMBER, false, false, PROBER(http_port), 1,
	65535, NULL, "7100", "The port beside it."},
    {"prober", "haproxy_socket", CONF_SOCKETS, false, false,
	PROBER(haproxy_socket), 0, LIM_HAPROXIES, NULL,
	"/run/haproxy/admin.sock",
	"HAProxy's Runtime API (stats socket, level admin); of each HAProxy, "
	"where this host has more than one."},
    {"prober", "haproxy_master_socket", CONF_SOCKETS, false, false,
	PROBER(haproxy_master_socket), 0, LIM_HAPROXIES, NULL,
	"/run/haproxy-master.sock",
	"HAProxy's master socket, likewise: it reaches old processes too."},
    {"prober", "state_dir", CONF_PATH, false, false, PROBER(state_dir), 0, 0,
	NULL, "/var/lib/patroute",
	"A folder of the user's: orders of this host alone outlive a restart."},
    {"prober", "log_level", CONF_ENUM, false, true, PROBER(log_level), 0, 0,
	levels, "info", "How much is logged."},

    {"agent", "listen", CONF_LISTENS, false, false, AGENT(listen), 0,
	LIM_AGENT_LISTEN, NULL, "unix:/run/patroute/agent.sock",
	"Where HAProxy's SPOE filter connects."},
    {"agent", "plain_tcp_off_loopback", CONF_ENUM, false, false,
	AGENT(plain_tcp_off_loopback), 0, 0, bools, "false",
	"Let HAProxy come from other hosts in cleartext, which anybody on the "
	"way can read and change."},
    {"agent", "tls_cert", CONF_PATH, false, true, AGENT(tls_cert), 0, 0, NULL,
	NULL, "The certificate that tls: listeners show, its chain behind it."},
    {"agent", "tls_key", CONF_PATH, false, true, AGENT(tls_key), 0, 0, NULL,
	NULL,
	"Its key, in a file that others may not read; the user whom the "
	"agent becomes must be able to."},
    {"agent", "tls_ca", CONF_PATH, false, true, AGENT(tls_ca), 0, 0, NULL, NULL,
	"Who signs the certificates that HAProxy has to show there. Every one "
	"of them is let in: let it be a CA for this alone."},
    {"agent", "desk_socket", CONF_PATH, false, false, AGENT(desk_socket), 0, 0,
	NULL, "/run/patroute/desk.sock",
	"Where refused clients get their sentence."},
    {"agent", "stale_after", CONF_DURATION, false, true, AGENT(stale_after),
	3 * SEC, MINUTE, NULL, "4s",
	"How old a verdict may be, its evidence's age included."},
    {"agent", "hold_timeout", CONF_DURATION, false, true, AGENT(hold_timeout),
	100 * MS, 10 * MINUTE, NULL, "10s",
	"How long a connection waits for a leader. Below what HAProxy waits: "
	"the hold engine's `timeout processing` and its agent's `timeout "
	"idle`, the frontend's `inspect-delay`."},
    {"agent", "early_hold", CONF_DURATION, false, false, AGENT(early_hold), 0,
	MINUTE, NULL, "2s",
	"How long at most connections wait because a switchover was asked for, "
	"while the old leader still works. The prober reads it."},
    {"agent", "hold_max", CONF_NUMBER, false, true, AGENT(hold_max), 0,
	LIM_HELD, NULL, "1000", "How many may wait at once."},
    {"agent", "hold_release_rate", CONF_NUMBER, false, true,
	AGENT(hold_release_rate), 1, 1000000, NULL, "500",
	"How many of them a second are let go once there is a leader."},
    {"agent", "min_lsn_wait", CONF_DURATION, false, true, AGENT(min_lsn_wait),
	0, MINUTE, NULL, "200ms",
	"How long a read that names a min_lsn waits for a replica to have "
	"replayed it; then the primary serves it. Below the hold engine's "
	"`timeout processing` in HAProxy."},
    {"agent", "log_level", CONF_ENUM, false, true, AGENT(log_level), 0, 0,
	levels, "info", "How much is logged."},

    {"vip", "address", CONF_CIDR, false, false, VIP(address), 0, 0, NULL,
	"none",
	"The address with its network's prefix, such as 192.168.34.85/24; none "
	"where something else brings clients to a host, as in a cloud."},
    {"vip", "nic", CONF_LABEL, false, false, VIP(nic), 0, 0, NULL, NULL,
	"The network interface that it is on, the same on each host. It has to "
	"be said: found by the route, it is not found while the link is down, "
	"and the address stays on two hosts."},
    {"vip", "hosts", CONF_HOSTS, false, false, VIP(host), 0, LIM_HOSTS, NULL,
	NULL,
	"The load balancers, by the names that the cluster has for them; "
	"without it all of the cluster's."},

    {"haproxy", "file", CONF_PATH, false, true, HAPROXY(file), 0, 0, NULL,
	"/etc/haproxy/patroute.cfg", "HAProxy's configuration."},
    {"haproxy", "spoe_file", CONF_PATH, false, true, HAPROXY(spoe_file), 0, 0,
	NULL, "/etc/haproxy/patroute-spoe.cfg",
	"How it asks the agent, beside it."},
    {"haproxy", "env_file", CONF_PATH, false, true, HAPROXY(env_file), 0, 0,
	NULL, "/etc/patroute/haproxy.env",
	"What the service reads its environment from: the stats page's "
	"password, PATROUTE_STATS_PASSWORD."},
    {"haproxy", "user", CONF_WORD, false, true, HAPROXY(user), 0, 0, NULL,
	"haproxy", "The user that HAProxy becomes. Its group is `group`."},
    {"haproxy", "log", CONF_WORD, false, true, HAPROXY(log), 0, 0, NULL,
	"/dev/log", "Where it logs: a socket's path, stdout, ADDRESS:PORT."},
    {"haproxy", "bind", CONF_BINDS, false, true, HAPROXY(bind), 1, LIM_BINDS,
	NULL, "*",
	"Addresses on which it listens. One that this host does not have now, "
	"a virtual IP, is bound all the same."},
    {"haproxy", "maxconn", CONF_NUMBER, false, true, HAPROXY(maxconn), 100,
	1000000, NULL, "8000",
	"How many connections it takes at once, on all ports; two descriptors "
	"each."},
    {"haproxy", "stats_port", CONF_NUMBER, false, true, HAPROXY(stats_port), 1,
	65535, NULL, "7000", "The port of its stats page and of /topology."},
    {"haproxy", "stats_bind", CONF_BINDS, false, true, HAPROXY(stats_bind), 1,
	LIM_BINDS, NULL, NULL, "Other addresses for it than `bind`."},
    {"haproxy", "stats_user", CONF_LABEL, false, true, HAPROXY(stats_user), 0,
	0, NULL, "admin", "Who may see it."},
    {"haproxy", "stats_maxconn", CONF_NUMBER, false, true,
	HAPROXY(stats_maxconn), 10, 100000, NULL, "200",
	"How many connections it takes."},
    {"haproxy", "stats_cert", CONF_PATH, false, true, HAPROXY(stats_cert), 0, 0,
	NULL, NULL,
	"A certificate with its key in one file: the page is served by TLS."},
    {"haproxy", "connect_timeout", CONF_DURATION, false, true,
	HAPROXY(connect_timeout), 100 * MS, MINUTE, NULL, "2s",
	"How long a connection to a member may take."},
    {"haproxy", "queue_timeout", CONF_DURATION, false, true,
	HAPROXY(queue_timeout), 100 * MS, 10 * MINUTE, NULL, "5s",
	"How long a read waits for one of read_fallback_max places."},
    {"haproxy", "idle_timeout", CONF_DURATION, false, true,
	HAPROXY(idle_timeout), MINUTE, 24 * DAY, NULL, "24h",
	"How long a session may be silent: longer than pools keep idle "
	"connections and than the longest query. Who is gone is found by "
	"keepalives."},
    {"haproxy", "keepalive_idle", CONF_DURATION, false, true,
	HAPROXY(keepalive_idle), SEC, 60 * MINUTE, NULL, "60s",
	"After so long a silence TCP asks whether the peer is still there, "
	"both ways,"},
    {"haproxy", "keepalive_interval", CONF_DURATION, false, true,
	HAPROXY(keepalive_interval), SEC, 10 * MINUTE, NULL, "10s",
	"again after this,"},
    {"haproxy", "keepalive_count", CONF_NUMBER, false, true,
	HAPROXY(keepalive_count), 1, 100, NULL, "3",
	"and after so many without an answer the session is closed."},
    {"haproxy", "on_prober_loss", CONF_ENUM, false, true,
	HAPROXY(on_prober_loss), 0, 0, losses, "classic",
	"Without agent and prober HAProxy asks Patroni itself (classic), or "
	"refuses connections."},
    {"haproxy", "classic_checks", CONF_ENUM, false, true,
	HAPROXY(classic_checks), 0, 0, checks, "tuned",
	"The timings of that way's checks, and of observe's: each second with "
	"fall 2 and rise 1, or the tutorials' every 3 seconds, fall 3 and "
	"rise 2."},
    {"haproxy", "reload", CONF_ENUM, false, true, HAPROXY(reload), 0, 0,
	reloads, "socket",
	"How `render` has HAProxy read its files: by its master socket "
	"(under Pacemaker, too), or `systemctl reload haproxy`."},
    {"haproxy", "extra_global", CONF_LINES, false, true, HAPROXY(extra_global),
	0, LIM_EXTRA, NULL, NULL, "Lines for its section global."},
    {"haproxy", "extra_defaults", CONF_LINES, false, true,
	HAPROXY(extra_defaults), 0, LIM_EXTRA, NULL, NULL,
	"Lines for the defaults of all PostgreSQL connections."},
    {"haproxy", "extra_frontend", CONF_LINES, false, true,
	HAPROXY(extra_frontend), 0, LIM_EXTRA, NULL, NULL,
	"Lines for the frontend that the listeners are in, before its rules."},
    {"haproxy", "extra_stats", CONF_LINES, false, true, HAPROXY(extra_stats), 0,
	LIM_EXTRA, NULL, NULL, "Lines for the stats page's frontend."},
    {"haproxy", "extra", CONF_LINES, false, true, HAPROXY(extra), 0, LIM_EXTRA,
	NULL, NULL,
	"Lines at the end of the file: sections of its own. Longer ones are "
	"better in a file of their own, which HAProxy reads beside this one "
	"(-f)."},

    {.section = NULL},
};

const struct conf_key *conf_key_table(void)
{
	return keys;
}

/* The classic lay-out: three members, three etcd, three ports. */
static const struct conf_example examples[] = {
    {"cluster", "main", "etcd",
	"{ \"http://192.168.34.137:2379\", \"http://192.168.34.138:2379\",\n"
	"\t         \"http://192.168.34.139:2379\" }"},
    {"cluster", "main", "server_map",
	"{ \"node1=dc1-psql-node1\", \"node2=dc1-psql-node2\",\n"
	"\t               \"node3=dc1-psql-node3\" }"},
    {"listen", "write", "port", "5000"},
    {"listen", "write", "cluster", "main"},
    {"listen", "write", "target", "primary"},
    {"listen", "read", "port", "5001"},
    {"listen", "read", "cluster", "main"},
    {"listen", "read", "target", "replica"},
    {"listen", "mixed", "port", "5002"},
    {"listen", "mixed", "cluster", "main"},
    {"listen", "mixed", "target", "replica"},
    {"listen", "mixed", "startup_options", "true"},
    {NULL, NULL, NULL, NULL},
};

const struct conf_example *conf_example_table(void)
{
	return examples;
}
