/*
 * captured.c - see captured.h. Rewritten by hand only together with a new
 * capture.
 */
#include "captured.h"

/* GET /patroni of the leader */
const char rest_primary[] =
    "{\"state\": \"running\", \"postmaster_start_time\": \"2026-11-21 10:"
    "22:00.711656+00:00\", \"role\": \"master\", \"server_version\": 1500"
    "20, \"xlog\": {\"location\": 83886176}, \"timeline\": 1, \"replicati"
    "on\": [{\"usename\": \"replicator\", \"application_name\": \"node2\""
    ", \"client_addr\": \"192.168.34.136\", \"state\": \"streaming\", \"s"
    "ync_state\": \"async\", \"sync_priority\": 0}, {\"usename\": \"repli"
    "cator\", \"application_name\": \"node3\", \"client_addr\": \"192.168"
    ".34.113\", \"state\": \"streaming\", \"sync_state\": \"async\", \"sy"
    "nc_priority\": 0}], \"dcs_last_seen\": 1795256546, \"database_system"
    "_identifier\": \"7710567984388780083\", \"patroni\": {\"version\": "
    "\"3.0.2\", \"scope\": \"main\"}}";

/* GET /patroni of a replica */
const char rest_replica[] =
    "{\"state\": \"running\", \"postmaster_start_time\": \"2026-11-21 10:"
    "22:04.882976+00:00\", \"role\": \"replica\", \"server_version\": 150"
    "020, \"xlog\": {\"received_location\": 83886176, \"replayed_location"
    "\": 83886176, \"replayed_timestamp\": null, \"paused\": false}, \"ti"
    "meline\": 1, \"dcs_last_seen\": 1795256546, \"database_system_identi"
    "fier\": \"7710567984388780083\", \"patroni\": {\"version\": \"3.0.2"
    "\", \"scope\": \"main\"}}";

/* the old leader, a switchover under way */
const char rest_stopping[] =
    "{\"state\": \"stopping\", \"role\": \"master\", \"dcs_last_seen\": 1"
    "795256554, \"database_system_identifier\": \"7710567984388780083\", "
    "\"patroni\": {\"version\": \"3.0.2\", \"scope\": \"main\"}}";

/* the same, a moment later */
const char rest_demoted[] =
    "{\"state\": \"stopped\", \"role\": \"demoted\", \"cluster_unlocked\""
    ": true, \"dcs_last_seen\": 1795256555, \"database_system_identifier"
    "\": \"7710567984388780083\", \"patroni\": {\"version\": \"3.0.2\", "
    "\"scope\": \"main\"}}";

/* a replica while nobody holds the key */
const char rest_unlocked[] =
    "{\"state\": \"running\", \"postmaster_start_time\": \"2026-11-21 10:"
    "22:04.882976+00:00\", \"role\": \"replica\", \"server_version\": 150"
    "020, \"xlog\": {\"received_location\": 83886472, \"replayed_location"
    "\": 83886472, \"replayed_timestamp\": null, \"paused\": false}, \"ti"
    "meline\": 1, \"cluster_unlocked\": true, \"dcs_last_seen\": 17952565"
    "55, \"database_system_identifier\": \"7710567984388780083\", \"patro"
    "ni\": {\"version\": \"3.0.2\", \"scope\": \"main\"}}";

