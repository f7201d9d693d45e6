# The targets include the real .c files, so that these are instrumented.
foreach(name num snapshot feed_msg startup)
	patroute_fuzz(${name} SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/fuzz_${name}.c
		LIBS patroute_common)
endforeach()
patroute_fuzz(conf SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/fuzz_conf.c
	LIBS patroute_core PkgConfig::libconfuse)
target_include_directories(fuzz_conf PRIVATE ${PROJECT_SOURCE_DIR}/prober)
