foreach(name connurl patroni_json etcd2_json etcd3_json orders)
	patroute_fuzz(${name} SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/fuzz_${name}.c
		LIBS patroute_core PkgConfig::libcjson)
endforeach()
patroute_fuzz(roster_json
	SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/fuzz_roster_json.c
	LIBS patroute_core PkgConfig::libcjson)
patroute_fuzz(judge SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/fuzz_judge.c
	LIBS patroute_sources)
patroute_fuzz(haproxy SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/fuzz_haproxy.c
	LIBS patroute_core)
target_include_directories(fuzz_haproxy PRIVATE ${PROJECT_SOURCE_DIR}/prober)
patroute_fuzz(ctl SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/fuzz_ctl.c
	LIBS patroute_ctl)