/* all keys of a cluster of three */
const char etcd_range[] =
    "{\"header\":{\"cluster_id\":\"724648072762990725\",\"member_id\":\"7"
    "631977784731035459\",\"revision\":\"38\",\"raft_term\":\"2\"},\"kvs"
    "\":[{\"key\":\"L3NlcnZpY2UvbWFpbi9jb25maWc=\",\"create_revision\":\""
    "13\",\"mod_revision\":\"32\",\"version\":\"2\",\"value\":\"eyJ0dGwiO"
    "jMwLCJsb29wX3dhaXQiOjEwLCJyZXRyeV90aW1lb3V0IjoxMCwibWF4aW11bV9sYWdfb"
    "25fZmFpbG92ZXIiOjEwNDg1NzYsInN5bmNocm9ub3VzX21vZGUiOmZhbHNlLCJmYWlsc"
    "2FmZV9tb2RlIjpmYWxzZSwicG9zdGdyZXNxbCI6eyJ1c2VfcGdfcmV3aW5kIjp0cnVlL"
    "CJ1c2Vfc2xvdHMiOnRydWUsInBhcmFtZXRlcnMiOnsiZnN5bmMiOiJvZmYiLCJwYXNzd"
    "29yZF9lbmNyeXB0aW9uIjoibWQ1IiwibWF4X2Nvbm5lY3Rpb25zIjoiMzAwIiwibWF4X"
    "3dhbF9zZW5kZXJzIjoiMTAiLCJtYXhfcmVwbGljYXRpb25fc2xvdHMiOiIxMCIsIndhb"
    "F9rZWVwX3NpemUiOiIxMjhNQiIsInNoYXJlZF9idWZmZXJzIjoiMzJNQiIsImxvZ2dpb"
    "mdfY29sbGVjdG9yIjoib24iLCJsb2dfZGlyZWN0b3J5IjoiL3Zhci9sb2cvcG9zdGdyZ"
    "XNxbCIsImxvZ19maWxlbmFtZSI6InBvc3RncmVzcWwubG9nIiwibG9nX2xpbmVfcHJlZ"
    "ml4IjoiJW0gWyVwXSAlcSV1QCVkICVoICIsInVuaXhfc29ja2V0X2RpcmVjdG9yaWVzI"
    "joiL3J1bi9wb3N0Z3Jlc3FsIiwiaml0Ijoib2ZmIn19fQ==\"},{\"key\":\"L3Nlcn"
    "ZpY2UvbWFpbi9pbml0aWFsaXpl\",\"create_revision\":\"3\",\"mod_revisio"
    "n\":\"12\",\"version\":\"2\",\"value\":\"NzcxMDU2Nzk4NDM4ODc4MDA4Mw="
    "=\"},{\"key\":\"L3NlcnZpY2UvbWFpbi9sZWFkZXI=\",\"create_revision\":"
    "\"14\",\"mod_revision\":\"14\",\"version\":\"1\",\"value\":\"bm9kZTE"
    "=\",\"lease\":\"3485401272318877989\"},{\"key\":\"L3NlcnZpY2UvbWFpbi"
    "9tZW1iZXJzL25vZGUx\",\"create_revision\":\"2\",\"mod_revision\":\"37"
    "\",\"version\":\"10\",\"value\":\"eyJjb25uX3VybCI6InBvc3RncmVzOi8vMT"
    "kyLjE2OC4zNC4xMjQ6NTQzMi9wb3N0Z3JlcyIsImFwaV91cmwiOiJodHRwOi8vMTkyLj"
    "E2OC4zNC4xMjQ6ODAwOC9wYXRyb25pIiwic3RhdGUiOiJydW5uaW5nIiwicm9sZSI6Im"
    "1hc3RlciIsInZlcnNpb24iOiIzLjAuMiIsInhsb2dfbG9jYXRpb24iOjgzODg2MTc2LC"
    "J0aW1lbGluZSI6MX0=\",\"lease\":\"3485401272318877989\"},{\"key\":\"L"
    "3NlcnZpY2UvbWFpbi9tZW1iZXJzL25vZGUy\",\"create_revision\":\"8\",\"mo"
    "d_revision\":\"36\",\"version\":\"7\",\"value\":\"eyJjb25uX3VybCI6In"
    "Bvc3RncmVzOi8vMTkyLjE2OC4zNC4xMzY6NTQzMi9wb3N0Z3JlcyIsImFwaV91cmwiOi"
    "JodHRwOi8vMTkyLjE2OC4zNC4xMzY6ODAwOC9wYXRyb25pIiwic3RhdGUiOiJydW5uaW"
    "5nIiwicm9sZSI6InJlcGxpY2EiLCJ2ZXJzaW9uIjoiMy4wLjIiLCJ4bG9nX2xvY2F0aW"
    "9uIjo4Mzg4NjE3NiwidGltZWxpbmUiOjF9\",\"lease\":\"2605510495121406249"
    "\"},{\"key\":\"L3NlcnZpY2UvbWFpbi9tZW1iZXJzL25vZGUz\",\"create_revis"
    "ion\":\"6\",\"mod_revision\":\"34\",\"version\":\"6\",\"value\":\"ey"
    "Jjb25uX3VybCI6InBvc3RncmVzOi8vMTkyLjE2OC4zNC4xMTM6NTQzMi9wb3N0Z3Jlcy"
    "IsImFwaV91cmwiOiJodHRwOi8vMTkyLjE2OC4zNC4xMTM6ODAwOC9wYXRyb25pIiwic3"
    "RhdGUiOiJydW5uaW5nIiwicm9sZSI6InJlcGxpY2EiLCJ2ZXJzaW9uIjoiMy4wLjIiLC"
    "J4bG9nX2xvY2F0aW9uIjo4Mzg4NjE3NiwidGltZWxpbmUiOjF9\",\"lease\":\"348"
    "5401272318878000\"},{\"key\":\"L3NlcnZpY2UvbWFpbi9zdGF0dXM=\",\"crea"
    "te_revision\":\"16\",\"mod_revision\":\"38\",\"version\":\"9\",\"val"
    "ue\":\"eyJvcHRpbWUiOjgzODg2MTc2fQ==\"}],\"count\":\"7\"}";

