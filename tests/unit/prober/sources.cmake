# What Patroni's REST API says of the members, and what it is shown.
patroute_unit_test(sources_roster_json SOURCES test_roster_json.c
	LIBS patroute_core)
patroute_unit_test(sources_creds SOURCES test_creds.c LIBS patroute_sources)
# The decoders of what the sources say, and the proof that etcd's watch is
# whole. captured.c holds real answers.
foreach(name connurl dcs_keys etcd2_json etcd3_ask etcd3_json patroni_json)
	patroute_unit_test(sources_${name} SOURCES test_${name}.c captured.c
		LIBS patroute_core)
endforeach()
foreach(name pg_error etcd_cluster)
	patroute_unit_test(sources_${name} SOURCES test_${name}.c
		LIBS patroute_sources)
endforeach()
