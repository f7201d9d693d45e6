# Where evidence comes from: etcd, Patroni's REST API, PostgreSQL. Included by
# this folder's CMakeLists.txt.
add_library(patroute_sources STATIC
	etcd.c
	etcd2.c
	etcd3_beat.c
	etcd3_read.c
	etcd3_watch.c
	etcd_apart.c
	etcd_cluster.c
	etcd_cred.c
	etcd_find.c
	etcd_orders.c
	gap.c
	http_client.c
	http_error.c
	http_kept.c
	http_setup.c
	http_trust.c
	creds.c
	patroni.c
	pem.c
	pg_error.c
	pg_row.c
	pg_start.c
	postgres.c
	resolve.c)
set_target_properties(patroute_sources PROPERTIES
	OUTPUT_NAME patroute-sources)
target_include_directories(patroute_sources PUBLIC
	${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(patroute_sources
	PUBLIC patroute_core patroute_common patroute_ev
	PkgConfig::libcurl PkgConfig::libpq
	PRIVATE OpenSSL::SSL patroute_warnings patroute_hardening)