/* the stream opens */
const char watch_created[] =
    "{\"result\":{\"header\":{\"cluster_id\":\"724648072762990725\",\"mem"
    "ber_id\":\"7631977784731035459\",\"revision\":\"38\",\"raft_term\":"
    "\"2\"},\"created\":true}}\n";

/* PUT failover {"leader":"node1"} */
const char watch_failover[] =
    "{\"result\":{\"header\":{\"cluster_id\":\"724648072762990725\",\"mem"
    "ber_id\":\"7631977784731035459\",\"revision\":\"39\",\"raft_term\":"
    "\"2\"},\"events\":[{\"kv\":{\"key\":\"L3NlcnZpY2UvbWFpbi9mYWlsb3Zlcg"
    "==\",\"create_revision\":\"39\",\"mod_revision\":\"39\",\"version\":"
    "\"1\",\"value\":\"eyJsZWFkZXIiOiJub2RlMSJ9\"}}]}}\n";

/* DELETE leader */
const char watch_gone[] =
    "{\"result\":{\"header\":{\"cluster_id\":\"724648072762990725\",\"mem"
    "ber_id\":\"7631977784731035459\",\"revision\":\"43\",\"raft_term\":"
    "\"2\"},\"events\":[{\"type\":\"DELETE\",\"kv\":{\"key\":\"L3NlcnZpY2"
    "UvbWFpbi9sZWFkZXI=\",\"mod_revision\":\"43\"}}]}}\n";

/* PUT leader node2 */
const char watch_leader[] =
    "{\"result\":{\"header\":{\"cluster_id\":\"724648072762990725\",\"mem"
    "ber_id\":\"7631977784731035459\",\"revision\":\"47\",\"raft_term\":"
    "\"2\"},\"events\":[{\"kv\":{\"key\":\"L3NlcnZpY2UvbWFpbi9sZWFkZXI=\""
    ",\"create_revision\":\"47\",\"mod_revision\":\"47\",\"version\":\"1"
    "\",\"value\":\"bm9kZTI=\",\"lease\":\"2605510495121406249\"}}]}}\n";

