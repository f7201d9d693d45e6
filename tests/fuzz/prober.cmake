foreach(name connurl patroni_json etcd3_json)
	patroute_fuzz(${name} SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/fuzz_${name}.c
		LIBS patroute_core PkgConfig::libcjson)
endforeach()
