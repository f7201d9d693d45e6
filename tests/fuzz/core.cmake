patroute_fuzz(hap_stat SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/fuzz_hap_stat.c
	LIBS patroute_core)