/* PUT failover {} */
const char watch_cleared[] =
    "{\"result\":{\"header\":{\"cluster_id\":\"724648072762990725\",\"mem"
    "ber_id\":\"7631977784731035459\",\"revision\":\"48\",\"raft_term\":"
    "\"2\"},\"events\":[{\"kv\":{\"key\":\"L3NlcnZpY2UvbWFpbi9mYWlsb3Zlcg"
    "==\",\"create_revision\":\"39\",\"mod_revision\":\"48\",\"version\":"
    "\"2\",\"value\":\"e30=\"}}]}}\n";

/* PUT history */
const char watch_history[] =
    "{\"result\":{\"header\":{\"cluster_id\":\"724648072762990725\",\"mem"
    "ber_id\":\"7631977784731035459\",\"revision\":\"51\",\"raft_term\":"
    "\"2\"},\"events\":[{\"kv\":{\"key\":\"L3NlcnZpY2UvbWFpbi9oaXN0b3J5\""
    ",\"create_revision\":\"51\",\"mod_revision\":\"51\",\"version\":\"1"
    "\",\"value\":\"W1sxLDgzODg2NDcyLCJubyByZWNvdmVyeSB0YXJnZXQgc3BlY2lma"
    "WVkIiwiMjAyNi0xMS0yMVQxMDoyMjozNi4xMDY4ODErMDA6MDAiLCJub2RlMiJdXQ=="
    "\"}}]}}\n";

/* a heartbeat: no key, and one key */
const char etcd_beat[] =
    "{\"header\":{\"cluster_id\":\"324952591200643719\",\"member_id\":\"3"
    "319814642761637952\",\"revision\":\"6\",\"raft_term\":\"2\"},\"succe"
    "eded\":true,\"responses\":[{\"response_range\":{\"header\":{\"revisi"
    "on\":\"6\"}}},{\"response_range\":{\"header\":{\"revision\":\"6\"},"
    "\"kvs\":[{\"key\":\"L3NlcnZpY2Uvb3RoZXIvbGVhZGVy\",\"create_revision"
    "\":\"3\",\"mod_revision\":\"5\",\"version\":\"2\"}],\"count\":\"1\"}"
    "}]}";

/* the last line of a member that lost its quorum; no newline */
const char watch_no_leader[] =
    "{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"etc"
    "dserver: no leader\",\"http_status\":\"Service Unavailable\"}}";

