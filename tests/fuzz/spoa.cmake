# The targets include the real .c files, so that these are instrumented.
foreach(name spop desk)
	patroute_fuzz(${name} SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/fuzz_${name}.c
		LIBS patroute_common)
	target_include_directories(fuzz_${name} PRIVATE
		${PROJECT_SOURCE_DIR}/spoa)
endforeach()
target_link_libraries(fuzz_desk PRIVATE PkgConfig::libcjson)