/* a read of all that is wanted of a cluster, by a txn of v3 */
const char etcd3_whole[] =
    "{\"header\":{\"cluster_id\":\"9518934699510366138\",\"member_id\":\""
    "15229712080515683065\",\"revision\":\"9\",\"raft_term\":\"2\"},\"suc"
    "ceeded\":true,\"responses\":[{\"response_range\":{\"header\":{\"revi"
    "sion\":\"9\"},\"count\":\"2\"}},{\"response_range\":{\"header\":{\"r"
    "evision\":\"9\"},\"count\":\"5\"}},{\"response_range\":{\"header\":{"
    "\"revision\":\"9\"},\"kvs\":[{\"key\":\"L3NlcnZpY2UvbWFpbi9oaXN0b3J5"
    "\",\"create_revision\":\"4\",\"mod_revision\":\"4\",\"version\":\"1"
    "\"}],\"count\":\"1\"}},{\"response_range\":{\"header\":{\"revision\""
    ":\"9\"},\"kvs\":[{\"key\":\"L3NlcnZpY2UvbWFpbi9sZWFkZXI=\",\"create_"
    "revision\":\"6\",\"mod_revision\":\"6\",\"version\":\"1\",\"value\":"
    "\"bm9kZTE=\"}],\"count\":\"1\"}},{\"response_range\":{\"header\":{\""
    "revision\":\"9\"},\"kvs\":[{\"key\":\"L3NlcnZpY2UvbWFpbi9pbml0aWFsaX"
    "pl\",\"create_revision\":\"5\",\"mod_revision\":\"5\",\"version\":\""
    "1\",\"value\":\"NzcxMDU2Nzk4NDM4ODc4MDA4Mw==\"}],\"count\":\"1\"}},{"
    "\"response_range\":{\"header\":{\"revision\":\"9\"},\"kvs\":[{\"key"
    "\":\"L3NlcnZpY2UvbWFpbi9jb25maWc=\",\"create_revision\":\"2\",\"mod_"
    "revision\":\"2\",\"version\":\"1\",\"value\":\"eyJwYXVzZSI6ZmFsc2V9"
    "\"}],\"count\":\"1\"}},{\"response_range\":{\"header\":{\"revision\""
    ":\"9\"},\"kvs\":[{\"key\":\"L3NlcnZpY2UvbWFpbi9mYWlsb3Zlcg==\",\"cre"
    "ate_revision\":\"3\",\"mod_revision\":\"3\",\"version\":\"1\",\"valu"
    "e\":\"e30=\"}],\"count\":\"1\"}},{\"response_range\":{\"header\":{\""
    "revision\":\"9\"}}},{\"response_range\":{\"header\":{\"revision\":\""
    "9\"},\"kvs\":[{\"key\":\"L3NlcnZpY2UvbWFpbi9tZW1iZXJzL25vZGUx\",\"cr"
    "eate_revision\":\"7\",\"mod_revision\":\"7\",\"version\":\"1\",\"val"
    "ue\":\"eyJjb25uX3VybCI6InBvc3RncmVzOi8vMTkyLjE2OC4zNC4xMjQ6NTQzMi9wb"
    "3N0Z3JlcyIsImFwaV91cmwiOiJodHRwOi8vMTkyLjE2OC4zNC4xMjQ6ODAwOC9wYXRyb"
    "25pIiwic3RhdGUiOiJydW5uaW5nIiwicm9sZSI6Im1hc3RlciIsInZlcnNpb24iOiIzL"
    "jAuMiIsInhsb2dfbG9jYXRpb24iOjgzODg2MTc2LCJ0aW1lbGluZSI6MX0=\"},{\"ke"
    "y\":\"L3NlcnZpY2UvbWFpbi9tZW1iZXJzL25vZGUy\",\"create_revision\":\"8"
    "\",\"mod_revision\":\"8\",\"version\":\"1\",\"value\":\"eyJjb25uX3Vy"
    "bCI6InBvc3RncmVzOi8vMTkyLjE2OC4zNC4xMjQ6NTQzMi9wb3N0Z3JlcyIsImFwaV91"
    "cmwiOiJodHRwOi8vMTkyLjE2OC4zNC4xMjQ6ODAwOC9wYXRyb25pIiwic3RhdGUiOiJy"
    "dW5uaW5nIiwicm9sZSI6Im1hc3RlciIsInZlcnNpb24iOiIzLjAuMiIsInhsb2dfbG9j"
    "YXRpb24iOjgzODg2MTc2LCJ0aW1lbGluZSI6MX0=\"}],\"count\":\"2\"}}]}";

const char etcd_version[] =
    "{\"etcdserver\":\"3.4.23\",\"etcdcluster\":\"3.4.0\"}";

const char v2_absent[] =
    "{\"errorCode\":100,\"message\":\"Key not found\",\"cause\":\"/servic"
    "e/main/leader\",\"index\":4}\n";

const char v2_leader[] =
    "{\"action\":\"get\",\"node\":{\"key\":\"/service/main/leader\",\"val"
    "ue\":\"node1\",\"expiration\":\"2026-11-21T13:35:21.073584382Z\",\"t"
    "tl\":30,\"modifiedIndex\":5,\"createdIndex\":5}}\n";

const char v2_members[] =
    "{\"action\":\"get\",\"node\":{\"key\":\"/service/main/members\",\"di"
    "r\":true,\"nodes\":[{\"key\":\"/service/main/members/node1\",\"value"
    "\":\"{\\\"conn_url\\\":\\\"postgres://192.168.34.124:5432/postgres\\"
    "\",\\\"api_url\\\":\\\"http://192.168.34.124:8008/patroni\\\",\\\"st"
    "ate\\\":\\\"running\\\",\\\"role\\\":\\\"master\\\",\\\"version\\\":"
    "\\\"3.0.2\\\",\\\"xlog_location\\\":83886176,\\\"timeline\\\":1}\","
    "\"expiration\":\"2026-11-21T13:35:21.075310676Z\",\"ttl\":30,\"modif"
    "iedIndex\":6,\"createdIndex\":6},{\"key\":\"/service/main/members/no"
    "de2\",\"value\":\"{\\\"conn_url\\\":\\\"postgres://192.168.34.136:54"
    "32/postgres\\\",\\\"api_url\\\":\\\"http://192.168.34.136:8008/patro"
    "ni\\\",\\\"state\\\":\\\"running\\\",\\\"role\\\":\\\"replica\\\",\\"
    "\"version\\\":\\\"3.0.2\\\",\\\"xlog_location\\\":83886176,\\\"timel"
    "ine\\\":1}\",\"expiration\":\"2026-11-21T13:35:21.077097181Z\",\"ttl"
    "\":30,\"modifiedIndex\":7,\"createdIndex\":7}],\"modifiedIndex\":6,"
    "\"createdIndex\":6}}\n";

const char v2_renewed[] =
    "{\"action\":\"compareAndSwap\",\"node\":{\"key\":\"/service/main/lea"
    "der\",\"value\":\"node1\",\"expiration\":\"2026-11-21T13:35:21.28489"
    "0577Z\",\"ttl\":30,\"modifiedIndex\":8,\"createdIndex\":5},\"prevNod"
    "e\":{\"key\":\"/service/main/leader\",\"value\":\"node1\",\"expirati"
    "on\":\"2026-11-21T13:35:21.073584382Z\",\"ttl\":30,\"modifiedIndex\""
    ":5,\"createdIndex\":5}}\n";

const char v2_gone[] =
    "{\"action\":\"compareAndDelete\",\"node\":{\"key\":\"/service/main/l"
    "eader\",\"modifiedIndex\":9,\"createdIndex\":5},\"prevNode\":{\"key"
    "\":\"/service/main/leader\",\"value\":\"node1\",\"expiration\":\"202"
    "6-11-21T13:35:21.284890577Z\",\"ttl\":30,\"modifiedIndex\":8,\"creat"
    "edIndex\":5}}\n";

const char v2_taken[] =
    "{\"action\":\"create\",\"node\":{\"key\":\"/service/main/leader\",\""
    "value\":\"node2\",\"expiration\":\"2026-11-21T13:34:52.69471403Z\","
    "\"ttl\":1,\"modifiedIndex\":10,\"createdIndex\":10}}\n";

const char v2_expired[] =
    "{\"action\":\"expire\",\"node\":{\"key\":\"/service/main/leader\",\""
    "modifiedIndex\":11,\"createdIndex\":10},\"prevNode\":{\"key\":\"/ser"
    "vice/main/leader\",\"value\":\"node2\",\"expiration\":\"2026-11-21T1"
    "3:34:52.69471403Z\",\"modifiedIndex\":10,\"createdIndex\":10}}\n";

const char v2_mkdir[] =
    "{\"action\":\"set\",\"node\":{\"key\":\"/service/main/optime\",\"dir"
    "\":true,\"modifiedIndex\":13,\"createdIndex\":13}}\n";

const char v2_removed[] =
    "{\"action\":\"delete\",\"node\":{\"key\":\"/service/main\",\"dir\":t"
    "rue,\"modifiedIndex\":14,\"createdIndex\":4},\"prevNode\":{\"key\":"
    "\"/service/main\",\"dir\":true,\"modifiedIndex\":4,\"createdIndex\":"
    "4}}\n";

const char v2_cleared[] =
    "{\"errorCode\":401,\"message\":\"The event in requested index is out"
    "dated and cleared\",\"cause\":\"the requested history has been clear"
    "ed [115/3]\",\"index\":1114}\n";
